package tasks

import (
	"context"

	"icm/agent/engine"
	"icm/agent/host"
)

// alone makes sure that a task which is run again after a crash of the agent
// does not run beside programs of its earlier run.
func alone(f func(context.Context, *engine.Task) error) func(context.Context, *engine.Task) error {
	if f == nil {
		return nil
	}
	return func(ctx context.Context, t *engine.Task) error {
		purpose := t.Change + "/" + t.ID
		ended, err := host.EndOrphans(ctx, purpose)
		if err != nil {
			return err
		}
		if ended > 0 {
			t.Logf("ended %d programs that an earlier run of this task had left", ended)
		}
		return f(host.WithPurpose(ctx, purpose), t)
	}
}
