package tasks

import (
	"context"
	"fmt"
	"os"

	"icm/agent/engine"
	"icm/agent/iris"
	"icm/agent/webgateway"
	"icm/internal/wire"
)

func gatewayRemove(d Deps) engine.Kind {
	return engine.Kind{Look: d.lookGatewayRemove, Do: d.doGatewayRemove}
}

func (d Deps) lookGatewayRemove(_ context.Context, _ *engine.Task) (wire.Look, error) {
	rec, known, err := webgateway.ReadRecord(d.Home)
	if err != nil || !known {
		return wire.Look{Satisfied: true}, err // there is none, or it is not ours
	}
	diff := wire.Diff{What: "Web Gateway in " + rec.Dir, Before: first(rec.Version, "another"), After: "removed"}
	if !rec.Brought {
		diff.After = "without the servers that icm gave it"
	}
	return wire.Look{Diffs: []wire.Diff{diff}}, nil
}

// doGatewayRemove uninstalls the Web Gateway that icm brought and leaves Apache
// as it was. One that was there before only loses what icm wrote.
//
// Rerun: removes what is left.
// Undo: none; icm installs it again when it is needed.
func (d Deps) doGatewayRemove(ctx context.Context, t *engine.Task) error {
	return d.removeGateway(ctx, t)
}

func (d Deps) removeGateway(ctx context.Context, t *engine.Task) error {
	rec, known, err := webgateway.ReadRecord(d.Home)
	if err != nil || !known {
		return err
	}
	if web, ok := webgateway.FindApache(d.Root); ok {
		if err := d.freeApache(ctx, rec, web); err != nil {
			return err
		}
	}
	if rec.Brought {
		t.Logf("removing %s", rec.Dir)
		if err := iris.RemoveTree(d.path(rec.Dir)); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(d.home("gateway")); err != nil { // an old CSP.ini, with passwords
		return fmt.Errorf("cannot delete %s: %v", d.home("gateway"), err)
	}
	return removeFiles(webgateway.RecordPath(d.Home))
}

// freeApache takes the gateway, or what icm told it, out of Apache, and leaves
// the service as it was before icm came.
func (d Deps) freeApache(ctx context.Context, rec webgateway.Record, web webgateway.Apache) error {
	edit := webgateway.CutSections
	if !rec.Brought {
		edit = func(text string) (string, error) { return webgateway.PutSection(text, "") }
		if err := d.emptyINI(rec, web); err != nil {
			return err
		}
	}
	changed, err := d.editApache(web, edit)
	if err != nil {
		return err
	}
	switch {
	case !rec.Active:
		err = d.Units.Stop(ctx, web.Unit)
	case changed:
		err = explainApache(d.Units.Restart(ctx, web.Unit), web)
	}
	if err != nil || rec.Enabled {
		return err
	}
	return d.Units.Disable(ctx, web.Unit)
}

// emptyINI takes icm's servers and paths out of the CSP.ini of a gateway that
// stays.
func (d Deps) emptyINI(rec webgateway.Record, web webgateway.Apache) error {
	path, f, text, err := d.readINI(rec.Dir)
	if err != nil || text == "" {
		return err
	}
	webgateway.TakeOut(f, rec)
	if string(f.Bytes()) == text {
		return nil
	}
	if err := webgateway.AskReload(f); err != nil {
		return err
	}
	return writeINI(path, string(f.Bytes()), web)
}
