package deploy

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"icm/controller/remote"
	"icm/controller/state"
	"icm/internal/hint"
	"icm/internal/wire"
)

// SkippedError means that an operation was done but for nodes that did not
// answer, which owe it now.
type SkippedError struct {
	Verb  string
	Nodes []string
}

func (e *SkippedError) Error() string {
	return fmt.Sprintf("%s did not answer and was left out of %s", strings.Join(e.Nodes, ", "), e.Verb)
}

// skipped is the error of a plan that leaves nodes out, nil for any other.
func (p *Plan) skipped() error {
	if len(p.Skipped) == 0 {
		return nil
	}
	return hint.New(&SkippedError{Verb: p.Verb, Nodes: p.Skipped},
		"when it answers again, the next operation does first what it owes; icm "+p.Verb+" does it at once")
}

// skipAway leaves nodes out that did not answer, when the operator asked for
// that. What was wrong with any other node stays an error: a login that is
// refused or a host key that changed does not mend itself.
func (j *Job) skipAway(ctx context.Context, pr *prepared, verb Verb, err error) error {
	var nodes *NodeErrors
	if err == nil || !j.SkipUnreachable || ctx.Err() != nil || !errors.As(err, &nodes) {
		return err
	}
	var away []state.Debt
	for _, ne := range nodes.Errs {
		if !remote.WaitingHelps(ne.Err) {
			return err
		}
		away = append(away, state.Debt{Node: ne.Node, Verb: string(verb), Fields: j.Fields, Why: ne.Err.Error()})
	}
	if len(away) == len(pr.site.real()) {
		return err // nothing is left to work on
	}
	for _, d := range away {
		if err := j.servesNobody(pr.site, verb, d); err != nil {
			return err
		}
		j.warn("%s does not answer and is left out: %s", d.Node, d.Why)
	}
	pr.away = away
	pr.site.nodes = slices.DeleteFunc(slices.Clone(pr.site.nodes), func(n state.Instance) bool { return owes(away, n.MachineName) })
	return nil
}

func owes(debts []state.Debt, node string) bool {
	return slices.ContainsFunc(debts, func(d state.Debt) bool { return d.Node == node })
}

// servesNobody refuses to leave out a data server whose application servers are
// to be installed: they could not reach their data.
func (j *Job) servesNobody(s *site, verb Verb, d state.Debt) error {
	if verb != VerbInstall {
		return nil
	}
	for _, n := range s.real() {
		app, ok := s.topo.Node(n.MachineName)
		if !ok || app.Role != "AM" {
			continue
		}
		if data, ok := s.topo.DataServer(app); ok && data.MachineName == d.Node {
			return refuse(fmt.Sprintf("nothing was changed: the data server %s does not answer (%s), and %s cannot be installed without it", d.Node, d.Why, n.MachineName),
				"bring the data server up, or choose other nodes with -role or -machine")
		}
	}
	return nil
}

// owe records what the nodes that were left out are to do later.
func (pr *prepared) owe(op *state.Operation) error {
	if len(pr.away) == 0 {
		return nil
	}
	for i := range pr.away {
		pr.away[i].Operation, pr.away[i].Since = op.ID(), op.Meta.Began()
	}
	return pr.site.dir.Owe(pr.away...)
}

// tellDebts names what is owed, so that nobody takes the deployment for whole.
func (j *Job) tellDebts(dir *state.Dir) error {
	debts, err := dir.Debts()
	for _, d := range debts {
		j.warn("%s", d)
	}
	return err
}

// due are the debts of the selected nodes that an operation has to settle
// before it does its own work: not those that it settles, or cancels, itself.
func (j *Job) due(p provisioned, verb Verb) ([]state.Debt, error) {
	debts, err := p.dir.Debts()
	if err != nil || verb == VerbUninstall {
		return nil, err
	}
	return slices.DeleteFunc(debts, func(d state.Debt) bool {
		return d.Verb == string(verb) || state.FindInstance(p.nodes, d.Node) == nil
	}), nil
}

// planDebts tells what is owed, and what the operation would settle before its
// own plan is made.
func (j *Job) planDebts(verb Verb) error {
	p, err := j.instances()
	if err != nil {
		return err
	}
	if err := j.tellDebts(p.dir); err != nil {
		return err
	}
	due, err := j.due(p, verb)
	for _, d := range due {
		j.warn("before this plan, %s would do what it owes: %s. icm plan %s -machine %s shows it", d.Node, d.Verb, d.Verb, d.Node)
	}
	return err
}

// settleDebts does what the nodes of an operation owe, as far as they answer,
// before the operation looks at them. Every debt is an operation of its own.
func (j *Job) settleDebts(ctx context.Context, verb Verb, fence wire.Fence) error {
	p, err := j.instances()
	if err != nil {
		return err
	}
	due, err := j.due(p, verb)
	if err != nil {
		return err
	}
	if len(due) > 0 && j.WantPlan != "" {
		return refuse(fmt.Sprintf("nothing was changed: %s owes %s, which is not in the plan that may be run", due[0].Node, due[0].Verb),
			fmt.Sprintf("icm %s -machine %s settles it; then make a new plan", due[0].Verb, due[0].Node))
	}
	away := map[string]bool{}
	for _, d := range due {
		if away[d.Node] {
			continue // what is owed is done in order, or not at all
		}
		settled, err := j.settleDebt(ctx, p.dir, d, fence)
		if err != nil {
			return err
		}
		away[d.Node] = !settled
	}
	return nil
}

// settleDebt does one. settled is false when the node does not answer yet.
func (j *Job) settleDebt(ctx context.Context, dir *state.Dir, d state.Debt, fence wire.Fence) (settled bool, err error) {
	verb, ok := ParseVerb(d.Verb)
	if !ok {
		return false, fmt.Errorf("node %s owes %q, which this icm cannot do", d.Node, d.Verb)
	}
	sub := *j
	sub.Select = Selection{Machine: regexp.QuoteMeta(d.Node)}
	sub.Fields, sub.Verb, sub.Argv = d.Fields, d.Verb, []string{d.Verb, "-machine", d.Node}
	sub.SkipUnreachable, sub.RemoveData, sub.warned = false, nil, true
	pr, err := sub.lookAround(ctx, verb)
	if pr != nil {
		defer closeAll(pr.nodes)
	}
	var nodes *NodeErrors
	if errors.As(err, &nodes) && remote.WaitingHelps(nodes) {
		return false, nil // the operation itself says that it does not answer
	}
	if err != nil {
		return false, untouched(ctx, err)
	}
	j.say("%s answers again: settling %s, which it owes since operation %s", d.Node, d.Verb, d.Operation)
	if !pr.plan.Empty() {
		if err := sub.consent(verb, pr.plan); err != nil {
			return false, err
		}
		if err := sub.runPlan(ctx, pr, fence); err != nil {
			return false, err
		}
	}
	return true, errors.Join(sub.record(ctx, pr, fence), dir.Settle(func(o state.Debt) bool { return o.Node == d.Node && o.Verb == d.Verb }))
}

// settleOwn strikes out the debts that a verb paid, or made void, on the nodes
// it was done on.
func settleOwn(s *site, verb Verb) error {
	return s.dir.Settle(func(d state.Debt) bool {
		return state.FindInstance(s.nodes, d.Node) != nil && (verb == VerbUninstall || d.Verb == string(verb))
	})
}
