package engine

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
)

// errStop ends a scan early without being an error.
var errStop = errors.New("stop")

// scanned is what a scan found out about a journal.
type scanned struct {
	head bool   // there is a first record
	seq  uint64 // of the last whole record
	base uint64 // of the last record that is no longer in the file
	end  int64  // where the last whole record ends
}

// scan reads a journal from its beginning and hands every record after the
// first to each, with its place. A torn last line is left out; damage anywhere
// else is an error that names the place.
func scan(r io.Reader, each func(rec record, offset int64) error) (scanned, error) {
	var s scanned
	in := bufio.NewReaderSize(r, 64<<10)
	for {
		line, err := readLine(in)
		if errors.Is(err, io.EOF) {
			return s, nil // what is in line has no end: torn
		}
		if err != nil {
			return s, fmt.Errorf("cannot read the task journal at byte %d: %w", s.end, err)
		}
		rec, err := s.take(line)
		if err != nil {
			if _, more := in.Peek(1); errors.Is(more, io.EOF) && !errors.Is(err, errNewer) {
				return s, nil // torn, with the pages of its end on disk before the others
			}
			return s, fmt.Errorf("task journal: record %d, at byte %d: %w", s.seq+1, s.end, err)
		}
		offset := s.end
		s.end += int64(len(line)) + 1
		if rec.Format != 0 {
			continue
		}
		if err := each(rec, offset); err != nil {
			if errors.Is(err, errStop) {
				return s, nil
			}
			return s, fmt.Errorf("task journal: record %d, at byte %d: %w", rec.Seq, offset, err)
		}
	}
}

// errNewer means a later agent wrote the journal. Waiting never helps.
var errNewer = errors.New("was written by a newer agent")

// take checks a line and its number.
func (s *scanned) take(line []byte) (record, error) {
	if !s.head {
		rec, err := decodeHead(line)
		if err != nil {
			return rec, err
		}
		if rec.Format > journalFormat {
			return rec, fmt.Errorf("the journal %w: its format is %d, this agent reads up to %d; "+
				"install the newer agent again", errNewer, rec.Format, journalFormat)
		}
		s.head, s.seq, s.base = true, rec.Seq, rec.Seq
		return rec, nil
	}
	rec, err := decode(line)
	if err != nil {
		return rec, err
	}
	if rec.Format != 0 || rec.Seq != s.seq+1 {
		return rec, fmt.Errorf("it has the number %d", rec.Seq)
	}
	s.seq = rec.Seq
	return rec, nil
}

// readLine returns a line without its end, or io.EOF when there is no whole
// line any more.
func readLine(in *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil:
			return line[:len(line)-1], nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		case len(line) > maxRecord:
			return nil, fmt.Errorf("a line is longer than %d bytes", maxRecord)
		}
	}
}

// scanFile scans up to limit bytes of a file; a negative limit is all of it.
func scanFile(path string, limit int64, each func(rec record, offset int64) error) (scanned, error) {
	f, err := os.Open(path)
	if err != nil {
		return scanned{}, err
	}
	defer f.Close()
	var r io.Reader = f
	if limit >= 0 {
		r = io.LimitReader(f, limit)
	}
	return scan(r, each)
}

// scanFrom reads the whole records between two places of a file that was
// checked when it was opened, and returns where it stopped.
func scanFrom(f *os.File, at, end int64, each func(rec record) error) (int64, error) {
	in := bufio.NewReaderSize(io.NewSectionReader(f, at, end-at), 16<<10)
	for at < end {
		line, err := readLine(in)
		if err != nil {
			return at, fmt.Errorf("cannot read the task journal at byte %d: %w", at, err)
		}
		if at == 0 {
			at += int64(len(line)) + 1
			continue // the first record is no event
		}
		rec, err := decode(line)
		if err != nil {
			return at, fmt.Errorf("task journal: at byte %d: %w", at, err)
		}
		at += int64(len(line)) + 1
		if err := each(rec); err != nil {
			return at, err
		}
	}
	return at, nil
}
