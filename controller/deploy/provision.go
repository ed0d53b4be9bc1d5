package deploy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"icm/controller/remote"
	"icm/controller/spec"
	"icm/controller/state"
	"icm/internal/hint"
	"icm/plugins/provider"
)

// Provisioned is what `icm provision` made.
type Provisioned struct {
	Nodes    []InventoryRow
	StateDir string
}

// Provision makes the nodes exist and ready for use. It can be run again after
// any failure, with the state directory that it named.
func (j *Job) Provision(ctx context.Context) (*Provisioned, error) {
	in, err := j.read()
	if err != nil {
		return nil, err
	}
	if !in.spec.Global.Bool("Containerless") {
		j.warn("this icm does not install Docker yet: the nodes will be ready for kits; \"Containerless\": \"True\" says that this is meant")
	}
	dir, again, err := j.provisionDir(in)
	if err != nil {
		return nil, err
	}
	lock, err := dir.Lock("icm provision", j.World.Now())
	if err != nil {
		return nil, err
	}
	defer lock.Unlock() //nolint:errcheck // a lock that was taken away was reported by the nodes
	if begun, err := j.makeNodes(ctx, in, dir, again); err != nil {
		if !again && !begun { // there is nothing that the new directory would be needed for
			return nil, errors.Join(err, dir.Remove())
		}
		return nil, j.reprovision(err, dir)
	}
	if err := j.configureNodes(ctx, dir, lock); err != nil {
		return nil, j.reprovision(err, dir)
	}
	p, err := j.instances()
	if err != nil {
		return nil, err
	}
	return &Provisioned{Nodes: inventoryRows(p.nodes), StateDir: j.short(dir.Path)}, nil
}

// reprovision adds how to go on to whatever stopped a provision.
func (j *Job) reprovision(err error, dir *state.Dir) error {
	j.say("To reprovision, specify -stateDir %s", j.short(dir.Path))
	return err
}

// provisionDir opens the state directory that was named, or makes a new one.
// An existing deployment is changed only when its directory is named.
func (j *Job) provisionDir(in plans) (dir *state.Dir, again bool, err error) {
	if j.Files.StateDir != "" {
		dir, err := state.Open(j.Files.StateDir)
		if err == nil {
			return dir, true, nil
		}
		if _, statErr := os.Stat(j.Files.StateDir); statErr == nil && !state.Vacant(j.Files.StateDir) {
			return nil, false, err
		}
	}
	if err := j.noneRecorded(); err != nil {
		return nil, false, err
	}
	if j.Files.StateDir != "" {
		dir, err = state.CreateAt(j.Files.StateDir, filepath.Base(j.Files.StateDir), j.World.Now())
		return dir, false, err
	}
	dir, err = state.Create(j.Dir, j.World.Now())
	return dir, false, err
}

// noneRecorded refuses to write over the record of nodes that exist. A file that
// cannot be read may be one.
func (j *Job) noneRecorded() error {
	all, err := state.LoadInstances(j.Files.Instances)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(all) == 0 {
		return nil
	}
	if err != nil {
		return hint.New(err, "mend it, or move it away if it records no nodes")
	}
	root := filepath.Dir(filepath.Dir(all[0].StateDir))
	return refuse(fmt.Sprintf("%s records a deployment already", j.short(j.Files.Instances)),
		"to reprovision it: icm provision -stateDir "+j.short(j.path(root)))
}

// makeNodes lets the provider make the nodes and records them. begun is false
// when it stopped before anything was made or changed.
func (j *Job) makeNodes(ctx context.Context, in plans, dir *state.Dir, again bool) (begun bool, err error) {
	prov, stop, err := j.World.Provider(ctx, in.spec.Provider)
	if err != nil {
		return false, err
	}
	defer stop() //nolint:errcheck // its calls have returned
	info, err := prov.Info(ctx)
	if err != nil {
		return false, err
	}
	if info.Note != "" {
		j.say("%s", info.Note)
	}
	req, err := j.request(in, dir)
	if err != nil {
		return false, err
	}
	if err := j.validate(ctx, prov, req); err != nil {
		return false, err
	}
	if again {
		if err := j.confirmChanges(ctx, prov, req); err != nil {
			return false, err
		}
	}
	res, err := prov.Provision(ctx, req, j.providerProgress)
	if err != nil {
		return true, err
	}
	return true, errors.Join(j.saveInstances(in, dir, res.Nodes), pinHostKeys(dir, res.Nodes))
}

// request is the deployment as its provider sees it.
func (j *Job) request(in plans, dir *state.Dir) (provider.Request, error) {
	public, err := remote.LoadPublicKey(j.path(in.spec.Global.Get("SSHPublicKey")))
	if err != nil {
		return provider.Request{}, err
	}
	req := provider.Request{
		Deployment: dir.ID, Label: in.spec.Label, Tag: in.spec.Tag, StateDir: dir.Path,
		Defaults: in.spec.Global.Map(true), PublicKey: public,
	}
	for _, d := range in.spec.Definitions {
		def := provider.Definition{Name: d.Name, Index: d.Index, Role: d.Role}
		for _, machine := range d.Machines {
			n, _ := in.topo.Node(machine)
			def.Nodes = append(def.Nodes, provider.Want{MachineName: machine, Fields: n.Fields.Map(true), Zone: n.Zone})
		}
		req.Definitions = append(req.Definitions, def)
	}
	return req, nil
}

