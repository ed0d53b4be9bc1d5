package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"icm/internal/wire"
)

// Submit takes a change over. It is on disk when Submit returns, and runs
// without anybody's help from then on. A change that is known already is not
// taken again: its status is returned, also when it has ended.
func (e *Engine) Submit(_ context.Context, req wire.SubmitRequest) (wire.SubmitReply, error) {
	if err := e.valid(req.Change); err != nil {
		return wire.SubmitReply{}, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.admitLocked(req.Fence); err != nil {
		return wire.SubmitReply{}, err
	}
	if c := e.state.find(req.Change.ID); c != nil {
		return e.knownLocked(c, req)
	}
	if c := e.state.open(); c != nil {
		return wire.SubmitReply{}, busy(c)
	}
	if err := e.plannedLocked(req.Change); err != nil {
		return wire.SubmitReply{}, err
	}
	if err := e.compactLocked(); err != nil {
		return wire.SubmitReply{}, err
	}
	reply := wire.SubmitReply{Status: wire.StatusDo, Seq: e.journal.seq}
	if err := e.writeSecrets(req.Change.ID, req.Secrets); err != nil {
		return wire.SubmitReply{}, errors.Join(err, e.dropSecrets(req.Change.ID))
	}
	ev := wire.Event{Change: req.Change.ID, Status: wire.StatusDo, Line: req.Change.Summary}
	if err := e.recordLocked(record{Event: ev, Submit: &req.Change}); err != nil {
		return wire.SubmitReply{}, err // secrets are swept at the next start
	}
	e.log.Info("change taken over", "change", req.Change.ID, "summary", req.Change.Summary, "tasks", len(req.Change.Tasks))
	return reply, nil
}

// knownLocked answers for a change that was submitted before. Secrets that
// come again are stored again, for a change that was restored without them.
func (e *Engine) knownLocked(c *change, req wire.SubmitRequest) (wire.SubmitReply, error) {
	same, err := sameChange(c.Change, req.Change)
	if err != nil {
		return wire.SubmitReply{}, err
	}
	if !same {
		return wire.SubmitReply{}, refuse(wire.CodeBadCall, "", "change %s is known with other content", c.ID)
	}
	if !c.status.Ended() {
		if err := e.writeSecrets(c.ID, req.Secrets); err != nil {
			return wire.SubmitReply{}, err
		}
	}
	return wire.SubmitReply{Known: true, Status: c.status, Seq: c.first - 1}, nil
}

func sameChange(a, b wire.Change) (bool, error) {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return bytes.Equal(x, y), errors.Join(errX, errY)
}

// valid finds what is wrong with a change before anything is recorded.
func (e *Engine) valid(c wire.Change) error {
	if err := validID(c.ID); err != nil {
		return err
	}
	if c.OnError != wire.Undo && c.OnError != wire.Hold {
		return refuse(wire.CodeBadCall, "", "change %s: on_error is %q, not %q or %q", c.ID, c.OnError, wire.Undo, wire.Hold)
	}
	seen := map[string]bool{}
	for _, t := range c.Tasks {
		if err := e.validTask(t, seen); err != nil {
			return refuse(wire.CodeBadCall, "", "change %s: %v", c.ID, err)
		}
		seen[t.ID] = true
	}
	return nil
}

func (e *Engine) validTask(t wire.Task, seen map[string]bool) error {
	switch {
	case t.ID == "" || seen[t.ID]:
		return fmt.Errorf("task id %q is empty or used twice", t.ID)
	case e.kinds[t.Kind].Do == nil:
		return fmt.Errorf("task %s: this agent knows no %q", t.ID, t.Kind)
	case !json.Valid(t.Args):
		return fmt.Errorf("task %s: its arguments are not JSON", t.ID)
	}
	return nil
}

// Abort stops a change and undoes what it did. Undoing goes on by itself. An
// ended change can be aborted too, which undoes it, or tries again what could
// not be undone, as long as no other change came after it.
func (e *Engine) Abort(_ context.Context, req wire.AbortRequest) (wire.AbortReply, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.admitLocked(req.Fence); err != nil {
		return wire.AbortReply{}, err
	}
	c := e.state.find(req.Change)
	switch {
	case c == nil:
		return wire.AbortReply{}, notFound(req.Change)
	case c.status == wire.StatusUndo || c.status == wire.StatusUndoing || c.status == wire.StatusUndone:
		return wire.AbortReply{Status: c.status}, nil
	case c != e.state.newest():
		return wire.AbortReply{}, refuse(wire.CodeBadCall, "undo the newer one first",
			"change %s cannot be undone: change %s came after it", c.ID, e.state.newest().ID)
	}
	why := "aborted"
	if c.status == wire.StatusError {
		before, _, _ := strings.Cut(c.err, notUndone) // the new try says it anew
		why = "aborted after " + strings.TrimPrefix(before, "aborted after ")
	}
	if err := e.recordLocked(c.become(wire.StatusUndo, why, "").rec.value()); err != nil {
		return wire.AbortReply{}, err
	}
	if e.halt != nil {
		e.halt(errAborted)
	}
	return wire.AbortReply{Status: c.status}, nil
}

func (r *record) value() record { return *r }

func notFound(id string) error {
	return refuse(wire.CodeNotFound, "", "there is no change %s on this node", id)
}
