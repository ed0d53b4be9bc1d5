package engine

import (
	"context"
	"errors"

	"icm/internal/wire"
)

// maxLog is how many lines of a task's log Changes gives, the newest. A frame
// must hold them; all of them are events.
const maxLog = 100

// Changes returns the changes the journal knows, oldest first; with an id that
// one only, and then with the end of its tasks' logs.
func (e *Engine) Changes(ctx context.Context, id string) ([]wire.ChangeState, error) {
	e.mu.Lock()
	var out []wire.ChangeState
	for _, c := range e.state.changes {
		if id == "" || c.ID == id {
			out = append(out, c.snapshot())
		}
	}
	e.mu.Unlock()
	if id == "" {
		return out, nil
	}
	if len(out) == 0 {
		return nil, notFound(id)
	}
	return out, e.addLogs(ctx, &out[0])
}

func (c *change) snapshot() wire.ChangeState {
	s := wire.ChangeState{Change: c.Change, Status: c.status, Error: c.err, Hint: c.hint}
	for _, t := range c.tasks {
		s.Tasks = append(s.Tasks, wire.TaskState{ID: t.ID, Status: t.status, Error: t.err})
	}
	return s
}

func (e *Engine) addLogs(ctx context.Context, s *wire.ChangeState) error {
	_, err := e.Events(ctx, 0, s.Change.ID, false, func(i wire.Item) error {
		for k := range s.Tasks {
			t := &s.Tasks[k]
			if t.ID != i.Event.Task || i.Event.Line == "" {
				continue
			}
			if len(t.Log) == maxLog {
				t.Log = append(t.Log[:0], t.Log[1:]...)
			}
			t.Log = append(t.Log, i.Event.Line)
		}
		return nil
	})
	return err
}

// Busy returns the id of the change that has not ended, or "".
func (e *Engine) Busy() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if c := e.state.open(); c != nil {
		return c.ID
	}
	return ""
}

// ReadJournal hands the events of the journal in dir to fn, for people. It
// disturbs no agent that is using the directory.
func ReadJournal(dir string, fn func(wire.Event) error) error {
	_, err := scanFile(JournalPath(dir), -1, func(rec record, _ int64) error { return fn(rec.Event) })
	return err
}

// errBegun is why a context of WhileIdle ends.
var errBegun = errors.New("a change has begun")

// WhileIdle is a context that ends when a change begins, for looks that must
// not be in its way. idle is false while a change has not ended; ctx is
// cancelled then. stop must be called.
func (e *Engine) WhileIdle(ctx context.Context) (_ context.Context, stop func(), idle bool) {
	ctx, cancel := context.WithCancelCause(ctx)
	busy := func() (<-chan struct{}, bool) {
		e.mu.Lock()
		defer e.mu.Unlock()
		return e.changed, e.state.open() != nil
	}
	changed, open := busy()
	if open {
		cancel(errBegun)
		return ctx, func() {}, false
	}
	go func() {
		for !open {
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
			changed, open = busy()
		}
		cancel(errBegun)
	}()
	return ctx, func() { cancel(nil) }, true
}
