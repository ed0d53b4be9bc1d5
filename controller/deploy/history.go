package deploy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"icm/controller/state"
	"icm/internal/atomicfile"
	"icm/internal/hint"
	"icm/internal/wire"
)

// holdFile, in an operation's directory, asks the icm that runs it to stop at
// the next safe point.
const holdFile = "hold"

// Held is the state of an operation that was stopped at a safe point; icm
// resume goes on with it.
const Held = "held"

// OperationRow is a line of `icm operations`, and an element of its JSON form.
type OperationRow struct {
	ID      string    `json:"id"`
	Command []string  `json:"command"`
	Who     string    `json:"who"` // alice@ops1
	Began   time.Time `json:"began"`
	State   string    `json:"state"`
	Error   string    `json:"error,omitempty"`
}

// Operations lists what was done to the deployment, oldest first.
func (j *Job) Operations() ([]OperationRow, error) {
	dir, err := j.stateDir()
	if err != nil {
		return nil, err
	}
	all, err := dir.ListOperations()
	rows := make([]OperationRow, len(all))
	for i, r := range all {
		first := r.Meta.Runs[0]
		rows[i] = OperationRow{
			ID: r.Meta.ID, Command: append([]string{"icm"}, r.Meta.Argv...), Who: first.User + "@" + first.Host,
			Began: r.Meta.Began(), State: shownState(dir, r),
		}
		if r.Outcome != nil {
			rows[i].Error = r.Outcome.Error
		}
	}
	return rows, errors.Join(err, j.tellDebts(dir))
}

// shownState tells an operation that was held from one that was interrupted.
func shownState(dir *state.Dir, r state.Recorded) string {
	if r.State == state.Interrupted && exists(holdPath(dir, r.Meta.ID)) {
		return Held
	}
	return r.State
}

