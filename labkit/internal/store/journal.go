package store

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"time"
)

// Journal is the set of journal files of one instance.
type Journal struct {
	Dir, Alternate string
	Format         int
	Limit          int64 // bytes in one file

	mu   sync.Mutex
	file *os.File
	size int64
}

// Files returns all journal files, oldest first.
func (j *Journal) Files() []string {
	byName := map[string]string{}
	for _, dir := range []string{j.Dir, j.Alternate} {
		found, _ := filepath.Glob(filepath.Join(dir, "[0-9]*.[0-9][0-9][0-9]"))
		for _, path := range found {
			byName[filepath.Base(path)] = path
		}
	}
	names := make([]string, 0, len(byName))
	for name := range byName {
		names = append(names, name)
	}
	sort.Strings(names)
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = byName[name]
	}
	return out
}

// Current is the file being written.
func (j *Journal) Current() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil {
		return ""
	}
	return j.file.Name()
}

// Replay gives every whole record of every file to apply, oldest first. It
// refuses a file written by a newer kit before applying anything.
func (j *Journal) Replay(apply func(Record) error) (int, error) {
	files := j.Files()
	for _, path := range files {
		if err := j.check(path); err != nil {
			return 0, err
		}
	}
	count := 0
	for _, path := range files {
		n, err := scanFile(path, apply)
		count += n
		if err != nil {
			return count, err
		}
	}
	return count, nil
}

func (j *Journal) check(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("cannot read journal: %w", err)
	}
	defer f.Close()
	have, err := readHeader(f, "JRN")
	if err != nil {
		return err
	}
	if have > j.Format {
		return &FormatError{path, have, j.Format}
	}
	return nil
}

func scanFile(path string, apply func(Record) error) (int, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, fmt.Errorf("cannot read journal: %w", err)
	}
	defer f.Close()
	r := bufio.NewReaderSize(io.NewSectionReader(f, headerSize, 1<<62), 1<<20)
	for count := 0; ; count++ {
		rec, _, err := readRecord(r)
		if err != nil {
			return count, nil // the rest was never acknowledged
		}
		if err := apply(rec); err != nil {
			return count, err
		}
	}
}

// Start opens a new file.
func (j *Journal) Start() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.next(j.Dir)
}

func (j *Journal) next(dir string) error {
	name := filepath.Join(dir, j.nextName())
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o660)
	if err != nil {
		return fmt.Errorf("cannot open journal: %w", err)
	}
	_, err = f.Write(header("JRN", j.Format))
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		f.Close()
		return fmt.Errorf("cannot write journal: %w", err)
	}
	if j.file != nil {
		j.file.Close()
	}
	j.file, j.size = f, headerSize
	return nil
}

// nextName is today's date and a number no file has yet. Names must rise
// even when the clock went back, as their order is the order of records.
func (j *Journal) nextName() string {
	day := time.Now().Format("20060102")
	n := 1
	if files := j.Files(); len(files) > 0 {
		last := filepath.Base(files[len(files)-1])
		lastDay, _, _ := strings.Cut(last, ".")
		if lastDay >= day {
			day = lastDay
			fmt.Sscanf(strings.TrimPrefix(last, lastDay+"."), "%d", &n)
			n++
		}
	}
	return fmt.Sprintf("%s.%03d", day, n)
}

// Append writes records and returns when they would survive a power cut. When
// the current directory fails, the alternate one is tried.
func (j *Journal) Append(recs ...Record) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil {
		return fmt.Errorf("cannot write journal: %w", os.ErrClosed)
	}
	var data []byte
	for _, r := range recs {
		data = append(data, r.encode()...)
	}
	err := j.write(data)
	if err == nil || j.Alternate == "" || filepath.Dir(j.file.Name()) == filepath.Clean(j.Alternate) {
		return err
	}
	if nextErr := j.next(j.Alternate); nextErr != nil {
		return fmt.Errorf("%w; %w", err, nextErr)
	}
	return j.write(data)
}

// note writes a record that need not survive a power cut.
func (j *Journal) note(rec Record) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil {
		return fmt.Errorf("cannot write journal: %w", os.ErrClosed)
	}
	data := rec.encode()
	if _, err := j.file.WriteAt(data, j.size); err != nil {
		return fmt.Errorf("cannot write journal: %w", err)
	}
	j.size += int64(len(data))
	return nil
}

func (j *Journal) write(data []byte) error {
	if j.Limit > 0 && j.size > j.Limit {
		if err := j.next(filepath.Dir(j.file.Name())); err != nil {
			return err
		}
	}
	if _, err := j.file.WriteAt(data, j.size); err != nil {
		return fmt.Errorf("cannot write journal: %w", err)
	}
	if err := j.file.Sync(); err != nil {
		return fmt.Errorf("cannot write journal: %w", err)
	}
	j.size += int64(len(data))
	return nil
}

// Purge removes all but the newest files. It may be called only when all
// databases hold everything, synced.
func (j *Journal) Purge(keep int) {
	files := j.Files()
	for len(files) > keep {
		os.Remove(files[0])
		files = files[1:]
	}
}

// Close ends journaling.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil {
		return nil
	}
	err := j.file.Close()
	j.file = nil
	return err
}
