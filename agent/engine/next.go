package engine

import (
	"fmt"
	"strings"

	"icm/internal/wire"
)

// move is what happens next to a change: a record to write, or else a task to
// run. The zero move means that the change has ended.
type move struct {
	rec *record
	run *task // its do when it is doing or waiting, its undo when undoing
}

// next decides what happens next. It is the only place that does, looks at
// nothing but what the journal says, and may be asked at any time.
func next(c *change, kinds map[string]Kind) move {
	switch c.status {
	case wire.StatusDo:
		return c.become(wire.StatusDoing, "", "")
	case wire.StatusDoing:
		return nextDo(c)
	case wire.StatusUndo:
		return c.become(wire.StatusUndoing, c.err, c.hint)
	case wire.StatusUndoing:
		return nextUndo(c, kinds)
	}
	return move{}
}

func nextDo(c *change) move {
	for _, t := range c.tasks {
		switch t.status {
		case wire.StatusDone:
		case wire.StatusDo:
			return c.put(t, wire.StatusDoing)
		case wire.StatusError:
			return nextFailed(c, t)
		default:
			return move{run: t}
		}
	}
	return c.become(wire.StatusDone, "", "")
}

func nextFailed(c *change, failed *task) move {
	why := fmt.Sprintf("task %s (%s): %s", failed.ID, failed.Summary, failed.err)
	if c.OnError != wire.Hold {
		return c.become(wire.StatusUndoing, why, failed.hint)
	}
	for _, t := range c.tasks {
		if t.status == wire.StatusDo {
			return c.put(t, wire.StatusHold)
		}
	}
	return c.become(wire.StatusError, why, failed.hint)
}

// nextUndo first says of every task what is going to become of it, then undoes
// them, newest first. A failing undo does not keep the others from theirs.
func nextUndo(c *change, kinds map[string]Kind) move {
	for _, t := range c.tasks {
		if t.status == wire.StatusDo {
			return c.put(t, wire.StatusHold)
		}
		if t.status == wire.StatusDoing || t.status == wire.StatusWait {
			return c.fail(t, "stopped, since the change was aborted")
		}
	}
	for i := len(c.tasks) - 1; i >= 0; i-- {
		if t := c.tasks[i]; t.toUndo(kinds[t.Kind]) {
			return c.put(t, wire.StatusUndo)
		}
	}
	for i := len(c.tasks) - 1; i >= 0; i-- {
		switch t := c.tasks[i]; t.status {
		case wire.StatusUndo:
			return c.put(t, wire.StatusUndoing)
		case wire.StatusUndoing:
			return move{run: t}
		}
	}
	return endUndo(c, kinds)
}

// toUndo reports whether a task is to be undone and nobody has said so yet. A
// failed task without an undo stays a failed task.
func (t *task) toUndo(k Kind) bool {
	switch t.status {
	case wire.StatusDone:
		return k.OneWay == ""
	case wire.StatusError:
		return k.OneWay == "" && k.Undo != nil && !t.undoFailed
	}
	return false
}

// notUndone stands between why a change was undone and what could not be.
const notUndone = "; not undone: "

func endUndo(c *change, kinds map[string]Kind) move {
	var left []string
	for i := len(c.tasks) - 1; i >= 0; i-- {
		t := c.tasks[i]
		switch oneWay := kinds[t.Kind].OneWay; {
		case t.undoFailed:
			left = append(left, fmt.Sprintf("task %s (%s): %s", t.ID, t.Summary, t.err))
		case oneWay != "" && (t.status == wire.StatusDone || t.status == wire.StatusError):
			left = append(left, fmt.Sprintf("task %s (%s): there is no way back: %s", t.ID, t.Summary, oneWay))
		}
	}
	if len(left) == 0 {
		return c.become(wire.StatusUndone, c.err, c.hint)
	}
	return c.become(wire.StatusError, c.err+notUndone+strings.Join(left, "; "), c.hint)
}

func (c *change) become(s wire.Status, why, hint string) move {
	return move{rec: &record{Event: wire.Event{Change: c.ID, Status: s, Error: why, Hint: hint}}}
}

func (c *change) put(t *task, s wire.Status) move {
	return move{rec: &record{Event: wire.Event{Change: c.ID, Task: t.ID, Status: s}}}
}

func (c *change) fail(t *task, why string) move {
	return move{rec: &record{Event: wire.Event{Change: c.ID, Task: t.ID, Status: wire.StatusError, Error: why}}}
}
