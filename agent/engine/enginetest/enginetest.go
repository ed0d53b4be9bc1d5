// Package enginetest lets tests of task kinds run a kind's look, do and undo
// without an engine: secrets, log and notes are kept in memory.
package enginetest

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"

	"icm/agent/engine"
	"icm/internal/secret"
	"icm/internal/wire"
)

// Env is an engine.Env that keeps everything in memory. One Env shared by
// several tasks of the same ID is what a rerun after a crash sees: its notes
// are still there.
type Env struct {
	mu       sync.Mutex
	secrets  map[string]string
	notes    map[string]json.RawMessage
	lines    []string
	progress []wire.Progress
}

// NewEnv makes an empty environment with these secrets, which may be nil.
func NewEnv(secrets map[string]string) *Env {
	return &Env{secrets: secrets, notes: map[string]json.RawMessage{}}
}

// NewTask makes a task in an environment of its own, without secrets.
func NewTask(t testing.TB, kind string, args any) *engine.Task {
	t.Helper()
	return NewEnv(nil).Task(t, kind, args)
}

// Task makes a task with id "1" in change "test". Its arguments have been
// through JSON, as those of a real one. To set Bind, assign to it.
func (e *Env) Task(t testing.TB, kind string, args any) *engine.Task {
	t.Helper()
	data, err := json.Marshal(args)
	if err != nil {
		t.Fatalf("cannot encode the arguments of %s: %v", kind, err)
	}
	return engine.NewTask(wire.Task{ID: "1", Kind: kind, Summary: kind, Args: data}, "test", e)
}

// Secret implements engine.Env.
func (e *Env) Secret(name string) (secret.Secret, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	v, ok := e.secrets[name]
	if !ok {
		return secret.Secret{}, fmt.Errorf("there is no secret %q", name)
	}
	return secret.New(v), nil
}

// Log implements engine.Env.
func (e *Env) Log(line string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.lines = append(e.lines, line)
}

// Lines returns what was logged so far.
func (e *Env) Lines() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.lines)
}

// Progress implements engine.Env.
func (e *Env) Progress(p wire.Progress) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.progress = append(e.progress, p)
}

// ProgressSeen returns all progress told so far.
func (e *Env) ProgressSeen() []wire.Progress {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.progress)
}

// Note implements engine.Env.
func (e *Env) Note(key string, v json.RawMessage) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.notes[key] = slices.Clone(v)
	return nil
}

// Load implements engine.Env.
func (e *Env) Load(key string) (json.RawMessage, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	v, ok := e.notes[key]
	return v, ok
}
