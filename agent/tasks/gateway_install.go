package tasks

import (
	"context"
	"fmt"

	"icm/agent/engine"
	"icm/agent/iris"
	"icm/agent/webgateway"
	"icm/internal/hint"
	"icm/internal/kind"
	"icm/internal/wire"
)

func gatewayInstall(d Deps) engine.Kind {
	return engine.Kind{Look: d.lookGatewayInstall, Do: d.doGatewayInstall, Undo: d.undoGatewayInstall}
}

func (d Deps) lookGatewayInstall(ctx context.Context, t *engine.Task) (wire.Look, error) {
	a, dir, err := decodeGateway(t)
	if err != nil {
		return wire.Look{}, err
	}
	web, err := d.apache()
	if err != nil {
		return wire.Look{Refused: err.Error(), Hint: hint.Of(err)}, nil
	}
	rec, there, err := d.gatewayIs(dir)
	if err != nil {
		return wire.Look{Refused: err.Error(), Hint: hint.Of(err)}, nil
	}
	var diffs []wire.Diff
	if !there || rec.Version != a.Version {
		diffs = append(diffs, wire.Diff{What: "Web Gateway in " + dir, Before: gatewayVersion(rec, there), After: a.Version})
	}
	st, err := d.Units.Status(ctx, web.Unit)
	if err != nil {
		return wire.Look{}, err
	}
	if st.File != "enabled" || st.Active != "active" {
		diffs = append(diffs, wire.Diff{What: web.Unit, Before: st.File + ", " + st.Active, After: "enabled, active"})
	}
	return satisfiedBy(diffs), nil
}

func decodeGateway(t *engine.Task) (a kind.Gateway, dir string, err error) {
	if err := t.Decode(&a); err != nil {
		return a, "", err
	}
	dir, err = gatewayDir(a.Dir)
	return a, dir, err
}

func gatewayVersion(rec webgateway.Record, there bool) string {
	switch {
	case !there:
		return "not there"
	case rec.Version == "":
		return "another"
	}
	return rec.Version
}

// doGatewayInstall runs the installer of a Web Gateway kit, which also tells
// Apache about it, and makes Apache run, now and after every boot.
//
// Rerun: installs over what is there; the installer allows it.
// Undo: uninstalls it and leaves Apache as it was, if there was no gateway
// before.
func (d Deps) doGatewayInstall(ctx context.Context, t *engine.Task) error {
	a, dir, err := decodeGateway(t)
	if err != nil {
		return err
	}
	web, err := d.apache()
	if err != nil {
		return err
	}
	rec, there, err := d.gatewayIs(dir)
	if err != nil {
		return err
	}
	st, err := d.Units.Status(ctx, web.Unit)
	if err != nil {
		return err
	}
	if err := d.beginGateway(t, rec, st.File == "enabled", st.Active == "active"); err != nil {
		return err
	}
	if rec, _, err = d.gatewayIs(dir); err != nil {
		return err
	}
	fresh := !there || rec.Version != a.Version
	if fresh {
		if err := d.runGatewayInstaller(ctx, t, a, rec, web); err != nil {
			return err
		}
	}
	if err := d.Units.Enable(ctx, web.Unit); err != nil {
		return err
	}
	if fresh && st.Active == "active" {
		return explainApache(d.Units.Restart(ctx, web.Unit), web)
	}
	return explainApache(d.Units.Start(ctx, web.Unit), web)
}

// beginGateway notes for the undo, and remembers for gateway.remove, what was
// there before.
func (d Deps) beginGateway(t *engine.Task, rec webgateway.Record, enabled, active bool) error {
	return once(t, "begun", func() error {
		_, known, err := webgateway.ReadRecord(d.Home)
		if err != nil || known {
			return err
		}
		if err := t.Note("first", rec.Brought); err != nil {
			return err
		}
		rec.Enabled, rec.Active = enabled, active
		return rec.Write(d.Home)
	})
}

func (d Deps) runGatewayInstaller(ctx context.Context, t *engine.Task, a kind.Gateway, rec webgateway.Record, web webgateway.Apache) error {
	kitDir, err := d.kitDir(a.Kit)
	if err != nil {
		return err
	}
	if err := d.IRIS.InstallGateway(ctx, iris.GatewayCommand(a, kitDir, rec.Dir, web), logLine(t)); err != nil {
		return err
	}
	if d.gatewayModule(rec.Dir) == "" {
		return fmt.Errorf("cannot install the Web Gateway: the installer says it succeeded, but there is no module in %s/bin", rec.Dir)
	}
	rec.Version = a.Version
	return rec.Write(d.Home)
}

// explainApache says where to look when Apache does not start.
func explainApache(err error, web webgateway.Apache) error {
	if err == nil {
		return nil
	}
	return hint.New(fmt.Errorf("cannot run the Web Gateway: Apache says: %w", err), "see `systemctl status "+web.Unit+"` and `journalctl -u "+web.Unit+"` on the node")
}

func (d Deps) undoGatewayInstall(ctx context.Context, t *engine.Task) error {
	var wasFirst bool
	if _, err := t.Load("first", &wasFirst); err != nil || !wasFirst {
		return err // one was there, and stays
	}
	return d.removeGateway(ctx, t)
}
