package engine

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"icm/internal/wire"
)

func wantCode(t *testing.T, what string, err error, code wire.Code) {
	t.Helper()
	var e *wire.Error
	if !errors.As(err, &e) || e.Code != code {
		t.Errorf("%s: got %v, want an error with code %s", what, err, code)
	}
}

// untilDoing waits until a task runs.
func (s *session) untilDoing(id string) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	defer cancel()
	_, err := s.Events(ctx, 0, "c", true, func(i wire.Item) error {
		if i.Event != nil && i.Event.Task == id && strings.HasPrefix(i.Event.Line, "half way") {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		s.t.Fatal(err)
	}
}

func TestOneChangeAtATimeAndTheSameTwiceIsOnce(t *testing.T) {
	s := start(t, t.TempDir(), newWorld(), Options{})
	c := program(t, "1:do-wait")
	s.mustSubmit(c)
	s.untilDoing("1")

	again, err := s.Submit(t.Context(), request(c))
	if err != nil || !again.Known || again.Status != wire.StatusDoing {
		t.Errorf("the same change again: %+v, %v", again, err)
	}
	other := program(t, "1 2")
	_, err = s.Submit(t.Context(), request(other))
	wantCode(t, "other content under the same id", err, wire.CodeBadCall)
	other.ID = "d"
	_, err = s.Submit(t.Context(), request(other))
	wantCode(t, "another change", err, wire.CodeBusy)
	_, err = s.Look(t.Context(), other.Tasks)
	wantCode(t, "a look while a change runs", err, wire.CodeBusy)
	wantCode(t, "a release while a change runs", s.Release(t.Context(), ourFence), wire.CodeBusy)

	if _, err := s.Abort(t.Context(), wire.AbortRequest{Fence: ourFence, Change: "c"}); err != nil {
		t.Fatal(err)
	}
	if got := standing(s.finish("c")); got != "1=undone; undone: aborted" {
		t.Errorf("aborted it stands as %s", got)
	}
	again, err = s.Submit(t.Context(), request(c))
	if err != nil || !again.Known || again.Status != wire.StatusUndone {
		t.Errorf("the same change after its end: %+v, %v", again, err)
	}
	s.mustSubmit(other)
	if got := standing(s.finish("d")); got != "1=done 2=done; done" {
		t.Errorf("the next change stands as %s", got)
	}
	if err := s.end(); err != nil {
		t.Fatal(err)
	}
}

func TestATaskIsRunAgainAfterTheAgentWasStopped(t *testing.T) {
	dir, w := t.TempDir(), newWorld()
	s := start(t, dir, w, Options{})
	s.mustSubmit(program(t, "1 2:do-wait"))
	s.untilDoing("2")
	if err := s.end(); err != nil {
		t.Fatal(err)
	}
	s = start(t, dir, w, Options{})
	if got := s.status("c"); got.Status != wire.StatusDoing || got.Tasks[1].Status != wire.StatusDoing {
		t.Fatalf("after the stop it stands as %s", standing(got))
	}
	if _, err := s.Abort(t.Context(), wire.AbortRequest{Fence: ourFence, Change: "c"}); err != nil {
		t.Fatal(err)
	}
	if got := standing(s.finish("c")); got != "1=undone 2=undone; undone: aborted" {
		t.Errorf("it ends as %s", got)
	}
	if err := s.end(); err != nil {
		t.Fatal(err)
	}
}

// A held change is not stuck (snapd 17320), and what could not be undone can
// be tried again and blocks nobody (snapd 17667).
func TestAnEndedChangeCanBeAborted(t *testing.T) {
	for text, want := range map[string]string{
		"1 2:do-error 3; hold":      "1=undone 2=undone 3=hold; undone: aborted after task 2 (Task 2): no luck",
		"1 2":                       "1=undone 2=undone; undone: aborted",
		"1:undo-error 2:do-error 3": "1=error 2=undone 3=hold; error: aborted after task 2 (Task 2): no luck; not undone: task 1 (Task 1): cannot take it back",
	} {
		w := newWorld()
		s := start(t, t.TempDir(), w, Options{})
		s.mustSubmit(program(t, text))
		s.finish("c")
		if _, err := s.Abort(t.Context(), wire.AbortRequest{Fence: ourFence, Change: "c"}); err != nil {
			t.Fatal(err)
		}
		if got := standing(s.finish("c")); got != want {
			t.Errorf("%q aborted stands as\n%s, want\n%s", text, got, want)
		}
		next := program(t, "1")
		next.ID = "next"
		s.mustSubmit(next)
		if got := s.finish("next").Status; got != wire.StatusDone {
			t.Errorf("after %q the next change is %s", text, got)
		}
		if _, err := s.Abort(t.Context(), wire.AbortRequest{Fence: ourFence, Change: "c"}); s.status("c").Status == wire.StatusError {
			wantCode(t, "undoing "+text+" under a newer change", err, wire.CodeBadCall)
		}
		if err := s.end(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAControllerThatLostItsLockIsRefused(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir, newWorld(), Options{})
	submit := func(id string, f wire.Fence) error {
		c := program(t, "1")
		c.ID = id
		_, err := s.Submit(t.Context(), wire.SubmitRequest{Fence: f, Change: c})
		if err == nil {
			s.finish(id)
		}
		return err
	}
	if err := submit("a", wire.Fence{Deployment: "ICM-1", Number: 5}); err != nil {
		t.Fatal(err)
	}
	if err := s.end(); err != nil {
		t.Fatal(err)
	}
	s = start(t, dir, newWorld(), Options{})
	wantCode(t, "a lower number", submit("b", wire.Fence{Deployment: "ICM-1", Number: 4}), wire.CodeFenced)
	wantCode(t, "another deployment", submit("b", wire.Fence{Deployment: "ICM-2", Number: 9}), wire.CodeForeign)
	wantCode(t, "no deployment", submit("b", wire.Fence{}), wire.CodeBadCall)
	if err := submit("b", wire.Fence{Deployment: "ICM-1", Number: 6}); err != nil {
		t.Errorf("a higher number: %v", err)
	}
	wantCode(t, "a release by the loser", s.Release(t.Context(), wire.Fence{Deployment: "ICM-1", Number: 5}), wire.CodeFenced)
	if err := s.Release(t.Context(), wire.Fence{Deployment: "ICM-1", Number: 6}); err != nil {
		t.Fatal(err)
	}
	if err := submit("d", wire.Fence{Deployment: "ICM-2", Number: 1}); err != nil {
		t.Errorf("another deployment after the release: %v", err)
	}
	if err := s.end(); err != nil {
		t.Fatal(err)
	}
}

func TestSecretsAreRootsOnlyAndGoneWithTheChange(t *testing.T) {
	dir := t.TempDir()
	const canary = "canary-7f3a"
	w := newWorld()
	kinds := w.kinds()
	kinds["leak"] = Kind{Look: kinds["both"].Look, Do: func(_ context.Context, task *Task) error {
		s, err := task.Secret("key")
		if err != nil || s.Reveal() != canary {
			t.Errorf("the secret is %v, %v", s.Reveal(), err)
		}
		info, err := os.Stat(filepath.Join(dir, "secrets", "c", "secrets.json"))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("its file is %v, %v", info, err)
		}
		if task.Note("n", s.Reveal()) == nil {
			t.Error("a note with a secret in it was taken")
		}
		task.Logf("program said: %s", s.Reveal())
		return errors.New("program ended with " + s.Reveal())
	}}
	e, err := Open(dir, kinds, quiet())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	s := &session{Engine: e, t: t, stop: stop, ran: make(chan error, 1)}
	go func() { s.ran <- e.Run(ctx) }()
	c := program(t, "1")
	c.Tasks[0].Kind = "leak"
	req := request(c)
	req.Secrets = wire.Secrets{"key": []byte(canary)}
	if _, err := s.Submit(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	s.finish("c")
	if err := os.MkdirAll(filepath.Join(dir, "secrets", "orphan"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := s.end(); err != nil {
		t.Fatal(err)
	}
	s = start(t, dir, w, Options{})
	if left, err := os.ReadDir(filepath.Join(dir, "secrets")); err != nil || len(left) > 0 {
		t.Errorf("secrets left: %v, %v", left, err)
	}
	if err := s.end(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(JournalPath(dir))
	if err != nil || strings.Contains(string(data), canary) || !strings.Contains(string(data), "program said: *****") {
		t.Errorf("the journal is %s, %v", data, err)
	}
}

func TestOldChangesAreDroppedFromALongJournal(t *testing.T) {
	dir := t.TempDir()
	opt := Options{CompactSize: 1, Keep: 2}
	s := start(t, dir, newWorld(), opt)
	for _, id := range []string{"a", "b", "c", "d", "e"} {
		c := program(t, "1 2")
		c.ID = id
		s.mustSubmit(c)
		s.finish(id)
	}
	if err := s.end(); err != nil {
		t.Fatal(err)
	}
	s = start(t, dir, newWorld(), opt)
	all, err := s.Changes(t.Context(), "")
	if err != nil || len(all) != 2 || all[0].Change.ID != "d" || all[1].Change.ID != "e" {
		t.Errorf("the changes kept are %+v, %v", all, err)
	}
	var last uint64
	if _, err := s.Events(t.Context(), 0, "", false, func(i wire.Item) error {
		if last != 0 && i.Event.Seq != last+1 {
			t.Errorf("event %d comes after %d", i.Event.Seq, last)
		}
		last = i.Event.Seq
		return nil
	}); err != nil {
		t.Error(err)
	}
	if err := s.end(); err != nil {
		t.Fatal(err)
	}
}

func TestTwoAgentsCannotUseOneDirectory(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir, newWorld(), Options{})
	if _, err := Open(dir, nil, quiet()); err == nil || !strings.Contains(err.Error(), "another agent is using it") {
		t.Errorf("the second agent got %v", err)
	}
	if err := s.end(); err != nil {
		t.Fatal(err)
	}
}
