package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"icm/internal/secret"
	"icm/internal/wire"
)

// What a task's log may grow to. Kinds log what an operator wants to read, not
// everything a program prints.
const (
	maxLine  = 4 << 10 // bytes
	maxLines = 2000    // of one task
	// maxError bounds an error and a hint, in bytes: a change's error is made of
	// its tasks', and all of it must fit into a frame.
	maxError = 16 << 10
)

// progressEvery is the shortest time between two progress messages of a task.
const progressEvery = 200 * time.Millisecond

// runEnv is the environment of a running task.
type runEnv struct {
	e       *Engine
	c       *change
	t       *task
	secrets map[string]secret.Secret
	stars   *strings.Replacer
	over    atomic.Bool  // the task has returned
	told    atomic.Int64 // time of the last progress, in Unix nanoseconds
	waited  string       // what the last recorded wait was for; guarded by the engine
}

// Secret implements Env.
func (r *runEnv) Secret(name string) (secret.Secret, error) {
	s, ok := r.secrets[name]
	if !ok {
		return secret.Secret{}, fmt.Errorf("the change came without the secret %q, or has ended since", name)
	}
	return s, nil
}

// Log implements Env.
func (r *runEnv) Log(text string) {
	if r.over.Load() {
		return
	}
	for line := range strings.Lines(r.stars.Replace(text)) {
		r.e.mu.Lock()
		r.lineLocked(clean(line))
		r.e.mu.Unlock()
	}
}

// lineLocked records a line. A journal that cannot be written stops the
// engine, and with it the task; there is nobody else to tell.
func (r *runEnv) lineLocked(line string) {
	switch {
	case line == "" || r.t.lines > maxLines:
		return
	case r.t.lines == maxLines:
		line = fmt.Sprintf("(more than %d lines: the rest is not recorded)", maxLines)
	}
	ev := wire.Event{Change: r.c.ID, Task: r.t.ID, Line: line}
	if err := r.e.recordLocked(record{Event: ev}); err != nil {
		r.e.log.Error("cannot record a line", "change", r.c.ID, "task", r.t.ID, "err", err)
	}
}

func clean(line string) string { return shorten(strings.TrimRight(line, " \t\r\n"), maxLine) }

// shorten cuts a text to so many bytes.
func shorten(text string, most int) string {
	if len(text) > most {
		text = text[:most] + "…"
	}
	return strings.ToValidUTF8(text, "?")
}

// Progress implements Env.
func (r *runEnv) Progress(p wire.Progress) {
	last, t := r.told.Load(), time.Now().UnixNano()
	if p.Done != p.Total && t-last < int64(progressEvery) || !r.told.CompareAndSwap(last, t) {
		return
	}
	p.Note = r.stars.Replace(p.Note)
	if p.Waiting != nil {
		w := *p.Waiting
		w.Last = r.stars.Replace(w.Last)
		p.Waiting = &w
	}
	r.e.tellProgress(p)
}

// Note implements Env.
func (r *runEnv) Note(key string, v json.RawMessage) error {
	for name, s := range r.secrets {
		if len(s.Reveal()) >= minSecret && bytes.Contains(v, []byte(s.Reveal())) {
			return fmt.Errorf("cannot note %s: the secret %q is in it", key, name)
		}
	}
	if r.over.Load() {
		return errors.New("cannot note " + key + ": the task has ended")
	}
	r.e.mu.Lock()
	defer r.e.mu.Unlock()
	ev := wire.Event{Change: r.c.ID, Task: r.t.ID}
	return r.e.recordLocked(record{Event: ev, Note: &note{Key: key, Value: v}})
}

// Load implements Env.
func (r *runEnv) Load(key string) (json.RawMessage, bool) {
	r.e.mu.Lock()
	defer r.e.mu.Unlock()
	v, ok := r.t.notes[key]
	return v, ok
}
