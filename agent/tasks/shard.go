package tasks

import (
	"context"
	"fmt"
	"regexp"
	"strconv"

	"icm/agent/engine"
	"icm/agent/iris"
	"icm/internal/hint"
	"icm/internal/kind"
	"icm/internal/wire"
)

// shardRoom is how many other instances a member of a sharded cluster may talk
// to when the task does not say.
const shardRoom = 64

// Names as they end up in code.
var (
	namespaceName = regexp.MustCompile(`^[A-Za-z%][A-Za-z0-9_-]{0,254}$`)
	hostName      = regexp.MustCompile(`^[A-Za-z0-9_.:-]{1,255}$`)
	hostPort      = regexp.MustCompile(`^[A-Za-z0-9_.:\[\]-]{1,255}:[0-9]{1,5}$`)
)

func checkNamespace(names ...string) error {
	for _, n := range names {
		if !namespaceName.MatchString(n) {
			return fmt.Errorf("cannot use %q as the name of a namespace", n)
		}
	}
	return nil
}

func shardEnable(d Deps) engine.Kind {
	return engine.Kind{Look: d.lookShardEnable, Do: d.doShardEnable}
}

func decodeSharding(t *engine.Task) (kind.Sharding, error) {
	var a kind.Sharding
	err := t.Decode(&a)
	if a.Servers == 0 {
		a.Servers = shardRoom
	}
	return a, err
}

func (d Deps) lookShardEnable(ctx context.Context, t *engine.Task) (wire.Look, error) {
	a, err := decodeSharding(t)
	if err != nil {
		return wire.Look{}, err
	}
	in, err := d.find(ctx, a.Instance.Name)
	if err != nil {
		return wire.Look{}, err
	}
	if !in.there {
		return notInstalled("sharding", "enabled"), nil
	}
	var diffs []wire.Diff
	state, err := d.IRIS.ShardingState(in.Instance)
	if err != nil {
		return wire.Look{}, err
	}
	if state != iris.ShardingOn {
		diffs = append(diffs, wire.Diff{What: "sharding of " + in.Name, Before: "not enabled", After: "enabled; " + in.Name + " is started anew"})
	}
	room, err := iris.RoomForShards(in.Instance)
	if err != nil {
		return wire.Look{}, err
	}
	if room < a.Servers {
		diffs = append(diffs, wire.Diff{What: "[config] MaxServers, MaxServerConn", Before: strconv.Itoa(room), After: strconv.Itoa(a.Servers)})
	}
	return satisfiedBy(diffs), nil
}

// doShardEnable makes an instance fit for a sharded cluster and starts it anew
// when it was not. More room alone waits for the next start.
//
// Rerun: enables it again and starts the instance anew, unless that was done.
// Undo: none; sharding that nobody uses changes nothing.
func (d Deps) doShardEnable(ctx context.Context, t *engine.Task) error {
	a, err := decodeSharding(t)
	if err != nil {
		return err
	}
	in, err := d.served(ctx, t, a.Instance, "enable sharding")
	if err != nil {
		return err
	}
	if err := d.allowShards(ctx, t, in, a.Servers); err != nil {
		return err
	}
	state, err := d.IRIS.ShardingState(in)
	if err != nil || state == iris.ShardingOn {
		return err
	}
	// Before: iris.cpf says that sharding is enabled before it is.
	if err := d.IRIS.MarkSharding(in, iris.ShardingPending); err != nil {
		return err
	}
	if err := d.IRIS.EnableSharding(ctx, in); err != nil {
		return err
	}
	if err := d.restart(ctx, t, in, a.Seconds); err != nil {
		return err
	}
	return d.IRIS.MarkSharding(in, iris.ShardingOn)
}

func (d Deps) allowShards(ctx context.Context, t *engine.Task, in wire.Instance, servers int) error {
	room, err := iris.RoomForShards(in)
	if err != nil || room >= servers {
		return err
	}
	t.Logf("%s may talk to %d instances, %d from its next start on", in.Name, room, servers)
	return d.IRIS.AllowShards(ctx, in, servers)
}

// served finds an instance that must be running.
func (d Deps) served(ctx context.Context, t *engine.Task, i kind.Instance, what string) (wire.Instance, error) {
	in, err := d.serving(ctx, t, i)
	if err == nil && !iris.Running(in) {
		err = fmt.Errorf("cannot %s: %s is %q, not running", what, in.Name, in.Status)
	}
	return in, err
}

// leading finds an instance that must be running and, in a mirror, be the
// primary: on others the namespace cannot be changed.
func (d Deps) leading(ctx context.Context, t *engine.Task, i kind.Instance, what string) (wire.Instance, error) {
	in, err := d.served(ctx, t, i, what)
	if err == nil && iris.MembershipOf(in).Mirror != "" && in.MirrorStatus != "Primary" {
		err = &hint.Error{Err: fmt.Errorf("cannot %s: %s is %q, not the mirror's primary", what, in.Name, in.MirrorStatus),
			Hint: "run the command again: it asks anew who is the primary"}
	}
	return in, err
}
