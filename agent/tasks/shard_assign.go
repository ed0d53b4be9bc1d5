package tasks

import (
	"context"
	"fmt"
	"slices"

	"icm/agent/engine"
	"icm/agent/iris"
	"icm/internal/kind"
	"icm/internal/wire"
)

func shardAssign(d Deps) engine.Kind {
	return engine.Kind{Look: d.lookShardAssign, Do: d.doShardAssign, Undo: d.undoShardAssign}
}

// decodeMaster checks the names of a master and its shards, and puts the data
// shards before the query shards, which refer to them.
func decodeMaster(t *engine.Task) (kind.ShardMaster, error) {
	var a kind.ShardMaster
	if err := t.Decode(&a); err != nil {
		return a, err
	}
	if err := checkNamespace(a.Namespace); err != nil {
		return a, err
	}
	for _, s := range a.Shards {
		if err := checkShard(s); err != nil {
			return a, err
		}
	}
	slices.SortStableFunc(a.Shards, func(x, y kind.Shard) int { return rank(x) - rank(y) })
	return a, nil
}

func rank(s kind.Shard) int {
	if s.QueryOf == "" {
		return 0
	}
	return 1
}

func checkShard(s kind.Shard) error {
	if err := checkNamespace(s.Namespace); err != nil {
		return err
	}
	if s.Mirror != "" && !mirrorName.MatchString(s.Mirror) {
		return fmt.Errorf("cannot use %q as the name of a mirror", s.Mirror)
	}
	for _, h := range []string{s.Host, first(s.BackupHost, s.Host)} {
		if !hostName.MatchString(h) {
			return fmt.Errorf("cannot use %q as the host of a shard", h)
		}
	}
	if s.QueryOf != "" && !hostPort.MatchString(s.QueryOf) {
		return fmt.Errorf("cannot use %q as a data shard: host:port is expected", s.QueryOf)
	}
	return nil
}

func describe(s kind.Shard) string {
	if s.QueryOf != "" {
		return fmt.Sprintf("query shard %s:%d of %s", s.Host, s.Port, s.QueryOf)
	}
	return fmt.Sprintf("shard %s:%d", s.Host, s.Port)
}

// shardsOf lists the shards of a master that can be asked; ok is false when it
// cannot, with what is in the way.
func (d Deps) shardsOf(ctx context.Context, a kind.ShardMaster) (list iris.Listing, ok bool, why string, err error) {
	in, err := d.find(ctx, a.Instance.Name)
	if err != nil {
		return list, false, "", err
	}
	if !in.there || !iris.Running(in.Instance) {
		return list, false, "not running", nil
	}
	list, listErr := d.IRIS.ListShards(ctx, in.Instance, a.Namespace)
	if listErr != nil {
		return list, false, listErr.Error(), nil
	}
	return list, true, "", nil
}

func (d Deps) lookShardAssign(ctx context.Context, t *engine.Task) (wire.Look, error) {
	a, err := decodeMaster(t)
	if err != nil {
		return wire.Look{}, err
	}
	list, _, why, err := d.shardsOf(ctx, a)
	if err != nil {
		return wire.Look{}, err
	}
	var diffs []wire.Diff
	for _, s := range a.Shards {
		if !list.Has(s.Host, s.Port) {
			diffs = append(diffs, wire.Diff{What: describe(s), Before: first(why, "not assigned"), After: "assigned to " + a.Namespace})
		}
	}
	return satisfiedBy(diffs), nil
}

// doShardAssign gives the master namespace the shards that it lacks.
//
// Rerun: assigns those that are missing.
// Undo: deassigns those that this task assigned, while they hold no data.
func (d Deps) doShardAssign(ctx context.Context, t *engine.Task) error {
	a, err := decodeMaster(t)
	if err != nil {
		return err
	}
	in, err := d.leading(ctx, t, a.Instance, "assign shards")
	if err != nil {
		return err
	}
	list, err := d.IRIS.ListShards(ctx, in, a.Namespace)
	if err != nil {
		return err
	}
	if err := d.IRIS.Mark(in.Name, iris.ShardMasterMark, ""); err != nil {
		return err
	}
	return d.assign(ctx, t, in, a, list)
}

