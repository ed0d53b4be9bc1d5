package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"icm/internal/secret"
	"icm/internal/wire"
)

// Look asks each task what it would do. Looks run beside each other and beside
// every other call, but not while a change has not ended: what they would see
// is about to move. A change that begins during a look is safe, since tasks
// check their Bind again before they write.
func (e *Engine) Look(ctx context.Context, tasks []wire.Task) ([]wire.Look, error) {
	e.mu.Lock()
	c := e.state.open()
	e.mu.Unlock()
	if c != nil {
		return nil, busy(c)
	}
	looks := make([]wire.Look, 0, len(tasks))
	for _, t := range tasks {
		if e.kinds[t.Kind].Look == nil {
			return nil, refuse(wire.CodeBadCall, "", "task %s: this agent knows no %q", t.ID, t.Kind)
		}
		look, err := guardLook(ctx, e.kinds[t.Kind].Look, NewTask(t, "", lookEnv{}))
		if err != nil {
			return nil, fmt.Errorf("cannot look at task %s (%s): %w", t.ID, t.Summary, err)
		}
		looks = append(looks, look)
	}
	return looks, nil
}

func guardLook(ctx context.Context, look func(context.Context, *Task) (wire.Look, error), t *Task) (l wire.Look, err error) {
	if err := ctx.Err(); err != nil {
		return l, err
	}
	err = guard(func() error {
		l, err = look(ctx, t)
		return err
	})
	return l, err
}

// lookEnv is the environment of a look: silent, and without secrets, since
// those come with a change.
type lookEnv struct{}

func (lookEnv) Secret(string) (secret.Secret, error) {
	return secret.Secret{}, errors.New("a look has no secrets")
}
func (lookEnv) Log(string)                         {}
func (lookEnv) Progress(wire.Progress)             {}
func (lookEnv) Note(string, json.RawMessage) error { return errors.New("a look notes nothing") }
func (lookEnv) Load(string) (json.RawMessage, bool) {
	return nil, false
}
