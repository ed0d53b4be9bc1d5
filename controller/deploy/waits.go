package deploy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"icm/internal/hint"
	"icm/internal/wire"
)

// settleLimit is how long a change that an earlier icm began is waited for. Its
// tasks have deadlines of their own; this is for an agent that never comes to
// one.
const settleLimit = 4 * time.Hour

// A wait of an agent is told when it has lasted tellAfter, then whenever
// something else is seen, and at least every tellAgain.
const (
	tellAfter = 10 * time.Second
	tellAgain = time.Minute
)

// tellWaiting tells the operator of a wait.
func tellWaiting(r Reporter, subject string, w wire.Waiting) {
	r.Report(Event{Kind: Waiting, Subject: subject, Text: w.Sentence(time.Now()), Waiting: &w})
}

// waits is what was told last of the waits of one change.
type waits struct{ told wire.Waiting }

// due reports whether a wait is to be told, and takes it for told.
func (t *waits) due(w wire.Waiting) bool {
	same := t.told.For == w.For && t.told.Last == w.Last && w.Lasted >= t.told.Lasted
	if w.Lasted < tellAfter || same && w.Lasted-t.told.Lasted < tellAgain {
		return false
	}
	t.told = w
	return true
}

// waitFor follows a change that an earlier icm began to its end.
func (j *Job) waitFor(ctx context.Context, node Node, c wire.Change, name string) error {
	tellWaiting(j.World.Report, name, wire.Waiting{
		For: fmt.Sprintf("for %q, which an earlier icm began, to end", c.Summary), Left: settleLimit,
		Clears: "it ends by itself; icm tasks " + c.Operation + " shows how far it is",
	})
	limit := fmt.Errorf("%q did not end in %s", c.Summary, settleLimit)
	bounded, cancel := context.WithTimeoutCause(ctx, settleLimit, limit)
	defer cancel()
	_, err := follow(bounded, node, c, 0, j.World.Report, name)
	if err != nil && ctx.Err() == nil && errors.Is(context.Cause(bounded), limit) {
		return hint.New(limit, "icm tasks "+c.Operation+" -log shows what it hangs at")
	}
	return fromAgent(err)
}
