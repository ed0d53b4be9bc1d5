package deploy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"icm/controller/state"
	"icm/internal/wire"
)

// UnprovisionOptions are those of `icm unprovision`.
type UnprovisionOptions struct {
	CleanUp bool // delete the state directory
	Force   bool // go on although instances are installed, or nodes do not answer
	running bool // instances are meant to go on running, see Release
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
	if err := j.belongs(dir); err != nil {
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

// belongs refuses an instances file that records another deployment than the
// one whose state directory was named.
func (j *Job) belongs(dir *state.Dir) error {
	all, err := state.LoadInstances(j.Files.Instances)
	if err != nil || len(all) == 0 {
		return nil // nothing is recorded that could be lost
	}
	other, err := state.Open(filepath.Dir(filepath.Dir(j.path(all[0].StateDir))))
	if err != nil || other.ID == dir.ID {
		return nil
	}
	return refuse(fmt.Sprintf("%s records the deployment %s, and -stateDir names %s", j.short(j.Files.Instances), other.ID, dir.ID),
		"-instances names another instances file")
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
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(all) == 0 {
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
	answered := slices.DeleteFunc(slices.Clone(all), func(n state.Instance) bool { return nodes[n.MachineName] == nil })
	if err := j.settleOld(ctx, nodes, answered); err != nil {
		return err
	}
	instances, err := j.installed(ctx, all, nodes)
	if err != nil {
		return err
	}
	if len(instances) > 0 && !o.Force && !o.running {
		where := slices.DeleteFunc(machineNames(all), func(name string) bool { return !instances[name] })
		return refuse("IRIS is still installed on "+strings.Join(where, ", "), "icm uninstall first, or icm release lets it go on running without icm")
	}
	if err := j.releaseNodes(ctx, dir, nodes, instances, lock, o); err != nil {
		return err
	}
	left := letGoFile{path: j.Files.Instances, all: all}
	err = forEach(ctx, machineNames(all), j.Parallel, func(ctx context.Context, i int, name string) error {
		if nodes[name] == nil {
			j.World.Report.Report(Event{Kind: Warned, Subject: name, Text: "does not answer: its agent stays on it"})
			return nil
		}
		j.World.Report.Report(Event{Kind: Starting, Subject: name, Preposition: "from", Text: "Removing agent"})
		if err := j.letGoNode(ctx, nodes[name], lock); err != nil {
			return err
		}
		if err := left.drop(name); err != nil {
			return err
		}
		j.World.Report.Report(Event{Kind: Finished, Subject: name, Preposition: "from", Text: "removed agent"})
		return nil
	})
	if err == nil && len(instances) < len(answered) {
		j.say("The data on the volumes of these nodes stays; the volumes are not mounted any more.")
	}
	return err
}

// letGoFile is the instances file while nodes are let go: those that are gone
// leave it at once, because icm cannot log in there any more.
type letGoFile struct {
	mu   sync.Mutex
	path string
	all  []state.Instance
}

func (f *letGoFile) drop(machine string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = slices.DeleteFunc(slices.Clone(f.all), func(n state.Instance) bool { return n.MachineName == machine })
	return state.SaveInstances(f.path, f.all)
}

// releaseNodes takes mounts and settings back, by a plan like any other. Where
// an instance is to go on running it needs them all; only logins are as before.
func (j *Job) releaseNodes(ctx context.Context, dir *state.Dir, nodes map[string]Node, instances map[string]bool, lock *state.Lock, o UnprovisionOptions) error {
	all := *j
	all.Select, all.Files.StateDir = onlyThese(nodes), dir.Path // others may be gone already
	s, err := all.site(VerbProvision)
	if err != nil {
		return err
	}
	var empty, running []settings
	for _, n := range s.real() {
		switch {
		case nodes[n.MachineName] == nil:
		case instances[n.MachineName]:
			if text := leaves(s.settings[n.MachineName], o.running); text != "" {
				j.World.Report.Report(Event{Kind: Warned, Subject: n.MachineName, Text: text})
			}
			running = append(running, s.settings[n.MachineName])
		default:
			empty = append(empty, s.settings[n.MachineName])
		}
	}
	pr := &prepared{site: s, nodes: nodes}
	if pr.plan, err = all.planStages(ctx, pr, "unprovision", releaseStages(empty, running, o.running)); err != nil || pr.plan.Empty() {
		return err
	}
	return all.runPlan(ctx, pr, lock.Fence())
}

// leaves says what of icm's stays on a node whose instance goes on running, and
// what its site has to take care of now.
func leaves(s settings, released bool) string {
	switch {
	case !released:
		return "IRIS goes on running without icm: its volumes, accounts, settings and unit stay"
	case s.adopted:
		return "" // icm set nothing there
	}
	return "IRIS goes on running without icm: its volumes, accounts and settings stay, and nothing starts or stops it with the machine until you give it a service"
}

// onlyThese selects the nodes that answer.
func onlyThese(nodes map[string]Node) Selection {
	var names []string
	for name := range nodes {
		names = append(names, regexp.QuoteMeta(name))
	}
	slices.Sort(names)
	return Selection{Machine: strings.Join(names, "|")}
}

// letGoNode removes the agent over the connection that is there: the key may
// not open a new one any more.
func (j *Job) letGoNode(ctx context.Context, n Node, lock *state.Lock) error {
	if err := n.Call(ctx, wire.MethodRelease, wire.ReleaseRequest{Fence: lock.Fence()}, &wire.ReleaseReply{}); err != nil {
		return fromAgent(err)
	}
	return j.World.RemoveAgent(ctx, n)
}

// installed lists the nodes that have an instance of this deployment.
func (j *Job) installed(ctx context.Context, all []state.Instance, nodes map[string]Node) (map[string]bool, error) {
	out := map[string]bool{}
	for _, n := range all {
		if nodes[n.MachineName] == nil {
			continue
		}
		var reply wire.InstancesReply
		if err := nodes[n.MachineName].Call(ctx, wire.MethodInstances, wire.InstancesRequest{}, &reply); err != nil {
			return nil, &NodeError{n.MachineName, fromAgent(err)}
		}
		for _, inst := range reply.Instances {
			if strings.EqualFold(inst.Name, n.Field("ISCInstance")) {
				out[n.MachineName] = true
			}
		}
	}
	return out, nil
}
