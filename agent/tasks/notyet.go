package tasks

import (
	"context"
	"fmt"

	"icm/agent/engine"
	"icm/internal/wire"
)

// notYet is a kind that is agreed upon and not built: it is refused in words
// before anything is changed.
func notYet(d Deps) engine.Kind {
	return engine.Kind{Look: d.lookNotYet, Do: d.doNotYet, Undo: d.undoNotYet}
}

func (d Deps) lookNotYet(_ context.Context, t *engine.Task) (wire.Look, error) {
	return wire.Look{Refused: "this agent cannot do " + t.Kind + " yet"}, nil
}

// doNotYet refuses.
//
// Rerun: refuses again.
// Undo: nothing was done.
func (d Deps) doNotYet(_ context.Context, t *engine.Task) error {
	return fmt.Errorf("cannot do %s: this agent does not know how yet", t.Kind)
}

func (d Deps) undoNotYet(context.Context, *engine.Task) error { return nil }

func oneWay(k engine.Kind) engine.Kind {
	k.Undo = nil
	return k
}
