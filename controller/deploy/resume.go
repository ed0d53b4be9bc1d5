package deploy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"icm/controller/state"
	"icm/internal/hint"
	"icm/internal/wire"
)

// HeldError means that an operation stopped at a safe point because somebody
// asked for it.
type HeldError struct {
	ID, Next string
	Why      string // as the plan has it; "" when it was icm hold
}

func (e *HeldError) Error() string {
	if e.Why != "" {
		return fmt.Sprintf("held before stage %q: %s", e.Next, e.Why)
	}
	return fmt.Sprintf("held before stage %q", e.Next)
}

// Resume goes on with an operation that was held, or whose icm died: the same
// plan, with the same changes. What the nodes have done meanwhile is found
// done; what they have begun is followed to its end.
func (j *Job) Resume(ctx context.Context, id string) (string, error) {
	dir, rec, err := j.resumable(id)
	if err != nil {
		return "", err
	}
	plan, err := savedPlan(rec)
	if err != nil {
		return rec.Meta.ID, err
	}
	lock, err := dir.Lock("icm resume", j.World.Now())
	if err != nil {
		return rec.Meta.ID, err
	}
	defer lock.Unlock() //nolint:errcheck // a lock that was taken away was reported by the nodes
	pr, err := j.reopen(ctx, plan, dir, rec)
	if pr != nil {
		defer closeAll(pr.nodes)
	}
	if err != nil {
		return rec.Meta.ID, err
	}
	if err := os.Remove(holdPath(dir, rec.Meta.ID)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return rec.Meta.ID, err
	}
	op, err := dir.ResumeOperation(rec.Meta.ID, j.World.Now())
	if err != nil {
		return rec.Meta.ID, err
	}
	pr.then = func() error { return j.record(ctx, pr, lock.Fence()) }
	if err := j.runRecorded(ctx, pr, lock.Fence(), op, passed(rec)); err != nil {
		return rec.Meta.ID, err
	}
	return rec.Meta.ID, pr.plan.skipped()
}

// passed are the stages at which a recorded operation was held.
func passed(rec *state.Recorded) map[int]bool {
	out := map[int]bool{}
	for _, ev := range rec.Events {
		var st stageRecord
		if json.Unmarshal(ev.Data, &st) == nil && st.Status == Held {
			out[st.Index] = true
		}
	}
	return out
}

func (j *Job) resumable(id string) (*state.Dir, *state.Recorded, error) {
	dir, rec, err := j.operation(id)
	if err != nil {
		return nil, nil, err
	}
	switch rec.State {
	case state.Interrupted:
		return dir, rec, nil
	case state.Running:
		if last, elsewhere := rec.Meta.Elsewhere(); elsewhere {
			return nil, nil, hint.New(fmt.Errorf("operation %s is %s", rec.Meta.ID, last),
				"if that icm is gone for good: icm unlock -force, then icm resume")
		}
		return nil, nil, hint.New(fmt.Errorf("operation %s is running", rec.Meta.ID), "icm hold stops it at the next safe point")
	default:
		return nil, nil, hint.New(fmt.Errorf("operation %s has ended: %s", rec.Meta.ID, rec.State),
			fmt.Sprintf("icm %s again does what is left", rec.Meta.Verb))
	}
}

// reopen connects to the nodes of a plan that is there already.
func (j *Job) reopen(ctx context.Context, plan *Plan, dir *state.Dir, rec *state.Recorded) (*prepared, error) {
	all := *j
	all.Select, all.Files.StateDir = Selection{}, dir.Path
	verb, ok := ParseVerb(plan.Verb)
	if !ok {
		return nil, fmt.Errorf("there is no way to resume %s", plan.Verb)
	}
	s, err := all.site(verb)
	if err != nil {
		return nil, err
	}
	if err := all.findKits(ctx, s); err != nil {
		if j.Bundle != "" || j.Fields["KitURL"] != "" {
			return nil, err // it was asked for now
		}
		j.warn("%v", err)
	}
	all.recordedKits(ctx, s, rec)
	pr := &prepared{site: s, plan: plan}
	pr.nodes, err = all.connectAll(ctx, involved(s.real(), plan), dir)
	return pr, unreachable(err)
}

// UndoRow is what became of one change that was undone.
type UndoRow struct {
	Node, Stage string
	Undone      []string // summaries of tasks
	Not         []string // those that could not be undone, with the reason
}

