package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"icm/controller/state"
	"icm/internal/hint"
	"icm/internal/wire"
)

// Result is what an operation came to.
type Result struct {
	// Nothing means that the nodes were as they should be; Why says so.
	Nothing bool
	Why     string
	// Portals are the addresses of Management Portals, of an installation.
	Portals []string
}

// prepared is an operation that is ready to run: nodes connected, plan made.
type prepared struct {
	site  *site
	nodes map[string]Node
	plan  *Plan
	away  []state.Debt // of nodes that were left out
	facts map[string]wire.Facts
	// then is the last act of an operation, before its record says that it is
	// done: what comes later would be lost with an icm that dies there.
	then func() error
	// heard are the facts of others too, which are only asked.
	heard map[string]wire.Facts
}

// Plan makes the plan of a verb and touches nothing. Plan and error are both
// there when nodes were left out: a *SkippedError.
func (j *Job) Plan(ctx context.Context, verb Verb) (*Plan, error) {
	if verb == VerbProvision {
		return j.planProvision(ctx)
	}
	if err := j.planDebts(verb); err != nil {
		return nil, err
	}
	pr, err := j.prepare(ctx, verb)
	if pr != nil {
		defer closeAll(pr.nodes)
	}
	if err != nil {
		return nil, err
	}
	return pr.plan, pr.plan.skipped()
}

// Operate plans and runs a verb. Result and error are both there when nodes
// were left out: a *SkippedError.
func (j *Job) Operate(ctx context.Context, verb Verb) (*Result, error) {
	lockDir, err := j.lockDir()
	if err != nil {
		return nil, err
	}
	lock, err := lockDir.Lock("icm "+j.Verb, j.World.Now())
	if err != nil {
		return nil, err
	}
	defer lock.Unlock() //nolint:errcheck // a lock that was taken away was reported by the nodes
	if err := j.tellDebts(lockDir); err != nil {
		return nil, err
	}
	if err := j.settleDebts(ctx, verb, lock.Fence()); err != nil {
		return nil, err
	}
	pr, err := j.prepare(ctx, verb)
	if pr != nil {
		defer closeAll(pr.nodes)
	}
	if err != nil {
		return nil, err
	}
	if err := j.wanted(pr.plan); err != nil {
		return nil, err
	}
	for _, note := range pr.plan.Notes {
		j.say("%s", note)
	}
	res := &Result{}
	if verb == VerbInstall {
		res.Portals = portals(pr.site)
	}
	if pr.plan.Empty() {
		res.Nothing, res.Why = true, nothing(verb)
	}
	pr.then = func() error {
		return errors.Join(j.record(ctx, pr, lock.Fence()), settleOwn(pr.site, verb))
	}
	if err := j.carryOut(ctx, pr, verb, lock.Fence()); err != nil {
		return nil, err
	}
	return res, pr.plan.skipped()
}

// record keeps the fields that an operation worked with, here and on the nodes.
func (j *Job) record(ctx context.Context, pr *prepared, fence wire.Fence) error {
	if err := j.recordFields(pr.site); err != nil {
		return err
	}
	j.remember(ctx, pr.site, pr.nodes, pr.facts, fence)
	return nil
}

// carryOut runs a plan in which there is something to do, or to owe.
func (j *Job) carryOut(ctx context.Context, pr *prepared, verb Verb, fence wire.Fence) error {
	if pr.plan.Empty() && len(pr.away) == 0 {
		return pr.then()
	}
	if err := j.consent(verb, pr.plan); err != nil {
		return err
	}
	return j.runPlan(ctx, pr, fence)
}

// wanted refuses a plan that is not the one that was agreed on: the nodes, or
// the files, are not as they were then.
func (j *Job) wanted(p *Plan) error {
	if j.WantPlan == "" || p.Digest() == j.WantPlan {
		return nil
	}
	return refuse(fmt.Sprintf("what would be done now is another plan, %s", p.Digest()),
		fmt.Sprintf("icm plan %s shows it; the nodes or the files have changed since the plan %s was made", p.Verb, j.WantPlan))
}

func (j *Job) lockDir() (*state.Dir, error) {
	p, err := j.instances()
	if err != nil {
		return nil, err
	}
	return p.dir, nil
}

func nothing(verb Verb) string {
	switch verb {
	case VerbInstall:
		return "IRIS is installed and configured on all these nodes."
	case VerbUpgrade:
		return "all these nodes have the version of the kit."
	case VerbUninstall:
		return "no instance is installed on these nodes."
	case VerbStart:
		return "all instances are running."
	default:
		return "all instances are down."
	}
}

// prepare reads, connects, checks, looks, and makes the plan. The nodes in its
// result are open even when there is an error.
func (j *Job) prepare(ctx context.Context, verb Verb) (*prepared, error) {
	pr, err := j.lookAround(ctx, verb)
	return pr, untouched(ctx, err)
}

