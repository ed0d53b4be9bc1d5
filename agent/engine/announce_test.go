package engine_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"icm/agent/engine"
	"icm/internal/wire"
)

func plannedEngine(t *testing.T, dir string) *engine.Engine {
	t.Helper()
	kinds := map[string]engine.Kind{"noop": {Do: func(context.Context, *engine.Task) error { return nil }}}
	e, err := engine.OpenWith(dir, kinds, slog.New(slog.DiscardHandler), engine.Options{Planned: true})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func announcedChange() wire.Change {
	return wire.Change{
		ID: "op-1-node", Operation: "op", Plan: "digest", OnError: wire.Undo,
		Tasks: []wire.Task{{ID: "1", Kind: "noop", Args: []byte(`{"a":1}`)}},
	}
}

func announce(t *testing.T, e *engine.Engine, operation string, changes ...wire.Change) {
	t.Helper()
	req := wire.AnnounceRequest{Fence: wire.Fence{Deployment: "d", Number: 1}, Operation: operation, Plan: "digest"}
	for _, c := range changes {
		digest, err := wire.ChangeDigest(c)
		if err != nil {
			t.Fatal(err)
		}
		req.Changes = append(req.Changes, digest)
	}
	if _, err := e.Announce(t.Context(), req); err != nil {
		t.Fatal(err)
	}
}

func submitted(t *testing.T, e *engine.Engine, c wire.Change) error {
	t.Helper()
	_, err := e.Submit(t.Context(), wire.SubmitRequest{Fence: wire.Fence{Deployment: "d", Number: 1}, Change: c})
	return err
}

func TestAChangeThatNoPlanAnnouncedIsRefused(t *testing.T) {
	altered := announcedChange()
	altered.Tasks = []wire.Task{{ID: "1", Kind: "noop", Args: []byte(`{"a":2}`)}}
	other := announcedChange()
	other.Operation = "other"

	for name, c := range map[string]wire.Change{"altered": altered, "of another operation": other} {
		e := plannedEngine(t, t.TempDir())
		announce(t, e, "op", announcedChange())
		var refused *wire.Error
		if err := submitted(t, e, c); !errors.As(err, &refused) || refused.Code != wire.CodeUnplanned {
			t.Errorf("a change that is %s: %v", name, err)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestAnAnnouncedChangeIsTakenAlsoAfterARestart(t *testing.T) {
	dir := t.TempDir()
	e := plannedEngine(t, dir)
	announce(t, e, "op", announcedChange())
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	e = plannedEngine(t, dir)
	defer e.Close()
	if err := submitted(t, e, announcedChange()); err != nil {
		t.Errorf("the announced change: %v", err)
	}
}