// Undo takes an operation back, newest stage first, as far as that is
// possible. Only the newest operation of a node can be undone.
func (j *Job) Undo(ctx context.Context, id string) (string, []UndoRow, error) {
	dir, rec, err := j.operation(id)
	if err != nil {
		return "", nil, err
	}
	plan, err := savedPlan(rec)
	if err != nil {
		return rec.Meta.ID, nil, err
	}
	if rec.State == state.Running {
		return rec.Meta.ID, nil, hint.New(fmt.Errorf("operation %s is running", rec.Meta.ID), "icm hold stops it at the next safe point")
	}
	if err := j.Confirm(fmt.Sprintf("This undoes %s of %s on %d nodes, as far as it can be undone.", rec.Meta.Verb, rec.Meta.Began().Local().Format("2006-01-02 15:04"), len(plan.Nodes()))); err != nil {
		return rec.Meta.ID, nil, err
	}
	lock, err := dir.Lock("icm undo", j.World.Now())
	if err != nil {
		return rec.Meta.ID, nil, err
	}
	defer lock.Unlock() //nolint:errcheck // a lock that was taken away was reported by the nodes
	all := *j
	all.Select, all.Files.StateDir = Selection{}, dir.Path
	p, err := all.instances()
	if err != nil {
		return rec.Meta.ID, nil, err
	}
	nodes, err := all.connectAll(ctx, involved(p.real(), plan), dir)
	defer closeAll(nodes)
	if err != nil {
		return rec.Meta.ID, nil, unreachable(err)
	}
	if err := beyondReturn(ctx, plan, rec, nodes); err != nil {
		return rec.Meta.ID, nil, err
	}
	op, err := dir.NewOperation("undo", append(j.Argv[:len(j.Argv):len(j.Argv)], rec.Meta.ID), j.World.Now())
	if err != nil {
		return rec.Meta.ID, nil, err
	}
	rows, err := j.undoStages(ctx, plan, rec.Meta.ID, nodes, lock.Fence(), op)
	return rec.Meta.ID, rows, errors.Join(err, op.Finish(outcome(err), j.World.Now()))
}

// beyondReturn refuses to undo what has begun a stage from which there is only a
// way on.
func beyondReturn(ctx context.Context, plan *Plan, rec *state.Recorded, nodes map[string]Node) error {
	for i, st := range plan.Stages {
		if st.Barrier == "" {
			continue
		}
		for _, ch := range st.Changes {
			known, _, cs := askChange(ctx, nodes[ch.Node], changeID(rec.Meta.ID, i, ch.Node))
			if known && cs.Status != wire.StatusUndone {
				return refuse(fmt.Sprintf("nothing was undone: the operation is past its point of no return, %q: %s", st.Name, st.Barrier),
					fmt.Sprintf("icm resume goes on where it was held; icm %s again does what is left", rec.Meta.Verb))
			}
		}
	}
	return nil
}

func (j *Job) undoStages(ctx context.Context, plan *Plan, id string, nodes map[string]Node, fence wire.Fence, op *state.Operation) ([]UndoRow, error) {
	var rows []UndoRow
	for i := len(plan.Stages) - 1; i >= 0; i-- {
		st := plan.Stages[i]
		stage := make([]*UndoRow, len(st.Changes))
		names := make([]string, len(st.Changes))
		for k, ch := range st.Changes {
			names[k] = ch.Node
		}
		err := forEach(ctx, names, j.Parallel, func(ctx context.Context, k int, name string) error {
			var err error
			stage[k], err = undoChange(ctx, nodes[name], fence, changeID(id, i, name), name, st.Name, j.World.Report)
			return errors.Join(err, op.Event(changeRecord{Node: name, Change: changeID(id, i, name), Status: wire.StatusUndo, Error: errorText(err)}))
		})
		for _, r := range stage {
			if r != nil {
				rows = append(rows, *r)
			}
		}
		if err != nil {
			return rows, err
		}
	}
	return rows, nil
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// undoChange undoes one change, and says what became of its tasks. nil means
// that the node never had it.
func undoChange(ctx context.Context, n Node, fence wire.Fence, id, node, stage string, report Reporter) (*UndoRow, error) {
	known, _, cs := askChange(ctx, n, id)
	if !known {
		return nil, nil
	}
	var reply wire.AbortReply
	if err := n.Call(ctx, wire.MethodAbort, wire.AbortRequest{Fence: fence, Change: id}, &reply); err != nil {
		return nil, fromAgent(err)
	}
	cs, err := follow(ctx, n, cs.Change, 0, quietReporter{report}, node)
	if err != nil {
		return nil, err
	}
	row := &UndoRow{Node: node, Stage: stage}
	for i, t := range cs.Tasks {
		summary := cs.Change.Tasks[i].Summary
		switch t.Status {
		case wire.StatusUndone:
			row.Undone = append(row.Undone, summary)
		case wire.StatusHold, wire.StatusDo:
		default:
			row.Not = append(row.Not, summary+why(cs, i))
		}
	}
	return row, nil
}

func why(cs wire.ChangeState, i int) string {
	if e := cs.Tasks[i].Error; e != "" {
		return ": " + e
	}
	return ""
}

// quietReporter leaves out what a change did when it was done: only its undoing
// is news.
type quietReporter struct{ Reporter }

func (q quietReporter) Report(ev Event) {
	if ev.Kind != Starting && ev.Kind != Finished {
		q.Reporter.Report(ev)
	}
}
