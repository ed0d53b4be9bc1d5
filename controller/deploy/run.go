package deploy

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"icm/internal/kind"
	"icm/internal/wire"
)

// runner runs a plan on connected nodes.
type runner struct {
	nodes     map[string]Node
	fence     wire.Fence
	operation string
	plan      *Plan
	// secrets are what the tasks of a node ask for by name.
	secrets  map[string]map[string][]byte
	parallel int
	report   Reporter
	// record keeps an event of the operation; it is synced before it returns.
	record func(v any) error
}

// Recorded events of an operation, one of them per line.
type (
	stageRecord struct {
		Stage  string `json:"stage"`
		Status string `json:"status"` // "started", "done", "failed"
	}
	changeRecord struct {
		Node   string      `json:"node"`
		Change string      `json:"change"`
		Status wire.Status `json:"status"`
		Error  string      `json:"error,omitempty"`
	}
)

// run runs the stages, one after the other. A stage in which a node failed is
// the last one; its other nodes finish what they were doing.
func (r *runner) run(ctx context.Context) error {
	for i, st := range r.plan.Stages {
		if err := r.record(stageRecord{Stage: st.Name, Status: "started"}); err != nil {
			return fmt.Errorf("cannot record the operation: %w", err)
		}
		err := r.stage(ctx, i, st)
		status := "done"
		if err != nil {
			status = "failed"
		}
		if err := errors.Join(err, r.record(stageRecord{Stage: st.Name, Status: status})); err != nil {
			return err
		}
	}
	return nil
}

func (r *runner) stage(ctx context.Context, i int, st Stage) error {
	names := make([]string, len(st.Changes))
	for j, ch := range st.Changes {
		names[j] = ch.Node
	}
	return forEach(ctx, names, r.parallel, func(ctx context.Context, j int, name string) error {
		return r.change(ctx, i, st, st.Changes[j])
	})
}

// change hands a change to its node and follows it to its end. The id is made
// from operation, stage and node, so a controller that comes back asks for the
// same change again and does not begin a second one.
func (r *runner) change(ctx context.Context, i int, st Stage, ch NodeChange) error {
	node, ok := r.nodes[ch.Node]
	if !ok {
		return fmt.Errorf("is not connected")
	}
	c := wire.Change{
		ID:        fmt.Sprintf("%s-%d-%s", r.operation, i+1, ch.Node),
		Operation: r.operation, Plan: r.plan.Digest(),
		Summary: r.plan.Verb + ": " + st.Name, OnError: ch.OnError,
	}
	for _, s := range ch.Tasks {
		c.Tasks = append(c.Tasks, s.Task)
	}
	var reply wire.SubmitReply
	req := wire.SubmitRequest{Fence: r.fence, Change: c, Secrets: r.secrets[ch.Node]}
	if err := r.record(changeRecord{Node: ch.Node, Change: c.ID, Status: wire.StatusDo}); err != nil {
		return err
	}
	if err := node.Call(ctx, wire.MethodSubmit, req, &reply); err != nil {
		return fromAgent(err)
	}
	outcome, err := follow(ctx, node, c, reply.Seq, r.report, ch.Node)
	if err != nil {
		return err
	}
	rec := changeRecord{Node: ch.Node, Change: c.ID, Status: outcome.Status, Error: outcome.Error}
	return errors.Join(changeError(outcome), r.record(rec))
}

// follow tells the reporter what a change does until it has ended.
func follow(ctx context.Context, node Node, c wire.Change, after uint64, report Reporter, name string) (wire.ChangeState, error) {
	f := follower{change: c, report: report, node: name, begun: map[string]bool{}}
	if err := node.Follow(ctx, c.ID, after, f.item); err != nil {
		return wire.ChangeState{}, err
	}
	var reply wire.ChangesReply
	if err := node.Call(ctx, wire.MethodChanges, wire.ChangesRequest{ID: c.ID}, &reply); err != nil {
		return wire.ChangeState{}, err
	}
	if len(reply.Changes) != 1 {
		return wire.ChangeState{}, fmt.Errorf("the agent does not know change %s any more", c.ID)
	}
	return reply.Changes[0], nil
}

// follower turns the events of one change into the operator's lines.
type follower struct {
	change wire.Change
	report Reporter
	node   string
	mu     sync.Mutex
	begun  map[string]bool // words that were said to begin
}

func (f *follower) item(it wire.Item) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case it.Progress != nil:
		f.report.Report(Event{Kind: Moved, Subject: f.node, Progress: *it.Progress, Text: f.summary(it.Progress.Task)})
	case it.Event != nil:
		f.event(*it.Event)
	}
	return nil
}

func (f *follower) event(ev wire.Event) {
	if ev.Line != "" {
		f.report.Report(Event{Kind: Recorded, Subject: f.node, Text: ev.Line})
	}
	i := f.index(ev.Task)
	if i < 0 {
		return
	}
	info := kind.Table[f.change.Tasks[i].Kind]
	switch ev.Status {
	case wire.StatusDoing:
		if info.Doing != "" && !f.begun[info.Doing] {
			f.begun[info.Doing] = true
			f.report.Report(Event{Kind: Starting, Subject: f.node, Preposition: "on", Text: info.Doing})
		}
	case wire.StatusDone:
		if info.Done != "" && !f.again(i) {
			f.report.Report(Event{Kind: Finished, Subject: f.node, Preposition: "on", Text: info.Done})
		}
	case wire.StatusError:
		f.report.Report(Event{Kind: Recorded, Subject: f.node, Text: f.change.Tasks[i].Summary + ": " + ev.Error})
	case wire.StatusUndoing:
		f.report.Report(Event{Kind: Said, Subject: f.node, Text: "undoing: " + f.change.Tasks[i].Summary})
	}
}

// again reports whether the task after i is of the same kind: several volumes
// are one "Mounting volumes" to the operator.
func (f *follower) again(i int) bool {
	ts := f.change.Tasks
	return i+1 < len(ts) && ts[i+1].Kind == ts[i].Kind
}

func (f *follower) index(task string) int {
	for i, t := range f.change.Tasks {
		if t.ID == task {
			return i
		}
	}
	return -1
}

func (f *follower) summary(task string) string {
	if i := f.index(task); i >= 0 {
		return f.change.Tasks[i].Summary
	}
	return ""
}
