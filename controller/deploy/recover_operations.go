package deploy

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"icm/controller/state"
	"icm/internal/kind"
	"icm/internal/wire"
)

// recoveredRecord marks a record that was put together from the nodes' journals.
type recoveredRecord struct {
	Recovered bool `json:"recovered"`
	// Original is the digest of the plan that was run; the plan in the record
	// has only what the nodes were asked to do.
	Original string `json:"original_plan"`
}

// lostOperation is an operation as the journals of its nodes have it.
type lostOperation struct {
	plan   Plan
	events []any
}

// rebuildOperations records what the nodes' journals know of operations, and
// says how many there are.
func (j *Job) rebuildOperations(members []survivor, dir *state.Dir) (int, error) {
	found := map[string]*lostOperation{}
	for _, m := range members {
		for _, cs := range m.changes {
			op := found[cs.Change.Operation]
			if op == nil {
				op = &lostOperation{plan: Plan{Format: planFormat, Deployment: dir.ID}, events: []any{recoveredRecord{true, cs.Change.Plan}}}
				found[cs.Change.Operation] = op
			}
			op.add(m.of.MachineName, cs)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(found)) {
		if err := dir.RecoverOperation(id, found[id].plan.Verb, found[id].plan, found[id].events, j.World.Now()); err != nil {
			return 0, err
		}
	}
	return len(found), nil
}

// add puts a change where it stood in the plan: its id and its summary say so.
func (l *lostOperation) add(node string, cs wire.ChangeState) {
	c := cs.Change
	number, _, _ := strings.Cut(strings.TrimPrefix(c.ID, c.Operation+"-"), "-")
	stage, err := strconv.Atoi(number)
	if err != nil || stage < 1 || stage > mostStages {
		return // not one of ours
	}
	verb, name, _ := strings.Cut(c.Summary, ": ")
	l.plan.Verb = verb
	for len(l.plan.Stages) < stage {
		l.plan.Stages = append(l.plan.Stages, Stage{})
	}
	st := &l.plan.Stages[stage-1]
	st.Name = name
	ch := NodeChange{Node: node, OnError: c.OnError}
	for _, t := range c.Tasks {
		info := kind.Table[t.Kind]
		ch.Tasks = append(ch.Tasks, Step{Task: t, Reversibility: info.Reversibility, Why: info.Why})
	}
	st.Changes = append(st.Changes, ch)
	l.events = append(l.events, changeRecord{Node: node, Change: c.ID, Status: cs.Status, Error: cs.Error})
}

// mostStages bounds what a journal can make us believe; a plan has one for each
// node at the most, and some more.
const mostStages = 10000
