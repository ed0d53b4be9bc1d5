package deploy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"icm/controller/state"
	"icm/internal/wire"
)

// UnprovisionOptions are those of `icm unprovision`.
type UnprovisionOptions struct {
	CleanUp bool // delete the state directory
	Force   bool // go on although instances are installed, or nodes do not answer
}

// Unprovision destroys the nodes that were made, and lets go of those that
// were given. It can be run again after any failure.
func (j *Job) Unprovision(ctx context.Context, o UnprovisionOptions) error {
	dir, err := state.Open(j.Files.StateDir)
	if err != nil {
		return err
	}
	in, err := j.read()
	if err != nil {
		return err
	}
	lock, err := dir.Lock("icm unprovision", j.World.Now())
	if err != nil {
		return err
	}
	defer lock.Unlock() //nolint:errcheck // with CleanUp the lock goes with its directory
	prov, stop, err := j.World.Provider(ctx, in.spec.Provider)
	if err != nil {
		return err
	}
	defer stop() //nolint:errcheck // its calls have returned
	info, err := prov.Info(ctx)
	if err != nil {
		return err
	}
	if err := j.Confirm(unprovisionQuestion(in, info.MakesNodes)); err != nil {
		return err
	}
	if !info.MakesNodes {
		if err := j.letGo(ctx, dir, lock, o); err != nil {
			return err
		}
	}
	req, err := j.request(in, dir)
	if err != nil {
		return err
	}
	if err := prov.Unprovision(ctx, req, j.providerProgress); err != nil {
		return err
	}
	return j.forget(dir, o)
}

func unprovisionQuestion(in plans, makes bool) string {
	n := len(in.topo.Nodes)
	if makes {
		return fmt.Sprintf("This destroys %d nodes of %s-%s and everything on them.", n, in.spec.Label, in.spec.Tag)
	}
	return fmt.Sprintf("This takes icm off %d nodes of %s-%s. The nodes and their data stay.", n, in.spec.Label, in.spec.Tag)
}

// forget removes the files that say the nodes exist.
func (j *Job) forget(dir *state.Dir, o UnprovisionOptions) error {
	if err := os.Remove(j.Files.Instances); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if o.CleanUp {
		return dir.Remove()
	}
	return nil
}

// letGo takes icm off nodes that stay. The mounts and the data on them stay
// too; that is said.
func (j *Job) letGo(ctx context.Context, dir *state.Dir, lock *state.Lock, o UnprovisionOptions) error {
	all, err := state.LoadInstances(j.Files.Instances)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // an earlier unprovision came this far
	}
	if err != nil {
		return err
	}
	nodes, err := j.connectAll(ctx, all, dir)
	defer closeAll(nodes)
	if err != nil && !o.Force {
		return unreachable(err)
	}
	if !o.Force {
		if err := j.noneInstalled(ctx, nodes); err != nil {
			return err
		}
	}
	if err := j.releaseNodes(ctx, dir, nodes, lock); err != nil {
		return err
	}
	err = forEach(ctx, machineNames(all), j.Parallel, func(ctx context.Context, i int, name string) error {
		if nodes[name] == nil {
			j.World.Report.Report(Event{Kind: Warned, Subject: name, Text: "does not answer: its agent stays on it"})
			return nil
		}
		j.World.Report.Report(Event{Kind: Starting, Subject: name, Preposition: "from", Text: "Removing agent"})
		if err := j.letGoNode(ctx, nodes[name], lock); err != nil {
			return err
		}
		j.World.Report.Report(Event{Kind: Finished, Subject: name, Preposition: "from", Text: "removed agent"})
		return nil
	})
	if err == nil {
		j.say("The data on the volumes of these nodes stays; the volumes are not mounted any more.")
	}
	return err
}

// releaseNodes takes mounts and settings back, by a plan like any other.
func (j *Job) releaseNodes(ctx context.Context, dir *state.Dir, nodes map[string]Node, lock *state.Lock) error {
	all := *j
	all.Select, all.Files.StateDir = Selection{}, dir.Path
	s, err := all.site(VerbProvision)
	if err != nil {
		return err
	}
	var answered []settings
	for _, n := range s.real() {
		if nodes[n.MachineName] != nil {
			answered = append(answered, s.settings[n.MachineName])
		}
	}
	pr := &prepared{site: s, nodes: nodes}
	if pr.plan, err = all.planStages(ctx, pr, "unprovision", releaseStages(answered)); err != nil || pr.plan.Empty() {
		return err
	}
	return all.runPlan(ctx, pr, lock.Fence())
}

// letGoNode removes the agent over the connection that is there: the key may
// not open a new one any more.
func (j *Job) letGoNode(ctx context.Context, n Node, lock *state.Lock) error {
	if err := n.Call(ctx, wire.MethodRelease, wire.ReleaseRequest{Fence: lock.Fence()}, &wire.ReleaseReply{}); err != nil {
		return fromAgent(err)
	}
	return j.World.RemoveAgent(ctx, n)
}

// noneInstalled refuses while instances are installed.
func (j *Job) noneInstalled(ctx context.Context, nodes map[string]Node) error {
	var where []string
	for name, n := range nodes {
		var reply wire.InstancesReply
		if err := n.Call(ctx, wire.MethodInstances, wire.InstancesRequest{}, &reply); err != nil {
			return &NodeError{name, fromAgent(err)}
		}
		if len(reply.Instances) > 0 {
			where = append(where, name)
		}
	}
	if len(where) > 0 {
		return refuse("IRIS is still installed on "+strings.Join(where, ", "), "icm uninstall first, or -force leaves it running without icm")
	}
	return nil
}