// assign assigns shards and notes each before.
func (d Deps) assign(ctx context.Context, t *engine.Task, in wire.Instance, a kind.ShardMaster, list iris.Listing) error {
	var noted []kind.Shard
	if _, err := t.Load("assigned", &noted); err != nil {
		return err
	}
	for _, s := range a.Shards {
		if list.Has(s.Host, s.Port) {
			continue
		}
		noted = append(noted, s)
		if err := t.Note("assigned", noted); err != nil {
			return err
		}
		t.Logf("assigning %s", describe(s))
		if err := d.IRIS.AssignShard(ctx, in, a.Namespace, s); err != nil {
			return err
		}
	}
	return nil
}

func (d Deps) undoShardAssign(ctx context.Context, t *engine.Task) error {
	a, err := decodeMaster(t)
	if err != nil {
		return err
	}
	if known, err := t.Load("assigned", &a.Shards); err != nil || !known {
		return err
	}
	return d.deassign(ctx, t, a)
}

// deassign takes shards away, the query shards first.
func (d Deps) deassign(ctx context.Context, t *engine.Task, a kind.ShardMaster) error {
	list, ok, why, err := d.shardsOf(ctx, a)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("cannot deassign shards of %s: %s: %s", a.Namespace, a.Instance.Name, why)
	}
	in, err := d.leading(ctx, t, a.Instance, "deassign shards")
	if err != nil {
		return err
	}
	for _, s := range slices.Backward(a.Shards) {
		if !list.Has(s.Host, s.Port) {
			continue
		}
		t.Logf("deassigning %s", describe(s))
		if err := d.IRIS.DeassignShard(ctx, in, a.Namespace, s); err != nil {
			return err
		}
	}
	return nil
}

func shardDeassign(d Deps) engine.Kind {
	return engine.Kind{Look: d.lookShardDeassign, Do: d.doShardDeassign, Undo: d.undoShardDeassign}
}

func (d Deps) lookShardDeassign(ctx context.Context, t *engine.Task) (wire.Look, error) {
	a, err := decodeMaster(t)
	if err != nil {
		return wire.Look{}, err
	}
	list, ok, why, err := d.shardsOf(ctx, a)
	if err != nil {
		return wire.Look{}, err
	}
	var diffs []wire.Diff
	for _, s := range a.Shards {
		if !ok || list.Has(s.Host, s.Port) {
			diffs = append(diffs, wire.Diff{What: describe(s), Before: first(why, "assigned to "+a.Namespace), After: "deassigned"})
		}
	}
	return satisfiedBy(diffs), nil
}

// doShardDeassign takes shards off the master namespace. One that holds data is
// refused by the instance itself.
//
// Rerun: takes away those that are left.
// Undo: assigns those again that this task took away, and activates them.
func (d Deps) doShardDeassign(ctx context.Context, t *engine.Task) error {
	a, err := decodeMaster(t)
	if err != nil {
		return err
	}
	if err := once(t, "begun", func() error { return d.noteAssigned(ctx, t, a) }); err != nil {
		return err
	}
	return d.deassign(ctx, t, a)
}

// noteAssigned notes which of the shards were there.
func (d Deps) noteAssigned(ctx context.Context, t *engine.Task, a kind.ShardMaster) error {
	list, ok, why, err := d.shardsOf(ctx, a)
	if err == nil && !ok {
		err = fmt.Errorf("cannot deassign shards of %s: %s: %s", a.Namespace, a.Instance.Name, why)
	}
	if err != nil {
		return err
	}
	return t.Note("were", slices.DeleteFunc(slices.Clone(a.Shards), func(s kind.Shard) bool { return !list.Has(s.Host, s.Port) }))
}

func (d Deps) undoShardDeassign(ctx context.Context, t *engine.Task) error {
	a, err := decodeMaster(t)
	if err != nil {
		return err
	}
	if known, err := t.Load("were", &a.Shards); err != nil || !known || len(a.Shards) == 0 {
		return err
	}
	in, err := d.leading(ctx, t, a.Instance, "assign shards again")
	if err != nil {
		return err
	}
	list, err := d.IRIS.ListShards(ctx, in, a.Namespace)
	if err != nil {
		return err
	}
	if err := d.assign(ctx, t, in, a, list); err != nil {
		return err
	}
	return d.IRIS.ActivateShards(ctx, in, a.Namespace)
}
