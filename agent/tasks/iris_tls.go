package tasks

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"icm/agent/engine"
	"icm/agent/iris"
	"icm/internal/kind"
	"icm/internal/wire"
)

func irisTLS(d Deps) engine.Kind {
	return engine.Kind{Look: d.lookSuperServer, Do: d.doSuperServer, Undo: d.undoSuperServer}
}

// tlsMark says which directory the superserver's TLS configuration was made
// from.
const tlsMark = "TLS files of the superserver in "

func decodeSuperServer(t *engine.Task) (kind.SuperServer, error) {
	var a kind.SuperServer
	if err := t.Decode(&a); err != nil {
		return a, err
	}
	if !filepath.IsAbs(a.Dir) || filepath.Clean(a.Dir) != a.Dir {
		return a, fmt.Errorf("cannot take TLS files from %q: it must be a whole path", a.Dir)
	}
	return a, nil
}

// takesTLS reports whether a state of the superserver lets TLS in.
func takesTLS(state string) bool { return slices.Contains([]string{"1", "2"}, state) }

func (d Deps) lookSuperServer(ctx context.Context, t *engine.Task) (wire.Look, error) {
	a, err := decodeSuperServer(t)
	if err != nil {
		return wire.Look{}, err
	}
	diff := []wire.Diff{{What: "superserver of " + a.Instance.Name, Before: "not running", After: "takes TLS, with the files in " + a.Dir}}
	in, err := d.find(ctx, a.Instance.Name)
	if err != nil || !in.there || !iris.Running(in.Instance) {
		return wire.Look{Diffs: diff}, err
	}
	state, err := d.IRIS.SuperServerTLS(ctx, in.Instance)
	if err != nil {
		diff[0].Before = "not known: " + err.Error()
		return wire.Look{Diffs: diff}, nil
	}
	from, err := d.IRIS.Marking(in.Name, tlsMark)
	if err != nil {
		return wire.Look{}, err
	}
	diff[0].Before = "without TLS"
	if takesTLS(state) {
		diff[0].Before = "takes TLS, with other files"
	}
	if takesTLS(state) && from == a.Dir {
		diff = nil
	}
	return satisfiedBy(diff), nil
}

// doSuperServer lets the superserver take connections over TLS too. One that
// takes no others already goes on so.
//
// Rerun: sets the same again.
// Undo: the superserver takes connections as before; its TLS configuration
// stays, and does no harm.
func (d Deps) doSuperServer(ctx context.Context, t *engine.Task) error {
	a, err := decodeSuperServer(t)
	if err != nil {
		return err
	}
	in, err := d.served(ctx, t, a.Instance, "let the superserver take TLS")
	if err != nil {
		return err
	}
	state, err := d.IRIS.SuperServerTLS(ctx, in)
	if err != nil {
		return err
	}
	if err := once(t, "begun", func() error { return t.Note("state", state) }); err != nil {
		return err
	}
	if err := d.IRIS.ServeTLS(ctx, in, a.Dir); err != nil {
		return err
	}
	if !takesTLS(state) {
		if err := d.IRIS.SetSuperServer(ctx, in, iris.SuperServerBoth); err != nil {
			return err
		}
	}
	return d.IRIS.Mark(in.Name, tlsMark+a.Dir, tlsMark)
}

func (d Deps) undoSuperServer(ctx context.Context, t *engine.Task) error {
	a, err := decodeSuperServer(t)
	if err != nil {
		return err
	}
	var state string
	if known, err := t.Load("state", &state); err != nil || !known || takesTLS(state) {
		return err
	}
	in, err := d.find(ctx, a.Instance.Name)
	if err != nil || !in.there || !iris.Running(in.Instance) {
		return err
	}
	return d.IRIS.SetSuperServer(ctx, in.Instance, iris.SuperServerPlain)
}
