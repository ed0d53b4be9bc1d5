package tasks

import (
	"context"
	"fmt"

	"icm/agent/engine"
	"icm/agent/webgateway"
	"icm/internal/hint"
	"icm/internal/kind"
	"icm/internal/wire"
)

// pageWait is how many seconds a gateway may take to reach its servers for the
// first time, when the task does not say.
const pageWait = 60

func gatewayCheck(d Deps) engine.Kind {
	return engine.Kind{Look: d.lookGatewayCheck, Do: d.doGatewayCheck}
}

func (d Deps) lookGatewayCheck(ctx context.Context, t *engine.Task) (wire.Look, error) {
	var a kind.GatewayPage
	if err := t.Decode(&a); err != nil {
		return wire.Look{}, err
	}
	if err := webgateway.Answers(ctx, a); err != nil {
		return wire.Look{Diffs: []wire.Diff{{What: "page " + a.Path, Before: err.Error(), After: "answers"}}}, nil
	}
	return wire.Look{Satisfied: true}, nil
}

// doGatewayCheck waits until the page answers, and changes nothing.
//
// Rerun: asks again.
// Undo: nothing was done.
func (d Deps) doGatewayCheck(ctx context.Context, t *engine.Task) error {
	var a kind.GatewayPage
	if err := t.Decode(&a); err != nil {
		return err
	}
	seconds := a.Seconds
	if seconds == 0 {
		seconds = pageWait
	}
	err := d.IRIS.UntilPage(ctx, a, wait(t, seconds))
	if err == nil || ctx.Err() != nil {
		return err
	}
	return hint.New(fmt.Errorf("the Web Gateway does not answer: %w", err),
		"look at CSP.log beside CSP.ini and at the servers it names; with SELinux the web server needs `setsebool -P httpd_can_network_connect 1`")
}
