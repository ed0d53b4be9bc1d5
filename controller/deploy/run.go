package deploy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"icm/controller/remote"
	"icm/internal/hint"
	"icm/internal/kind"
	"icm/internal/wire"
)

// runner runs a plan on connected nodes.
type runner struct {
	nodes     map[string]Node
	kits      map[string]ownKit // by sha256
	fence     wire.Fence
	operation string
	plan      *Plan
	digest    string // of the plan: to make it takes as long as the plan is large
	// secrets are what the tasks of a node ask for by name.
	secrets  map[string]map[string][]byte
	parallel int
	report   Reporter
	// record keeps an event of the operation; it is synced before it returns.
	record func(v any) error

	// hold reports whether somebody asked to stop at the next safe point.
	hold func() bool
	// passed are the stages, by their place, at which the operation stopped
	// before and was resumed.
	passed map[int]bool

	mu     sync.Mutex
	atWork map[string]bool // nodes that have a change and have not said how it ended
	done   map[string]bool // nodes that were changed, and not only prepared
}

// Recorded events of an operation, one of them per line.
type (
	// planRecord is the first event: the record of the plan cannot be changed
	// unnoticed.
	planRecord struct {
		Plan string `json:"plan"`
	}
	stageRecord struct {
		Index  int    `json:"index"`
		Stage  string `json:"stage"`
		Status string `json:"status"` // "started", "done", "failed", "held"
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
	r.digest = r.plan.Digest()
	if err := r.announce(ctx); err != nil {
		return err
	}
	for i, st := range r.plan.Stages {
		if r.hold() || st.Hold != "" && !r.passed[i] {
			return errors.Join(&HeldError{ID: r.operation, Next: st.Name, Why: st.Hold}, r.record(stageRecord{i, st.Name, Held}))
		}
		if err := r.record(stageRecord{i, st.Name, "started"}); err != nil {
			return fmt.Errorf("cannot record the operation: %w", err)
		}
		err := r.stage(ctx, i, st)
		status := "done"
		if err != nil {
			status = "failed"
		}
		if err := errors.Join(err, r.record(stageRecord{i, st.Name, status})); err != nil {
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
	err := forEach(ctx, names, r.parallel, func(ctx context.Context, j int, name string) error {
		err := r.change(ctx, i, st, st.Changes[j])
		r.mu.Lock()
		defer r.mu.Unlock()
		if err == nil && !st.Changes[j].prepares() {
			r.done[name] = true
		}
		return err
	})
	var nodes *NodeErrors
	if !errors.As(err, &nodes) {
		return err
	}
	if st.Together && ctx.Err() == nil {
		err = errors.Join(err, r.takeBack(ctx, i, st, nodes))
	}
	nodes.Done = r.doneBut(nodes)
	return err
}

// takeBack undoes what the other nodes did of a stage that is all or none.
func (r *runner) takeBack(ctx context.Context, i int, st Stage, failed *NodeErrors) error {
	var names []string
	for _, ch := range st.Changes {
		if !slices.ContainsFunc(failed.Errs, func(ne *NodeError) bool { return ne.Node == ch.Node }) {
			names = append(names, ch.Node)
		}
	}
	return forEach(ctx, names, r.parallel, func(ctx context.Context, _ int, name string) error {
		id := changeID(r.operation, i, name)
		row, err := undoChange(ctx, r.nodes[name], r.fence, id, name, st.Name, r.report)
		rec := changeRecord{Node: name, Change: id, Status: wire.StatusUndo, Error: errorText(err)}
		if err == nil && row != nil && len(row.Not) > 0 {
			err = fmt.Errorf("could not be taken back: %s", strings.Join(row.Not, ", "))
		}
		r.mu.Lock()
		delete(r.done, name)
		r.mu.Unlock()
		return errors.Join(err, r.record(rec))
	})
}

// doneBut counts the nodes that the operation has changed, over all stages,
// without those that failed.
func (r *runner) doneBut(failed *NodeErrors) int {
	for _, ne := range failed.Errs {
		delete(r.done, ne.Node)
	}
	return len(r.done)
}

// prepares reports whether a change only brings things to the node that nobody
// notices there.
func (c NodeChange) prepares() bool {
	for _, s := range c.Tasks {
		if s.Kind != kind.KitFetch && s.Kind != kind.KitUnpack {
			return false
		}
	}
	return true
}

// cancelled is how an operation ended that the operator stopped; nil when
// nobody did. What failed by itself before is told too.
func (r *runner) cancelled(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil {
		return nil
	}
	c := hint.New(&CancelledError{Begun: true, AtWork: slices.Sorted(maps.Keys(r.atWork))},
		"icm ps shows how it stands; icm "+r.plan.Verb+" again waits for what is at work, and goes on")
	var nodes *NodeErrors
	if !errors.As(err, &nodes) {
		return c
	}
	failed := &NodeErrors{Done: nodes.Done}
	for _, ne := range nodes.Errs {
		if !errors.Is(ne, context.Canceled) && !errors.Is(ne, context.Cause(ctx)) {
			failed.Errs = append(failed.Errs, ne)
		}
	}
	if len(failed.Errs) == 0 {
		return c
	}
	return errors.Join(c, failed)
}

func (r *runner) working(node string, at bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if at {
		r.atWork[node] = true
	} else {
		delete(r.atWork, node)
	}
}

// announce tells every node what the operation is going to ask of it. From then
// on the nodes refuse anything else.
func (r *runner) announce(ctx context.Context) error {
	err := forEach(ctx, r.plan.Nodes(), r.parallel, func(ctx context.Context, _ int, name string) error {
		node, ok := r.nodes[name]
		if !ok {
			return fmt.Errorf("is not connected")
		}
		req := wire.AnnounceRequest{Fence: r.fence, Operation: r.operation, Plan: r.digest}
		for i, st := range r.plan.Stages {
			for _, ch := range st.Changes {
				if ch.Node != name {
					continue
				}
				digest, err := wire.ChangeDigest(wireChange(r.plan, r.digest, r.operation, i, st, ch))
				if err != nil {
					return err
				}
				req.Changes = append(req.Changes, digest)
			}
		}
		return fromAgent(ask(ctx, node, wire.MethodAnnounce, req, &wire.AnnounceReply{}))
	})
	return unreachable(err) // nothing was changed yet
}

// changeID is made from operation, stage and node: a controller that comes back
// asks for the same change again and does not begin a second one.
func changeID(operation string, stage int, node string) string {
	return fmt.Sprintf("%s-%d-%s", operation, stage+1, node)
}

// wireChange is a change of a plan as its node gets it.
func wireChange(p *Plan, digest, operation string, i int, st Stage, ch NodeChange) wire.Change {
	c := wire.Change{
		ID: changeID(operation, i, ch.Node), Operation: operation, Plan: digest,
		Summary: p.Verb + ": " + st.Name, OnError: ch.OnError,
	}
	for _, s := range ch.Tasks {
		c.Tasks = append(c.Tasks, s.Task)
	}
	return c
}

// change hands a change to its node and follows it to its end. The id is made
// from operation, stage and node, so a controller that comes back asks for the
// same change again and does not begin a second one.
func (r *runner) change(ctx context.Context, i int, st Stage, ch NodeChange) error {
	node, ok := r.nodes[ch.Node]
	if !ok {
		return fmt.Errorf("is not connected")
	}
	c := wireChange(r.plan, r.digest, r.operation, i, st, ch)
	req := wire.SubmitRequest{Fence: r.fence, Change: c, Secrets: r.secrets[ch.Node]}
	if err := r.record(changeRecord{Node: ch.Node, Change: c.ID, Status: wire.StatusDo}); err != nil {
		return err
	}
	if err := r.bring(ctx, node, c.ID, ch); err != nil {
		return err
	}
	r.working(ch.Node, true)
	outcome, err := r.submit(ctx, node, ch.Node, req)
	if err != nil {
		return err
	}
	r.working(ch.Node, false)
	rec := changeRecord{Node: ch.Node, Change: c.ID, Status: outcome.Status, Error: outcome.Error}
	return errors.Join(changeError(outcome), r.record(rec))
}

// submit hands a change over and follows it to its end.
func (r *runner) submit(ctx context.Context, node Node, name string, req wire.SubmitRequest) (wire.ChangeState, error) {
	var reply wire.SubmitReply
	err := ask(ctx, node, wire.MethodSubmit, req, &reply)
	var said *wire.Error
	if errors.As(err, &said) {
		r.working(name, false) // it was not taken over
		return wire.ChangeState{}, fromAgent(err)
	}
	var out wire.ChangeState
	if err == nil {
		out, err = follow(ctx, node, req.Change, reply.Seq, r.report, name)
	}
	if errors.Is(err, remote.ErrLost) {
		err = hint.New(err, "its agent goes on by itself; icm "+r.plan.Verb+" again waits for it, and goes on")
	}
	return out, err
}

// asks is how often a call is repeated whose line broke under it.
const asks = 3

// ask calls a method that may be called twice without harm.
func ask(ctx context.Context, node Node, method string, req, reply any) error {
	var err error
	for range asks {
		if err = node.Call(ctx, method, req, reply); !errors.Is(err, remote.ErrLost) || ctx.Err() != nil {
			break
		}
	}
	return err
}

// follow tells the reporter what a change does until it has ended.
func follow(ctx context.Context, node Node, c wire.Change, after uint64, report Reporter, name string) (wire.ChangeState, error) {
	f := follower{change: c, report: report, node: name, begun: map[string]bool{}}
	if err := node.Follow(ctx, c.ID, after, f.item); err != nil {
		return wire.ChangeState{}, err
	}
	var reply wire.ChangesReply
	if err := ask(ctx, node, wire.MethodChanges, wire.ChangesRequest{ID: c.ID}, &reply); err != nil {
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
	waits  waits
	// undoing: errors are no longer those of the work itself.
	undoing bool
}

func (f *follower) item(it wire.Item) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case it.Progress != nil:
		f.report.Report(Event{Kind: Moved, Subject: f.node, Progress: *it.Progress, Text: f.summary(it.Progress.Task)})
		if w := it.Progress.Waiting; w != nil && f.waits.due(*w) {
			tellWaiting(f.report, f.node, *w)
		}
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
	info := wordsOf(f.change.Tasks[i])
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
	case wire.StatusWait:
		f.report.Report(Event{Kind: Waiting, Subject: f.node, Text: strings.TrimPrefix(ev.Line, "waiting ")})
	case wire.StatusError:
		text := fmt.Sprintf("stopped at %q", f.change.Tasks[i].Summary)
		if f.undoing {
			text = fmt.Sprintf("could not undo %q", f.change.Tasks[i].Summary)
		}
		f.report.Report(Event{Kind: Failed, Subject: f.node, Preposition: "on", Text: text, Err: errors.New(ev.Error)})
	case wire.StatusUndoing:
		f.undoing = true
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
