package engine

import (
	"context"
	"errors"
	"testing"

	"icm/internal/wire"
)

func TestAContextForIdleTimeEndsWhenAChangeBegins(t *testing.T) {
	w := newWorld()
	e, err := Open(t.TempDir(), w.kinds(), quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	ctx, stop, idle := e.WhileIdle(t.Context())
	defer stop()
	if !idle || ctx.Err() != nil {
		t.Fatalf("an engine that does nothing is idle: %v, %v", idle, ctx.Err())
	}
	if _, err := e.Submit(t.Context(), request(wire.Change{ID: "c1", OnError: wire.Undo, Tasks: []wire.Task{{ID: "1", Kind: "both", Args: []byte("{}")}}})); err != nil {
		t.Fatal(err)
	}
	<-ctx.Done()
	if !errors.Is(context.Cause(ctx), errBegun) {
		t.Errorf("it ended because of %v", context.Cause(ctx))
	}
	late, stopLate, idle := e.WhileIdle(t.Context())
	defer stopLate()
	if idle || late.Err() == nil {
		t.Error("an engine with a change that has not ended is idle")
	}
}
