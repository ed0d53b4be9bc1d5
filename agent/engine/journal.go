package engine

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"icm/internal/atomicfile"
	"icm/internal/wire"
)

// FaultPoint is a moment at which a crash test may end the process, or have
// the journal behave as if it had ended.
type FaultPoint struct {
	Seq   uint64 // of the record
	After bool   // it is on disk; otherwise nothing of it is
	// Line is what is about to be written, and File where, at its present
	// offset: a test of torn writes writes a part of Line itself.
	Line []byte
	File *os.File
}

// journal is the append-only file that everything is written to before it is
// done. It is not safe for concurrent use: the engine's lock guards it.
type journal struct {
	path  string
	file  *os.File
	size  int64  // bytes of whole records
	seq   uint64 // of the last record
	base  uint64 // of the last record that is no longer in the file
	err   error  // after a failed write nothing is written any more
	fault func(FaultPoint) error
}

// openJournal opens or makes the journal and hands what it holds to each.
func openJournal(path string, each func(rec record, offset int64) error) (*journal, error) {
	if err := os.Remove(path + ".new"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err // an unfinished compaction
	}
	s, err := scanFile(path, -1, each)
	if errors.Is(err, fs.ErrNotExist) || (err == nil && !s.head) {
		s, err = createJournal(path, 0)
	}
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	j := &journal{path: path, file: f, size: s.end, seq: s.seq, base: s.base}
	if err := j.settle(); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot cut the torn end off the task journal: %w", err), f.Close())
	}
	return j, nil
}

// createJournal makes a journal without events, aside, so that a first record
// is never torn.
func createJournal(path string, base uint64) (scanned, error) {
	head, err := encode(record{Format: journalFormat, Event: wire.Event{Seq: base, Time: now()}})
	if err != nil {
		return scanned{}, err
	}
	if err := atomicfile.Write(path, head, 0o600); err != nil {
		return scanned{}, fmt.Errorf("cannot make the task journal: %w", err)
	}
	return scanned{head: true, seq: base, base: base, end: int64(len(head))}, nil
}

// settle makes the file end where its last whole record does, on disk: a
// record may have been read from memory that never reached the disk.
func (j *journal) settle() error {
	if err := j.file.Truncate(j.size); err != nil {
		return err
	}
	if _, err := j.file.Seek(j.size, io.SeekStart); err != nil {
		return err
	}
	return errors.Join(j.file.Sync(), atomicfile.SyncDir(filepath.Dir(j.path)))
}

// append numbers a record, writes and syncs it. When that fails the record is
// taken out again, and the journal takes no more: nobody may act on what is
// perhaps not there.
func (j *journal) append(rec *record) error {
	if j.err != nil {
		return j.err
	}
	rec.Seq, rec.Time = j.seq+1, now()
	line, err := encode(*rec)
	if err != nil {
		return fmt.Errorf("cannot record in the task journal: %w", err)
	}
	if err := j.inject(FaultPoint{Seq: rec.Seq, Line: line, File: j.file}); err != nil {
		return err
	}
	if err := j.write(line); err != nil {
		j.err = fmt.Errorf("cannot write the task journal: %w", err)
		return j.err
	}
	j.size += int64(len(line))
	j.seq = rec.Seq
	return j.inject(FaultPoint{Seq: rec.Seq, After: true, File: j.file})
}

func (j *journal) write(line []byte) error {
	_, err := j.file.Write(line)
	if err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		return errors.Join(err, j.file.Truncate(j.size))
	}
	return nil
}

func (j *journal) inject(p FaultPoint) error {
	if j.fault == nil {
		return nil
	}
	if err := j.fault(p); err != nil {
		j.err = err
		return err
	}
	return nil
}

// compact drops the records up to and including the number last, which end at
// offset. The rest is copied aside and renamed; numbers go on.
func (j *journal) compact(last uint64, offset int64) (err error) {
	if j.err != nil {
		return j.err
	}
	aside := j.path + ".new"
	s, err := createJournal(aside, last)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(aside, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("cannot compact the task journal: %w", err), f.Close(), os.Remove(aside))
		}
	}()
	if _, err := f.Seek(s.end, io.SeekStart); err != nil {
		return err
	}
	n, err := io.Copy(f, io.NewSectionReader(j.file, offset, j.size-offset))
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = os.Rename(aside, j.path)
	}
	if err != nil {
		return err
	}
	old := j.file
	j.file, j.size, j.base = f, s.end+n, last
	if err := atomicfile.SyncDir(filepath.Dir(j.path)); err != nil {
		j.err = fmt.Errorf("cannot write the task journal: %w", err)
		return errors.Join(j.err, old.Close())
	}
	return old.Close()
}

func (j *journal) close() error { return j.file.Close() }

// now is the time of a record: UTC, without a monotonic part.
func now() time.Time { return time.Now().UTC().Round(0) }
