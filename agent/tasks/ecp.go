package tasks

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"icm/agent/engine"
	"icm/agent/iris"
	"icm/internal/hint"
	"icm/internal/kind"
	"icm/internal/wire"
)

func ecpServe(d Deps) engine.Kind {
	return engine.Kind{Look: d.lookServe, Do: d.doServe, Undo: d.undoServe}
}

func (d Deps) lookServe(ctx context.Context, t *engine.Task) (wire.Look, error) {
	var a kind.ECPServer
	if err := t.Decode(&a); err != nil {
		return wire.Look{}, err
	}
	in, err := d.find(ctx, a.Instance.Name)
	if err != nil {
		return wire.Look{}, err
	}
	service := wire.Diff{What: "%Service_ECP", Before: "not running", After: "enabled"}
	if !in.there || !iris.Running(in.Instance) {
		return wire.Look{Diffs: []wire.Diff{service}}, nil
	}
	var diffs []wire.Diff
	on, err := d.IRIS.ECPServed(ctx, in.Instance)
	switch {
	case err != nil:
		service.Before = "not known: " + err.Error()
		diffs = append(diffs, service)
	case !on:
		service.Before = "disabled"
		diffs = append(diffs, service)
	}
	room, err := roomForClients(in.Instance)
	if err != nil {
		return wire.Look{}, err
	}
	if room < a.Clients {
		diffs = append(diffs, wire.Diff{What: "[config] MaxServerConn", Before: strconv.Itoa(room), After: strconv.Itoa(a.Clients)})
	}
	return satisfiedBy(diffs), nil
}

// roomForClients is how many application servers the instance allows.
func roomForClients(in wire.Instance) (int, error) {
	f, err := iris.ReadCPF(in)
	if err != nil {
		return 0, err
	}
	v, ok := f.Get("config", "MaxServerConn")
	if !ok {
		return 1, nil // IRIS's own default
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		return 0, fmt.Errorf("cannot read [config] MaxServerConn of %s: %q is no number", in.Name, v)
	}
	return n, nil
}

// doServe lets application servers in.
//
// Rerun: sets the same again.
// Undo: shuts the service if it was shut, and gives back the room there was.
func (d Deps) doServe(ctx context.Context, t *engine.Task) error {
	var a kind.ECPServer
	if err := t.Decode(&a); err != nil {
		return err
	}
	in, err := d.serving(ctx, t, a.Instance)
	if err != nil {
		return err
	}
	on, err := d.IRIS.ECPServed(ctx, in)
	if err != nil {
		return err
	}
	if !on {
		if err := t.Note("enabled", true); err != nil {
			return err
		}
		if err := d.IRIS.ServeECP(ctx, in, true); err != nil {
			return err
		}
	}
	room, err := roomForClients(in)
	if err != nil || room >= a.Clients {
		return err
	}
	if err := once(t, "raised", func() error { return t.Note("room", room) }); err != nil {
		return err
	}
	t.Logf("%s has room for %d application servers, %d from its next start on", in.Name, room, a.Clients)
	return d.IRIS.AllowClients(ctx, in, a.Clients)
}

func (d Deps) undoServe(ctx context.Context, t *engine.Task) error {
	var a kind.ECPServer
	var enabled bool
	var room int
	if err := t.Decode(&a); err != nil {
		return err
	}
	_, errEnabled := t.Load("enabled", &enabled)
	raised, errRoom := t.Load("room", &room)
	if err := errors.Join(errEnabled, errRoom); err != nil || !enabled && !raised {
		return err
	}
	in, err := d.find(ctx, a.Instance.Name)
	if err != nil || !in.there || !iris.Running(in.Instance) {
		return err
	}
	if raised {
		if err := d.IRIS.AllowClients(ctx, in.Instance, room); err != nil {
			return err
		}
	}
	if !enabled {
		return nil
	}
	return d.IRIS.ServeECP(ctx, in.Instance, false)
}

func ecpConnect(d Deps) engine.Kind {
	return engine.Kind{Look: d.lookConnect, Do: d.doConnect, Undo: d.undoConnect}
}

func (d Deps) lookConnect(ctx context.Context, t *engine.Task) (wire.Look, error) {
	var a kind.ECPClient
	if err := t.Decode(&a); err != nil {
		return wire.Look{}, err
	}
	in, err := d.find(ctx, a.Instance.Name)
	if err != nil {
		return wire.Look{}, err
	}
	if !in.there {
		return notInstalled("namespace "+a.Namespace, "on "+a.Server), nil
	}
	return satisfiedBy(iris.MissingRemote(in.Instance, a)), nil
}

// doConnect makes an application server of the instance and reads through it.
//
// Rerun: corrects what is there.
// Undo: takes the namespace off the data server, if this task put it there.
func (d Deps) doConnect(ctx context.Context, t *engine.Task) error {
	var a kind.ECPClient
	if err := t.Decode(&a); err != nil {
		return err
	}
	in, err := d.serving(ctx, t, a.Instance)
	if err != nil {
		return err
	}
	if len(iris.MissingRemote(in, a)) > 0 {
		if err := t.Note("connected", true); err != nil {
			return err
		}
		if err := d.IRIS.ConnectRemote(ctx, in, a); err != nil {
			return err
		}
	}
	if missing := iris.MissingRemote(in, a); len(missing) > 0 {
		return fmt.Errorf("cannot connect to %s: the instance says it did, but %s", a.Server, plural(missing))
	}
	if err := d.IRIS.ReadRemote(ctx, in, a.Namespace); err != nil {
		return &hint.Error{
			Err:  err,
			Hint: fmt.Sprintf("check that %s:%d can be reached from this node, and that %s has room for this application server", a.Address, a.Port, a.Server),
		}
	}
	return nil
}

func (d Deps) undoConnect(ctx context.Context, t *engine.Task) error {
	var a kind.ECPClient
	var connected bool
	if err := t.Decode(&a); err != nil {
		return err
	}
	if _, err := t.Load("connected", &connected); err != nil || !connected {
		return err
	}
	in, err := d.find(ctx, a.Instance.Name)
	if err != nil || !in.there || !iris.Running(in.Instance) {
		return err
	}
	return d.IRIS.DisconnectRemote(ctx, in.Instance, a)
}