func (j *Job) lookAround(ctx context.Context, verb Verb) (*prepared, error) {
	s, err := j.site(verb)
	if err != nil {
		return nil, err
	}
	if _, err := s.cluster(nil); err != nil { // refuse early what cannot be done
		return nil, err
	}
	if err := j.findKits(ctx, s); err != nil {
		return nil, err
	}
	pr := &prepared{site: s}
	pr.nodes, err = j.connectAll(ctx, s.real(), s.dir)
	if err := j.skipAway(ctx, pr, verb, err); err != nil {
		return pr, err
	}
	if err := j.settleOld(ctx, pr.nodes, s.real()); err != nil {
		return pr, err
	}
	if pr.facts, err = j.facts(ctx, s.dir.ID, pr.nodes, s.real()); err != nil {
		return pr, err
	}
	s.adopt(pr.facts)
	j.witnesses(ctx, pr)
	if pr.plan, err = j.plan(ctx, pr, verb); err != nil {
		return pr, err
	}
	return pr, j.preflight(ctx, pr)
}

// untouched is an error of the time before anything was changed. What single
// nodes said is a refusal then: "some nodes done" would not be true.
func untouched(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return &CancelledError{}
	}
	return unreachable(err)
}

// unreachable turns connection errors into a refusal: nothing is planned for a
// node that was not asked.
func unreachable(err error) error {
	var nodes *NodeErrors
	var fenced *FencedError
	if !errors.As(err, &nodes) || errors.As(err, &fenced) {
		return err // somebody else has the deployment: that has a status of its own
	}
	r := &RefusedError{Text: "nothing was changed: not every node can be worked on"}
	for _, ne := range nodes.Errs {
		r.Refusals = append(r.Refusals, Refusal{Node: ne.Node, Text: ne.Err.Error(), Hint: hint.Of(ne.Err)})
	}
	return r
}

// settleOld waits for changes that are still running on the nodes: an earlier
// icm began them, and the agents go on by themselves.
func (j *Job) settleOld(ctx context.Context, nodes map[string]Node, which []state.Instance) error {
	return forEach(ctx, machineNames(which), j.Parallel, func(ctx context.Context, _ int, name string) error {
		var reply wire.ChangesReply
		if err := nodes[name].Call(ctx, wire.MethodChanges, wire.ChangesRequest{}, &reply); err != nil {
			return fromAgent(err)
		}
		for _, cs := range reply.Changes {
			if cs.Status.Ended() {
				continue
			}
			if err := j.waitFor(ctx, nodes[name], cs.Change, name); err != nil {
				return err
			}
		}
		return nil
	})
}

// plan drafts, looks and settles.
func (j *Job) plan(ctx context.Context, pr *prepared, verb Verb) (*Plan, error) {
	s := pr.site
	p := &Plan{Format: planFormat, Verb: string(verb), Deployment: s.dir.ID}
	c, err := s.cluster(pr.heard)
	if err != nil {
		return nil, err
	}
	drafts, err := j.draft(verb, c, p)
	if err != nil {
		return nil, err
	}
	looked, err := j.planStages(ctx, pr, verb, drafts)
	if err != nil {
		return nil, err
	}
	looked.Notes, looked.Procedure = p.Notes, p.Procedure
	for _, d := range pr.away {
		looked.Skipped = append(looked.Skipped, d.Node)
	}
	return looked, nil
}

// planStages asks the nodes about a draft and makes the plan of what is not
// yet so.
func (j *Job) planStages(ctx context.Context, pr *prepared, verb Verb, drafts []draftStage) (*Plan, error) {
	drafts = pr.site.leaveAlone(drafts)
	seen, err := lookAll(ctx, pr.nodes, drafts, j.Parallel)
	if err != nil {
		return nil, fromAgent(err)
	}
	stages, refused, err := settle(drafts, seen)
	if err != nil {
		return nil, err
	}
	if len(refused) > 0 {
		return nil, &RefusedError{Text: "nothing was changed: some nodes are not fit for it", Refusals: refused}
	}
	return &Plan{Format: planFormat, Verb: string(verb), Deployment: pr.site.dir.ID, Stages: stages}, nil
}

func (j *Job) draft(verb Verb, c cluster, p *Plan) ([]draftStage, error) {
	switch verb {
	case VerbInstall:
		return draftInstall(c)
	case VerbUpgrade:
		return j.draftUpgrade(c, p)
	case VerbUninstall:
		return j.draftUninstall(c)
	case VerbStart:
		return draftStart(c)
	case VerbStop:
		return draftStages(only(c, instances), stopTable), nil
	default:
		return nil, fmt.Errorf("there is no recipe for %s", verb)
	}
}

// draftInstall refuses application servers whose data server is not there: their
// namespace would lead nowhere.
func draftInstall(c cluster) ([]draftStage, error) {
	for _, m := range c.selected {
		if m.Role == "AM" && c.server(m).Machine == "" {
			return nil, refuse(fmt.Sprintf("nothing was changed: the data server of %s is not provisioned", m.Machine), "icm provision -stateDir DIR makes it; icm inventory lists what is there")
		}
	}
	return draftStages(c, installTable), nil
}

