package engine

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"icm/internal/hint"
	"icm/internal/wire"
)

// errAborted is why a running task is cancelled when its change is aborted.
var errAborted = errors.New("the change was aborted")

// Bounds of the pause between two tries of a task that waits, and of its whole
// wait when the kind names none.
const (
	shortestPause = 20 * time.Millisecond
	longestPause  = time.Minute
	longestWait   = time.Hour
)

// Run runs changes, one at a time, until ctx is cancelled, which is no error:
// a task that is cut off by it is run again at the next start. A journal that
// cannot be written is an error, and ends Run.
func (e *Engine) Run(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	e.mu.Lock()
	e.stop = stop
	if c := e.state.open(); c != nil {
		e.log.Info("going on with a change", "change", c.ID, "summary", c.Summary, "status", string(c.status))
	}
	e.mu.Unlock()
	for {
		if err := e.advance(ctx); err != nil {
			if e.Check() != nil {
				return e.Check()
			}
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
	}
}

// advance makes one move, or waits until there may be one.
func (e *Engine) advance(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	c := e.state.open()
	if c == nil {
		return e.idleLocked(ctx)
	}
	m := next(c, e.kinds)
	if m.rec == nil {
		return e.runLocked(ctx, c, m.run)
	}
	if err := e.recordLocked(*m.rec); err != nil {
		return err
	}
	e.logMove(c, m.rec)
	if c.status.Ended() {
		return e.dropSecrets(c.ID)
	}
	return nil
}

func (e *Engine) idleLocked(ctx context.Context) error {
	changed := e.changed
	e.mu.Unlock()
	defer e.mu.Lock()
	select {
	case <-changed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (e *Engine) logMove(c *change, rec *record) {
	log := e.log.With("change", c.ID, "status", string(rec.Status))
	switch {
	case rec.Task != "":
		log.Debug("task", "task", rec.Task)
	case rec.Error != "":
		log.Error("change", "err", rec.Error)
	default:
		log.Info("change")
	}
}

// runLocked runs a task's do or undo and records how it ended. The lock is
// given up meanwhile.
func (e *Engine) runLocked(ctx context.Context, c *change, t *task) error {
	ctx, halt := context.WithCancelCause(ctx)
	defer halt(nil)
	undo := t.status == wire.StatusUndoing
	if !undo {
		e.halt = halt
	}
	secrets, err := e.readSecrets(c.ID)
	env := &runEnv{e: e, c: c, t: t, secrets: secrets, stars: stars(secrets)}
	e.mu.Unlock()
	if err == nil {
		err = e.try(ctx, env, undo)
	}
	env.over.Store(true)
	e.mu.Lock()
	e.halt = nil
	if e.journal.err != nil {
		return e.journal.err
	}
	if err != nil && ctx.Err() != nil && !errors.Is(context.Cause(ctx), errAborted) {
		return errStopped // perhaps only because of that: the next start tries again
	}
	return e.endTaskLocked(ctx, env, undo, err)
}

func (e *Engine) endTaskLocked(ctx context.Context, env *runEnv, undo bool, err error) error {
	rec := record{Event: wire.Event{Change: env.c.ID, Task: env.t.ID, Status: wire.StatusDone}}
	if undo {
		rec.Status = wire.StatusUndone
	}
	if err != nil {
		rec.Status, rec.Error = wire.StatusError, shorten(env.stars.Replace(err.Error()), maxError)
		if errors.Is(context.Cause(ctx), errAborted) && errors.Is(err, context.Canceled) {
			rec.Error = "stopped, since the change was aborted"
		}
		rec.Hint = shorten(env.stars.Replace(hint.Of(err)), maxError)
		e.log.Error("task failed", "change", rec.Change, "task", rec.Task, "err", rec.Error)
	}
	return e.recordLocked(rec)
}

// try calls a task's function until it does not ask for another try.
func (e *Engine) try(ctx context.Context, env *runEnv, undo bool) error {
	f, err := e.function(env.t.Kind, undo)
	if f == nil {
		return err
	}
	began := time.Now()
	var deadline time.Time
	for {
		err := guard(func() error { return f(ctx, NewTask(env.t.Task, env.c.ID, env)) })
		var again *Retry
		if !errors.As(err, &again) {
			return err
		}
		if deadline.IsZero() { // the first one counts: a kind may reckon from now each time
			if deadline = again.Deadline; deadline.IsZero() {
				deadline = began.Add(longestWait)
			}
		}
		if err := env.pause(ctx, again, began, deadline, undo); err != nil {
			return err
		}
	}
}

func (e *Engine) function(kind string, undo bool) (func(context.Context, *Task) error, error) {
	k, ok := e.kinds[kind]
	if !ok {
		return nil, fmt.Errorf("this agent knows no %q", kind)
	}
	if undo {
		return k.Undo, nil
	}
	return k.Do, nil
}

// pause says what is waited for and lets some time pass.
func (r *runEnv) pause(ctx context.Context, again *Retry, began, deadline time.Time, undo bool) error {
	left := time.Until(deadline)
	if left <= 0 {
		return fmt.Errorf("still %w after %s", again, time.Since(began).Round(time.Second))
	}
	if err := r.waiting(r.stars.Replace(again.Waiting)+"; until "+deadline.Format(time.TimeOnly)+" at the latest", undo); err != nil {
		return err
	}
	timer := time.NewTimer(min(left, longestPause, max(again.After, shortestPause)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w while %w", ctx.Err(), again)
	}
}

// waiting records what is waited for, once for each new text.
func (r *runEnv) waiting(what string, undo bool) error {
	r.e.mu.Lock()
	defer r.e.mu.Unlock()
	line := clean("waiting for " + what)
	if line == r.waited {
		return nil
	}
	r.waited = line
	if undo || r.t.status == wire.StatusWait {
		r.lineLocked(line)
		return r.e.journal.err
	}
	ev := wire.Event{Change: r.c.ID, Task: r.t.ID, Status: wire.StatusWait, Line: line}
	return r.e.recordLocked(record{Event: ev})
}

// guard turns a panic into an error, so that a mistake in one kind does not
// end the agent in the middle of a change, again and again.
func guard(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the agent made a mistake (please report it): %v at %s", p, panicPlace(debug.Stack()))
		}
	}()
	return f()
}
