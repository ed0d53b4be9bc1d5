package engine

import (
	"context"
	"errors"
	"os"
	"strings"

	"icm/internal/wire"
)

// Events hands fn all events after a number, oldest first, without gaps, then
// returns the number of the last. With follow it goes on with new ones, and
// with progress, until ctx is cancelled, or, when change is not empty, until
// that change has ended. Events are read from the journal, never kept in
// memory. What was compacted away is not to be had any more: then the first
// event's number is larger than after + 1.
func (e *Engine) Events(ctx context.Context, after uint64, change string, follow bool, fn func(wire.Item) error) (uint64, error) {
	progress := make(chan wire.Progress, 1)
	if follow {
		e.listen(progress)
		defer e.unlisten(progress)
	}
	r := reader{e: e, last: after, change: change, fn: fn}
	defer r.close()
	for {
		changed, ended, err := e.eventsState(change)
		if err != nil {
			return r.last, err
		}
		if err := r.read(ctx); err != nil {
			return r.last, err
		}
		if !follow || ended {
			return r.last, nil
		}
		if err := e.Check(); err != nil {
			return r.last, err // nothing more will come
		}
		if err := r.wait(ctx, changed, progress); err != nil {
			return r.last, err
		}
	}
}

// eventsState is taken before the journal is read, so that nothing is missed
// in between.
func (e *Engine) eventsState(change string) (changed <-chan struct{}, ended bool, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if change == "" {
		return e.changed, false, nil
	}
	c := e.state.find(change)
	if c == nil {
		return nil, false, notFound(change)
	}
	return e.changed, c.status.Ended(), nil
}

// reader reads a journal that grows, and that may be replaced by its own
// compaction.
type reader struct {
	e      *Engine
	last   uint64 // number of the last event handed over, or passed by
	change string
	fn     func(wire.Item) error

	file *os.File
	at   int64
}

func (r *reader) close() {
	if r.file != nil {
		_ = r.file.Close() // only read
	}
}

// open opens the journal again when it is another file now, and returns how
// far it may be read: not into a record that is just being written.
func (r *reader) open() (end int64, err error) {
	r.e.mu.Lock()
	defer r.e.mu.Unlock()
	j := r.e.journal
	if r.file != nil {
		mine, errMine := r.file.Stat()
		now, errNow := j.file.Stat()
		if err := errors.Join(errMine, errNow); err != nil {
			return 0, err
		}
		if os.SameFile(mine, now) {
			return j.size, nil
		}
		r.close()
	}
	r.file, err = os.Open(j.path)
	r.at = 0
	return j.size, err
}

func (r *reader) read(ctx context.Context) error {
	end, err := r.open()
	if err != nil {
		return err
	}
	at, err := scanFrom(r.file, r.at, end, func(rec record) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return r.hand(rec)
	})
	r.at = at
	return err
}

func (r *reader) hand(rec record) error {
	if rec.Seq <= r.last {
		return nil
	}
	r.last = rec.Seq
	if r.change != "" && r.change != rec.Change {
		return nil
	}
	return r.fn(wire.Item{Event: &rec.Event})
}

func (r *reader) wait(ctx context.Context, changed <-chan struct{}, progress <-chan wire.Progress) error {
	for {
		select {
		case <-changed:
			return nil
		case p := <-progress:
			if r.change != "" && r.change != p.Change {
				continue
			}
			if err := r.fn(wire.Item{Progress: &p}); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (e *Engine) listen(c chan wire.Progress) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.tell[c] = struct{}{}
}

func (e *Engine) unlisten(c chan wire.Progress) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.tell, c)
}

// tellProgress hands progress to whoever follows. One who is slow gets the
// newest only.
func (e *Engine) tellProgress(p wire.Progress) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for c := range e.tell {
		select {
		case <-c:
		default:
		}
		c <- p // has room: only this function sends, under the lock
	}
}

// panicPlace finds the first line of a stack below the panic that names a file
// of ours.
func panicPlace(stack []byte) string {
	_, after, _ := strings.Cut(string(stack), "panic(")
	for line := range strings.Lines(after) {
		file, isFile := strings.CutPrefix(line, "\t") // functions stand at the margin
		place, _, _ := strings.Cut(strings.TrimSpace(file), " ")
		// With -trimpath, as agents are built, the path has no beginning.
		if isFile && !strings.Contains("/"+place, "/runtime/") {
			return place[strings.LastIndexByte(place, '/')+1:]
		}
	}
	return "an unknown place"
}
