package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"icm/internal/secret"
	"icm/internal/wire"
)

// Kind is the code behind one kind of task. All three functions may be called
// again after having been cut off at any point.
type Kind struct {
	// Look finds out what Do would change, without changing anything. A task
	// whose node is already as it should be is satisfied.
	Look func(ctx context.Context, t *Task) (wire.Look, error)
	// Do makes it so. It may find its work done, in full or by half.
	Do func(ctx context.Context, t *Task) error
	// Undo takes Do back, whether Do ended or not. nil means there is nothing
	// to undo.
	Undo func(ctx context.Context, t *Task) error
	// OneWay, when not empty, says why there is no way back. Such a task stays
	// done when the others of its change are undone, and the change says so.
	OneWay string
}

// Task is a task as its kind sees it.
type Task struct {
	wire.Task
	Change string // id of the change

	env Env
}

// Env is what the runner does for a running task. During a look only secrets
// and what was noted before are to be had: log lines are dropped and notes
// refused, since a look changes nothing.
type Env interface {
	Secret(name string) (secret.Secret, error)
	Log(line string)
	Progress(p wire.Progress)
	// Note stores v before it returns; Load reads it back.
	Note(key string, v json.RawMessage) error
	Load(key string) (v json.RawMessage, ok bool)
}

// NewTask joins a task to what runs it. Tests of kinds use enginetest.
func NewTask(t wire.Task, change string, env Env) *Task {
	return &Task{Task: t, Change: change, env: env}
}

// Env is what runs the task, for kinds that run another kind's task.
func (t *Task) Env() Env { return t.env }

// Decode reads the task's arguments into v, a struct of internal/kind.
// Unknown fields are an error.
func (t *Task) Decode(v any) error {
	d := json.NewDecoder(bytes.NewReader(t.Args))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("cannot read the arguments of %s: %w", t.Kind, err)
	}
	return nil
}

// Secret returns a secret that came with the change.
func (t *Task) Secret(name string) (secret.Secret, error) { return t.env.Secret(name) }

// Logf adds a line to the task's log. The line is recorded.
func (t *Task) Logf(format string, args ...any) { t.env.Log(fmt.Sprintf(format, args...)) }

// Progress tells how far the task is. It is not recorded and may be lost.
func (t *Task) Progress(done, total int64, unit, note string) {
	t.env.Progress(wire.Progress{Change: t.Change, Task: t.ID, Done: done, Total: total, Unit: unit, Note: note})
}

// Waits tells how a wait stands, as progress of time.
func (t *Task) Waits(w wire.Waiting) {
	t.env.Progress(wire.Progress{Change: t.Change, Task: t.ID, Unit: "seconds", Note: w.Last, Waiting: &w,
		Done: int64(w.Lasted / time.Second), Total: int64((w.Lasted + w.Left) / time.Second)})
}

// Note records v under key before it returns, so that Undo, or Do after a
// crash, finds it with Load. v is kept as JSON and must not hold secrets.
func (t *Task) Note(key string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("cannot note %s: %w", key, err)
	}
	return t.env.Note(key, data)
}

// Load reads what Note recorded into v, and reports whether there was
// something.
func (t *Task) Load(key string, v any) (bool, error) {
	data, ok := t.env.Load(key)
	if !ok {
		return false, nil
	}
	if err := json.Unmarshal(data, v); err != nil {
		return false, fmt.Errorf("cannot read the note %s: %w", key, err)
	}
	return true, nil
}

// Retry is what Do returns when it should be called again after a pause, such
// as when something it waits for is not there yet. Deadline bounds the whole
// wait; the engine turns it into an error when it has passed.
type Retry struct {
	After    time.Duration
	Deadline time.Time
	// Waiting says what for: predicate and the value last seen.
	Waiting string
}

func (r *Retry) Error() string { return "waiting for " + r.Waiting }
