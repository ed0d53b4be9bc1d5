package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"icm/internal/hint"
	"icm/internal/wire"
)

// world is what the tasks of tests change. It outlives the engine, as a
// machine's disks outlive an agent that was killed.
type world struct {
	mu     sync.Mutex
	things map[string]string
	calls  []string
}

// script is how a task of the mini language behaves: see program.
type script struct {
	Do   string `json:"do,omitempty"`
	Undo string `json:"undo,omitempty"`
}

func newWorld() *world { return &world{things: map[string]string{}} }

func (w *world) call(what string, t *Task) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, what+t.ID)
}

// set changes a thing in two halves with a record of the journal between
// them, so that a crash can fall into the middle.
func (w *world) set(t *Task, to string) {
	w.put(t.ID, "half")
	t.Logf("half way to %s", to)
	w.put(t.ID, to)
}

func (w *world) put(id, to string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.things[id] = to
}

func (w *world) do(ctx context.Context, t *Task) error {
	w.call("do", t)
	var s script
	if err := errors.Join(t.Decode(&s), t.Note("was here", t.ID)); err != nil {
		return err
	}
	w.set(t, "made")
	switch s.Do {
	case "error":
		return &hint.Error{Err: errors.New("no luck"), Hint: "try again"}
	case "panic":
		panic("oops")
	case "wait":
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
}

func (w *world) undo(_ context.Context, t *Task) error {
	w.call("undo", t)
	var s script
	var note string
	if ok, err := t.Load("was here", &note); err != nil || !ok || note != t.ID {
		return fmt.Errorf("the note is %q, %v, %w", note, ok, err)
	}
	w.set(t, "gone")
	if err := t.Decode(&s); err != nil {
		return err
	}
	switch s.Undo {
	case "error":
		return errors.New("cannot take it back")
	case "panic":
		panic("oops")
	}
	return nil
}

func (w *world) kinds() map[string]Kind {
	look := func(context.Context, *Task) (wire.Look, error) { return wire.Look{Satisfied: true}, nil }
	return map[string]Kind{
		"both":    {Look: look, Do: w.do, Undo: w.undo},
		"no-undo": {Look: look, Do: w.do},
		"one-way": {Look: look, Do: w.do, OneWay: "data is deleted"},
	}
}

// program makes a change of a sentence such as
//
//	1 2:do-error 3:undo-error 4:no-undo 5:one-way; hold
//
// Tasks are numbered; after a colon stand what is special about them, joined
// by commas. "; hold" makes a failing task leave everything as it is.
func program(t testing.TB, text string) wire.Change {
	t.Helper()
	tasks, hold := strings.CutSuffix(text, "; hold")
	c := wire.Change{ID: "c", Operation: "o", Plan: "p", Summary: text, OnError: wire.Undo}
	if hold {
		c.OnError = wire.Hold
	}
	for word := range strings.FieldsSeq(tasks) {
		id, special, _ := strings.Cut(word, ":")
		var s script
		task := wire.Task{ID: id, Kind: "both", Summary: "Task " + id}
		for item := range strings.SplitSeq(special, ",") {
			switch half, what, _ := strings.Cut(item, "-"); {
			case item == "no-undo" || item == "one-way":
				task.Kind = item
			case half == "do":
				s.Do = what
			case half == "undo":
				s.Undo = what
			}
		}
		var err error
		if task.Args, err = json.Marshal(s); err != nil {
			t.Fatal(err)
		}
		c.Tasks = append(c.Tasks, task)
	}
	return c
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

var ourFence = wire.Fence{Deployment: "ICM-1", Number: 1}

func request(c wire.Change) wire.SubmitRequest { return wire.SubmitRequest{Fence: ourFence, Change: c} }

// session is an engine that runs.
type session struct {
	*Engine
	t    testing.TB
	stop context.CancelFunc
	ran  chan error
}

func start(t testing.TB, dir string, w *world, opt Options) *session {
	t.Helper()
	e, err := OpenWith(dir, w.kinds(), quiet(), opt)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &session{Engine: e, t: t, stop: stop, ran: make(chan error, 1)}
	go func() { s.ran <- e.Run(ctx) }()
	return s
}

// end stops the engine, returns what Run said, and gives the directory free.
func (s *session) end() error {
	s.t.Helper()
	s.stop()
	err := <-s.ran
	if errClose := s.Close(); errClose != nil {
		s.t.Fatal(errClose)
	}
	return err
}

// finish follows the change to its end and returns where it stands.
func (s *session) finish(id string) wire.ChangeState {
	s.t.Helper()
	if _, err := s.Events(s.t.Context(), 0, id, true, func(wire.Item) error { return nil }); err != nil {
		s.t.Fatal(err)
	}
	return s.status(id)
}

func (s *session) status(id string) wire.ChangeState {
	s.t.Helper()
	all, err := s.Changes(s.t.Context(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	return all[0]
}

func (s *session) mustSubmit(c wire.Change) {
	s.t.Helper()
	if _, err := s.Submit(s.t.Context(), request(c)); err != nil {
		s.t.Fatal(err)
	}
}

// standing is a change in one line: "1=done 2=error; error: why".
func standing(c wire.ChangeState) string {
	var words []string
	for _, t := range c.Tasks {
		words = append(words, t.ID+"="+string(t.Status))
	}
	out := strings.Join(words, " ") + "; " + string(c.Status)
	if c.Error != "" {
		out += ": " + c.Error
	}
	return out
}