// draftUninstall refuses a -removeData that names none of the nodes: a slip of
// the pen must not look like consent that was used.
func (j *Job) draftUninstall(c cluster) ([]draftStage, error) {
	data := map[string]bool{}
	for _, machine := range j.RemoveData {
		if !slices.ContainsFunc(c.selected, func(m member) bool { return m.Machine == machine }) {
			return nil, refuse(fmt.Sprintf("nothing was changed: -removeData names %s, which is none of the nodes", machine), "icm inventory lists the nodes; -removeData takes whole names")
		}
		data[machine] = true
	}
	if refused := refuseLeaving(c); len(refused) > 0 {
		return nil, &RefusedError{Text: "nothing was changed", Refusals: refused}
	}
	return draftStages(c, uninstallTable(data)), nil
}

// draftStart refuses nodes on which there is nothing to start.
func draftStart(c cluster) ([]draftStage, error) {
	r := &RefusedError{Text: "nothing was changed: there is nothing to start on some nodes"}
	c = only(c, instances)
	for _, s := range c.selected {
		if s.now.version == "" {
			r.Refusals = append(r.Refusals, Refusal{Node: s.Machine, Task: "Start " + s.Instance.Name, Text: "has no instance " + s.Instance.Name, Hint: "icm install brings it there"})
		}
	}
	if len(r.Refusals) > 0 {
		return nil, r
	}
	return draftStages(c, startTable), nil
}

// consent asks before a one-way step that the operator named nowhere.
func (j *Job) consent(verb Verb, p *Plan) error {
	if verb == VerbUninstall {
		what := fmt.Sprintf("This uninstalls IRIS from %d nodes.", len(p.Nodes())+len(p.Skipped))
		if len(j.RemoveData) > 0 {
			what += " The data of " + strings.Join(j.RemoveData, ", ") + " is deleted."
		}
		return j.Confirm(what)
	}
	return nil
}

// runPlan records and runs.
func (j *Job) runPlan(ctx context.Context, pr *prepared, fence wire.Fence) error {
	secrets, err := j.secrets(pr)
	if err != nil {
		return err
	}
	op, err := pr.site.dir.NewOperation(j.Verb, j.Argv, j.World.Now())
	if err != nil {
		return err
	}
	if err := errors.Join(op.Plan(pr.plan), pr.owe(op)); err != nil {
		return err
	}
	if err := errors.Join(op.Event(planRecord{Plan: pr.plan.Digest()}), pr.recordKits(op)); err != nil {
		return err
	}
	return j.runWith(ctx, pr, fence, op, secrets, nil)
}

// runRecorded goes on with an operation whose record is there.
func (j *Job) runRecorded(ctx context.Context, pr *prepared, fence wire.Fence, op *state.Operation, passed map[int]bool) error {
	secrets, err := j.secrets(pr)
	if err != nil {
		return err
	}
	return j.runWith(ctx, pr, fence, op, secrets, passed)
}

func (j *Job) runWith(ctx context.Context, pr *prepared, fence wire.Fence, op *state.Operation, secrets map[string]map[string][]byte, passed map[int]bool) error {
	r := &runner{
		nodes: pr.nodes, kits: pr.site.kits, fence: fence, operation: op.ID(), plan: pr.plan, secrets: secrets,
		parallel: j.Parallel, report: j.World.Report, record: op.Event,
		atWork: map[string]bool{}, done: map[string]bool{}, passed: passed,
		hold: func() bool { return exists(holdPath(pr.site.dir, op.ID())) },
	}
	runErr := r.run(ctx)
	var held *HeldError
	if errors.As(runErr, &held) {
		return hint.New(runErr, "icm resume goes on; icm undo "+op.ID()+" takes back what was done")
	}
	if cancelled := r.cancelled(ctx, runErr); cancelled != nil {
		runErr = cancelled
	}
	if runErr == nil && pr.then != nil {
		runErr = pr.then()
	}
	ended := runErr
	if ended == nil {
		ended = pr.plan.skipped()
	}
	return errors.Join(runErr, op.Finish(outcome(ended), j.World.Now()))
}

func outcome(err error) state.Outcome {
	var nodes *NodeErrors
	var skipped *SkippedError
	switch {
	case err == nil:
		return state.Outcome{State: state.Done}
	case errors.As(err, &skipped):
		return state.Outcome{State: state.Partial, Error: err.Error(), Hint: hint.Of(err)}
	case errors.Is(err, context.Canceled):
		return state.Outcome{State: state.Cancelled, Error: err.Error()}
	case errors.As(err, &nodes) && nodes.Done > 0:
		return state.Outcome{State: state.Partial, Error: err.Error(), Hint: hint.Of(err)}
	default:
		return state.Outcome{State: state.Failed, Error: err.Error(), Hint: hint.Of(err)}
	}
}