func holdPath(dir *state.Dir, id string) string {
	return filepath.Join(dir.Path, "operations", id, holdFile)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// stateDir opens the state directory without looking at nodes.
func (j *Job) stateDir() (*state.Dir, error) {
	if j.Files.StateDir != "" {
		return state.Open(j.Files.StateDir)
	}
	all := *j
	all.Select = Selection{}
	p, err := all.instances()
	return p.dir, err
}

// operation opens a record: the one of that id, which may be shortened to what
// is still unique, or the newest when id is "".
func (j *Job) operation(id string) (*state.Dir, *state.Recorded, error) {
	dir, err := j.stateDir()
	if err != nil {
		return nil, nil, err
	}
	all, err := dir.ListOperations()
	if err != nil {
		return nil, nil, err
	}
	var found []string
	for _, r := range all {
		if strings.HasPrefix(r.Meta.ID, id) {
			found = append(found, r.Meta.ID)
		}
	}
	switch {
	case len(all) == 0:
		return nil, nil, hint.New(errors.New("nothing was done here yet"), "icm operations lists what was done")
	case len(found) == 0:
		return nil, nil, hint.New(fmt.Errorf("there is no operation %s", id), "icm operations lists them")
	case id != "" && len(found) > 1:
		return nil, nil, hint.New(fmt.Errorf("%s names %d operations", id, len(found)), "write more of the id")
	}
	rec, err := dir.OpenOperation(found[len(found)-1])
	return dir, rec, err
}

// savedPlan is the plan of a recorded operation.
func savedPlan(r *state.Recorded) (*Plan, error) {
	var p Plan
	if len(r.Plan) == 0 {
		return nil, fmt.Errorf("operation %s ended before it had a plan", r.Meta.ID)
	}
	if err := json.Unmarshal(r.Plan, &p); err != nil {
		return nil, fmt.Errorf("cannot read the plan of operation %s: %w", r.Meta.ID, err)
	}
	if p.Format > planFormat {
		return nil, hint.New(fmt.Errorf("the plan of operation %s has format %d, this icm knows formats up to %d", r.Meta.ID, p.Format, planFormat), "a newer icm made it: use that one")
	}
	for _, ev := range r.Events {
		var began planRecord
		if err := json.Unmarshal(ev.Data, &began); err == nil && began.Plan != "" && began.Plan != p.Digest() {
			return nil, fmt.Errorf("the plan of operation %s was altered after it was recorded", r.Meta.ID)
		}
	}
	return &p, nil
}

// NodeTasks is what one node was asked to do in one stage, and how it stands.
type NodeTasks struct {
	Node  string `json:"node"`
	Stage string `json:"stage"`
	// Known is false when the node was not asked yet, or does not answer; Note
	// says which.
	Known  bool      `json:"known"`
	Note   string    `json:"note,omitempty"`
	Status string    `json:"status,omitempty"`
	Tasks  []TaskRow `json:"tasks"`
}

// TaskRow is one task of it.
type TaskRow struct {
	Kind    string   `json:"kind"`
	Summary string   `json:"summary"`
	Status  string   `json:"status,omitempty"` // "" when the node was not asked
	Error   string   `json:"error,omitempty"`
	Log     []string `json:"log,omitempty"`
}

// Tasks tells every task of an operation on every node, with its log, as the
// nodes' own journals have it.
func (j *Job) Tasks(ctx context.Context, id string) (*state.Recorded, []NodeTasks, error) {
	dir, rec, err := j.operation(id)
	if err != nil {
		return nil, nil, err
	}
	plan, err := savedPlan(rec)
	if err != nil {
		return rec, nil, err
	}
	all := *j
	all.Select = Selection{}
	p, err := all.instances()
	if err != nil {
		return rec, nil, err
	}
	nodes, connErr := all.connectAll(ctx, involved(p.real(), plan), dir)
	defer closeAll(nodes)
	if ctx.Err() != nil {
		return rec, nil, connErr
	}
	return rec, gatherTasks(ctx, plan, rec.Meta.ID, nodes, j.Parallel), nil
}

// involved are the nodes that a plan names.
func involved(nodes []state.Instance, plan *Plan) []state.Instance {
	var out []state.Instance
	for _, name := range plan.Nodes() {
		if n := state.FindInstance(nodes, name); n != nil {
			out = append(out, *n)
		}
	}
	return out
}

func gatherTasks(ctx context.Context, plan *Plan, operation string, nodes map[string]Node, parallel int) []NodeTasks {
	var out []NodeTasks
	var names []string
	var ids []string
	digest := plan.Digest()
	for i, st := range plan.Stages {
		for _, ch := range st.Changes {
			out = append(out, NodeTasks{Node: ch.Node, Stage: st.Name, Tasks: taskRows(wire.ChangeState{Change: wireChange(plan, digest, operation, i, st, ch)})})
			names = append(names, ch.Node)
			ids = append(ids, changeID(operation, i, ch.Node))
		}
	}
	var mu sync.Mutex
	_ = forEach(ctx, names, parallel, func(ctx context.Context, i int, name string) error {
		known, note, cs := askChange(ctx, nodes[name], ids[i])
		mu.Lock()
		defer mu.Unlock()
		out[i].Known, out[i].Note = known, note
		if known {
			out[i].Status, out[i].Tasks = string(cs.Status), taskRows(cs)
		}
		return nil
	})
	return out
}

func taskRows(cs wire.ChangeState) []TaskRow {
	rows := make([]TaskRow, len(cs.Change.Tasks))
	for i, t := range cs.Change.Tasks {
		rows[i] = TaskRow{Kind: t.Kind, Summary: t.Summary}
		if i < len(cs.Tasks) {
			rows[i].Status, rows[i].Error, rows[i].Log = string(cs.Tasks[i].Status), cs.Tasks[i].Error, cs.Tasks[i].Log
		}
	}
	return rows
}

func askChange(ctx context.Context, n Node, id string) (known bool, note string, cs wire.ChangeState) {
	if n == nil {
		return false, "the node does not answer", cs
	}
	var reply wire.ChangesReply
	err := n.Call(ctx, wire.MethodChanges, wire.ChangesRequest{ID: id}, &reply)
	var said *wire.Error
	switch {
	case errors.As(err, &said) && said.Code == wire.CodeNotFound, err == nil && len(reply.Changes) == 0:
		return false, "not begun", cs
	case err != nil:
		return false, err.Error(), cs
	default:
		return true, "", reply.Changes[0]
	}
}

// Hold asks the icm that runs an operation to stop at the next safe point:
// between two stages.
func (j *Job) Hold(id string) (string, error) {
	dir, rec, err := j.operation(id)
	if err != nil {
		return "", err
	}
	if rec.State != state.Running {
		return "", hint.New(fmt.Errorf("operation %s does not run: it is %s", rec.Meta.ID, shownState(dir, *rec)), "icm operations lists them")
	}
	return rec.Meta.ID, atomicfile.Write(holdPath(dir, rec.Meta.ID), nil, 0o600)
}

// Unlock takes the lock from whoever holds it. The old holder is refused by
// every node from the next operation on.
func (j *Job) Unlock() (*state.Owner, error) {
	dir, err := j.stateDir()
	if err != nil {
		return nil, err
	}
	return dir.ForceUnlock("icm unlock", j.World.Now())
}

// LockHolder says who holds the lock, nil when nobody does.
func (j *Job) LockHolder() (*state.Owner, error) {
	dir, err := j.stateDir()
	if err != nil {
		return nil, err
	}
	return dir.Holder()
}
