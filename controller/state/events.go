package state

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"icm/internal/atomicfile"
)

// Event is one line of events.jsonl. Prev is the sha256 of the line before, so
// that a line that was altered, dropped or put in is noticed at the next one.
// That of the first line is the sha256 of the operation's id.
type Event struct {
	Seq  int             `json:"seq"` // from 1
	Time time.Time       `json:"time"`
	Prev string          `json:"prev"`
	Data json.RawMessage `json:"data"`
}

// eventLog appends to events.jsonl.
type eventLog struct {
	mu    sync.Mutex
	file  *os.File
	size  int64 // of the lines that are whole and on the disk
	count int
	chain string
	// broken is the first error; nothing is written after it, because nobody
	// knows what the file holds then.
	broken error
}

// eventsRead is what the file holds.
type eventsRead struct {
	list  []Event
	size  int64
	count int
	chain string
}

func hash(line []byte) string {
	sum := sha256.Sum256(line)
	return hex.EncodeToString(sum[:])
}

func eventsPath(dir string) string { return filepath.Join(dir, "events.jsonl") }

// openEventLog opens the file for appending, and drops a half written last
// line.
func openEventLog(dir, id string) (*eventLog, error) {
	have, err := readEvents(dir, id)
	if err != nil {
		return nil, err
	}
	file, err := os.OpenFile(eventsPath(dir), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = file.Truncate(have.size)
	if err == nil {
		_, err = file.Seek(have.size, io.SeekStart)
	}
	if err == nil {
		err = errors.Join(file.Sync(), atomicfile.SyncDir(dir))
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &eventLog{file: file, size: have.size, count: have.count, chain: have.chain}, nil
}

func (l *eventLog) append(v any) error {
	data, err := compact(v)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken != nil {
		return l.broken
	}
	line, err := compact(Event{Seq: l.count + 1, Time: time.Now().UTC(), Prev: l.chain, Data: data})
	if err != nil {
		return err
	}
	if err := l.write(append(line, '\n')); err != nil {
		l.broken = err
		return err
	}
	l.count++
	l.chain = hash(line)
	return nil
}

// write takes a half written line back, so that the file stays readable when
// the disk is full.
func (l *eventLog) write(line []byte) error {
	_, err := l.file.Write(line)
	if err == nil {
		err = l.file.Sync()
	}
	if err != nil {
		return errors.Join(err, l.file.Truncate(l.size))
	}
	l.size += int64(len(line))
	return nil
}

func (l *eventLog) end() (count int, chain string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count, l.chain
}

func (l *eventLog) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken = errors.New("the operation has ended")
	return l.file.Close()
}

func readEvents(dir, id string) (eventsRead, error) {
	data, err := os.ReadFile(eventsPath(dir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return eventsRead{}, err
	}
	r, err := parseEvents(data, id)
	if err != nil {
		return r, fmt.Errorf("cannot trust %s: %w", eventsPath(dir), err)
	}
	return r, nil
}

// parseEvents reads all whole lines and checks their chain. What follows the
// last newline was being written when the machine or the process died.
func parseEvents(data []byte, id string) (eventsRead, error) {
	r := eventsRead{chain: hash([]byte(id))}
	for {
		line, rest, whole := bytes.Cut(data, []byte("\n"))
		if !whole {
			return r, nil
		}
		n := r.count + 1
		var e Event
		if err := json.Unmarshal(line, &e); err != nil {
			return r, fmt.Errorf("line %d is damaged: %w", n, err)
		}
		if e.Seq != n || e.Prev != r.chain {
			return r, fmt.Errorf("line %d, or the one before it, was altered after it was written", n)
		}
		r.list = append(r.list, e)
		r.count, r.chain = n, hash(line)
		r.size += int64(len(line)) + 1
		data = rest
	}
}