// validate turns the provider's problems into those of the input files.
func (j *Job) validate(ctx context.Context, prov provider.Provider, req provider.Request) error {
	found, err := prov.Validate(ctx, req)
	if err != nil {
		return err
	}
	var problems spec.Problems
	for _, p := range found {
		where := j.short(j.Files.Defaults)
		if p.Definition >= 0 {
			where = fmt.Sprintf("%s: entry %d", j.short(j.Files.Definitions), p.Definition+1)
		}
		if p.Warning {
			j.warn("%s: %s", where, p.Text)
			continue
		}
		problems = append(problems, spec.Problem{Pos: spec.Position{File: where}, Field: p.Field, Text: p.Text, Hint: p.Hint})
	}
	if len(problems) > 0 {
		return &InputError{problems}
	}
	return nil
}

// confirmChanges asks before infrastructure that exists is changed.
func (j *Job) confirmChanges(ctx context.Context, prov provider.Provider, req provider.Request) error {
	actions, err := prov.Plan(ctx, req)
	if err != nil {
		return err
	}
	changes := 0
	for _, a := range actions {
		if a.Verb == "keep" {
			continue
		}
		changes++
		j.say("%s %s %s", a.Verb, a.What, a.Detail)
	}
	if changes == 0 {
		return nil
	}
	return j.Confirm(fmt.Sprintf("This makes %d changes to existing infrastructure.", changes))
}

func (j *Job) providerProgress(p provider.Progress) {
	ev := Event{Kind: Finished, Subject: p.Subject, Preposition: "of", Text: "completed " + p.What}
	if p.Starting {
		ev.Kind, ev.Text = Starting, "Starting "+p.What
	}
	j.World.Report.Report(ev)
}

// configureNodes brings agent, keys and volumes onto all nodes.
func (j *Job) configureNodes(ctx context.Context, dir *state.Dir, lock *state.Lock) error {
	all := *j
	all.Select = Selection{}
	all.Files.StateDir = dir.Path
	s, err := all.site(VerbProvision)
	if err != nil {
		return err
	}
	if err := all.knownWipes(s); err != nil {
		return err
	}
	pr := &prepared{site: s}
	pr.nodes, err = all.connectFirst(ctx, s)
	defer closeAll(pr.nodes)
	if err != nil {
		return err
	}
	if err := all.replaceFirstKeys(ctx, s, pr.nodes); err != nil {
		return err
	}
	if pr.facts, err = all.facts(ctx, s.dir.ID, pr.nodes, s.real()); err != nil {
		return unreachable(err)
	}
	if err := all.settleOld(ctx, pr.nodes, s.real()); err != nil {
		return err
	}
	pr.plan, err = all.planConfigure(ctx, pr)
	if err != nil {
		return err
	}
	// Not before all nodes are fit for the deployment: they belong to it now.
	all.remember(ctx, s, pr.nodes, pr.facts, lock.Fence())
	if pr.plan.Empty() {
		return nil
	}
	return all.runPlan(ctx, pr, lock.Fence())
}

func (j *Job) planConfigure(ctx context.Context, pr *prepared) (*Plan, error) {
	var nodes []settings
	for _, n := range pr.site.real() {
		nodes = append(nodes, pr.site.settings[n.MachineName])
	}
	return j.planStages(ctx, pr, VerbProvision, provisionStages(nodes))
}

// planProvision is `icm plan provision`: what the provider would do, and, when
// all nodes exist, what would be configured on them.
func (j *Job) planProvision(ctx context.Context) (*Plan, error) {
	in, err := j.read()
	if err != nil {
		return nil, err
	}
	dir := &state.Dir{Path: filepath.Join(j.Dir, "ICM-new"), ID: "ICM-new"}
	p, instErr := j.instances()
	if instErr == nil {
		dir = p.dir
	}
	prov, stop, err := j.World.Provider(ctx, in.spec.Provider)
	if err != nil {
		return nil, err
	}
	defer stop() //nolint:errcheck // its calls have returned
	req, err := j.request(in, dir)
	if err != nil {
		return nil, err
	}
	if err := j.validate(ctx, prov, req); err != nil {
		return nil, err
	}
	plan := &Plan{Format: planFormat, Verb: string(VerbProvision), Deployment: dir.ID}
	if plan.Actions, err = prov.Plan(ctx, req); err != nil {
		return nil, err
	}
	if instErr != nil || plan.acts() {
		plan.Notes = append(plan.Notes, "keys, agents and volumes are planned when the nodes can be asked")
		return plan, nil
	}
	s, err := j.site(VerbProvision)
	if err != nil {
		return nil, err
	}
	pr := &prepared{site: s}
	pr.nodes, err = j.connectAll(ctx, s.real(), s.dir)
	defer closeAll(pr.nodes)
	if err != nil {
		return nil, unreachable(err)
	}
	configure, err := j.planConfigure(ctx, pr)
	if err != nil {
		return nil, err
	}
	plan.Stages = configure.Stages
	return plan, nil
}
