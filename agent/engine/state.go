package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"icm/internal/wire"
)

// taskArrows are the lines along which a task moves; each is one record.
//
//	do ─▶ doing ─▶ done ─▶ undo ─▶ undoing ─▶ undone
//	│      │  ▲              ▲         │
//	▼      │  └▶ wait        │         ▼
//	hold   └───▶ error ──────┘       error
//
// A do that failed has perhaps done half its work, so it is undone too. An
// undo that failed is tried again only when somebody asks, by an abort.
var taskArrows = map[wire.Status][]wire.Status{
	wire.StatusDo:      {wire.StatusDoing, wire.StatusHold},
	wire.StatusDoing:   {wire.StatusDone, wire.StatusError, wire.StatusWait},
	wire.StatusWait:    {wire.StatusDone, wire.StatusError, wire.StatusWait},
	wire.StatusDone:    {wire.StatusUndo},
	wire.StatusError:   {wire.StatusUndo},
	wire.StatusUndo:    {wire.StatusUndoing},
	wire.StatusUndoing: {wire.StatusUndone, wire.StatusError},
}

// changeArrows are those of a change. To undo is what an abort asks for; an
// ended change can still be aborted, so that none is stuck.
var changeArrows = map[wire.Status][]wire.Status{
	wire.StatusDo:      {wire.StatusDoing, wire.StatusUndo},
	wire.StatusDoing:   {wire.StatusDone, wire.StatusUndo, wire.StatusUndoing, wire.StatusError},
	wire.StatusDone:    {wire.StatusUndo},
	wire.StatusError:   {wire.StatusUndo},
	wire.StatusUndo:    {wire.StatusUndoing},
	wire.StatusUndoing: {wire.StatusUndone, wire.StatusError},
}

// change is where a change stands. All of it comes from the journal.
type change struct {
	wire.Change
	status wire.Status
	err    string
	hint   string
	tasks  []*task
	first  uint64 // number of its first record
	offset int64  // and where it stands in the journal
}

// task is where a task stands.
type task struct {
	wire.Task
	status     wire.Status
	undoFailed bool // its error came from undo
	err        string
	hint       string
	notes      map[string]json.RawMessage
	lines      int // of its log
}

// state is all changes that the journal knows, oldest first.
type state struct{ changes []*change }

func (s *state) find(id string) *change {
	for _, c := range s.changes {
		if c.ID == id {
			return c
		}
	}
	return nil
}

// open returns the change that has not ended, or nil.
func (s *state) open() *change {
	for _, c := range s.changes {
		if !c.status.Ended() {
			return c
		}
	}
	return nil
}

// newest is the last change that was not taken back.
func (s *state) newest() *change {
	for _, c := range slices.Backward(s.changes) {
		if c.status != wire.StatusUndone {
			return c
		}
	}
	return nil
}

// check says whether a record may follow what is known.
func (s *state) check(rec record) error {
	if rec.Submit != nil {
		return s.checkSubmit(rec)
	}
	c := s.find(rec.Change)
	if c == nil {
		return fmt.Errorf("there is no change %q", rec.Change)
	}
	if rec.Task == "" {
		return allowed(changeArrows, c.status, rec.Status, "change "+c.ID)
	}
	t := c.task(rec.Task)
	if t == nil {
		return fmt.Errorf("change %s has no task %q", c.ID, rec.Task)
	}
	return allowed(taskArrows, t.status, rec.Status, "task "+t.ID+" of change "+c.ID)
}

func (s *state) checkSubmit(rec record) error {
	if s.find(rec.Submit.ID) != nil {
		return fmt.Errorf("change %s was there before", rec.Submit.ID)
	}
	if open := s.open(); open != nil {
		return fmt.Errorf("change %s has not ended", open.ID)
	}
	if rec.Change != rec.Submit.ID {
		return errors.New("it names two changes")
	}
	return nil
}

func allowed(arrows map[wire.Status][]wire.Status, from, to wire.Status, what string) error {
	if to != "" && !slices.Contains(arrows[from], to) {
		return fmt.Errorf("%s cannot go from %s to %s", what, from, to)
	}
	return nil
}

// apply moves the state on by one record that check has passed. Reading the
// journal and running are the same code.
func (s *state) apply(rec record, offset int64) {
	if rec.Submit != nil {
		s.changes = append(s.changes, newChange(*rec.Submit, rec.Seq, offset))
		return
	}
	c := s.find(rec.Change)
	if rec.Task == "" {
		c.apply(rec)
		return
	}
	c.task(rec.Task).apply(rec)
}

func newChange(w wire.Change, seq uint64, offset int64) *change {
	c := &change{Change: w, status: wire.StatusDo, first: seq, offset: offset}
	for _, t := range w.Tasks {
		c.tasks = append(c.tasks, &task{Task: t, status: wire.StatusDo, notes: map[string]json.RawMessage{}})
	}
	return c
}

func (c *change) task(id string) *task {
	for _, t := range c.tasks {
		if t.ID == id {
			return t
		}
	}
	return nil
}

func (c *change) apply(rec record) {
	if rec.Status == "" {
		return
	}
	c.status, c.err, c.hint = rec.Status, rec.Error, rec.Hint
	if rec.Status == wire.StatusUndo {
		for _, t := range c.tasks {
			t.undoFailed = false // whoever aborts asks for another try
		}
	}
}

func (t *task) apply(rec record) {
	if rec.Note != nil {
		t.notes[rec.Note.Key] = rec.Note.Value
	}
	if rec.Line != "" {
		t.lines++
	}
	if rec.Status == "" {
		return
	}
	if rec.Status == wire.StatusError {
		t.undoFailed = t.status == wire.StatusUndoing
		t.err, t.hint = rec.Error, rec.Hint
	}
	t.status = rec.Status
}
