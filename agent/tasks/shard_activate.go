package tasks

import (
	"context"

	"icm/agent/engine"
	"icm/internal/wire"
)

func shardActivate(d Deps) engine.Kind {
	return engine.Kind{Look: d.lookShardActivate, Do: d.doShardActivate}
}

// activeMark begins the mark that says which shards of a namespace have been
// activated: not every release lists that.
func activeMark(namespace string) string { return "active shards of " + namespace + ": " }

func (d Deps) lookShardActivate(ctx context.Context, t *engine.Task) (wire.Look, error) {
	a, err := decodeMaster(t)
	if err != nil {
		return wire.Look{}, err
	}
	list, ok, why, err := d.shardsOf(ctx, a)
	if err != nil {
		return wire.Look{}, err
	}
	diff := []wire.Diff{{What: "shards of " + a.Namespace, Before: first(why, "not all verified and activated"), After: "active"}}
	if !ok {
		return wire.Look{Diffs: diff}, nil
	}
	done, err := d.IRIS.Marked(a.Instance.Name, activeMark(a.Namespace)+list.String())
	if err != nil || done && !list.HasNew() {
		return wire.Look{Satisfied: err == nil}, err
	}
	return wire.Look{Diffs: diff}, nil
}

// doShardActivate verifies all shards of the master namespace and lets the new
// ones take data.
//
// Rerun: verifies again; shards that are active stay so.
// Undo: none of its own; the shards go with their assignment.
func (d Deps) doShardActivate(ctx context.Context, t *engine.Task) error {
	a, err := decodeMaster(t)
	if err != nil {
		return err
	}
	in, err := d.leading(ctx, t, a.Instance, "activate shards")
	if err != nil {
		return err
	}
	if err := d.IRIS.ActivateShards(ctx, in, a.Namespace); err != nil {
		return err
	}
	list, err := d.IRIS.ListShards(ctx, in, a.Namespace)
	if err != nil {
		return err
	}
	return d.IRIS.Mark(in.Name, activeMark(a.Namespace)+list.String(), activeMark(a.Namespace))
}
