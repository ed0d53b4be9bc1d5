package deploy

import (
	"encoding/json"
	"fmt"
	"net/url"
	"path"
	"slices"
	"time"

	"icm/controller/receipt"
	"icm/controller/state"
	"icm/internal/hint"
	"icm/internal/kind"
	"icm/internal/wire"
)

// Receipt says what an operation did, from its record: no node is asked. Only
// an operation that has ended has one.
func (j *Job) Receipt(id string) (*receipt.Receipt, error) {
	dir, rec, err := j.operation(id)
	if err != nil {
		return nil, err
	}
	if rec.Outcome == nil {
		return nil, hint.New(fmt.Errorf("operation %s has not ended: it is %s", rec.Meta.ID, shownState(dir, *rec)), "icm resume goes on with it; icm receipt ID writes the receipt of another one")
	}
	plan, err := savedPlan(rec)
	if err != nil {
		return nil, err
	}
	r := &receipt.Receipt{
		Deployment: dir.ID, Operation: rec.Meta.ID, Command: append([]string{"icm"}, rec.Meta.Argv...),
		Ended: rfc3339(rec.Outcome.Time), Result: rec.State, Error: rec.Outcome.Error,
		Plan: originalPlan(rec, plan), Kits: receiptKits(rec, plan), Nodes: receiptNodes(rec, plan),
	}
	for _, run := range rec.Meta.Runs {
		r.By = append(r.By, receipt.Run{User: run.User, Host: run.Host, Since: rfc3339(run.Since)})
	}
	r.UndoneBy, err = undoneBy(dir, rec.Meta.ID)
	return r, err
}

func rfc3339(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// undoneBy finds the operation that took another one back, "" when none did.
func undoneBy(dir *state.Dir, id string) (string, error) {
	all, err := dir.ListOperations()
	for _, r := range all {
		if argv := r.Meta.Argv; r.Meta.Verb == "undo" && len(argv) > 0 && argv[len(argv)-1] == id {
			return r.Meta.ID, err
		}
	}
	return "", err
}

// originalPlan is the digest of the plan that was run, also where the record had
// to be put together from what the nodes knew.
func originalPlan(rec *state.Recorded, plan *Plan) string {
	for _, ev := range rec.Events {
		var r recoveredRecord
		if json.Unmarshal(ev.Data, &r) == nil && r.Original != "" {
			return r.Original
		}
	}
	return plan.Digest()
}

// receiptKits are the kits of an operation: those that the controller brought
// are in its record, the others in the tasks that fetched them.
func receiptKits(rec *state.Recorded, plan *Plan) []receipt.Kit {
	out := []receipt.Kit{}
	add := func(k receipt.Kit) {
		if !slices.ContainsFunc(out, func(o receipt.Kit) bool { return o.Name == k.Name && o.SHA256 == k.SHA256 }) {
			out = append(out, k)
		}
	}
	for _, ev := range rec.Events {
		var r kitRecord
		if json.Unmarshal(ev.Data, &r) == nil && r.From != "" {
			add(receipt.Kit{Name: r.Kit, SHA256: r.SHA256, Size: r.Size, From: r.From, Bundle: r.Bundle})
		}
	}
	for _, st := range plan.Stages {
		for _, ch := range st.Changes {
			for _, s := range ch.Tasks {
				if k, ok := fetchedBy(s.Task); ok && !brought(k) {
					add(receipt.Kit{Name: k.Name, SHA256: k.SHA256, Size: k.Size, From: withoutQuery(k.URL)})
				}
			}
		}
	}
	return out
}

// fetchedBy is the kit that a task takes to the node.
func fetchedBy(t wire.Task) (kind.Kit, bool) {
	var k kind.Kit
	ok := t.Kind == kind.KitFetch && json.Unmarshal(t.Args, &k) == nil
	return k, ok
}

// withoutQuery takes from an address what may let somebody in.
func withoutQuery(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return path.Base(address)
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}

// receiptNodes are the nodes of a plan, with what became of each of its changes.
func receiptNodes(rec *state.Recorded, plan *Plan) []receipt.Node {
	ended := stageResults(rec)
	byName := map[string]*receipt.Node{}
	for i, st := range plan.Stages {
		for _, ch := range st.Changes {
			n := byName[ch.Node]
			if n == nil {
				n = &receipt.Node{Machine: ch.Node}
				byName[ch.Node] = n
			}
			result := receipt.Stage{Result: receipt.NotBegun}
			if r, ok := ended[changeID(rec.Meta.ID, i, ch.Node)]; ok {
				result = r
			}
			result.Name = st.Name
			n.Stages = append(n.Stages, result)
			for _, s := range ch.Tasks {
				describe(n, s.Task)
			}
		}
	}
	out := []receipt.Node{}
	for _, name := range plan.Nodes() {
		byName[name].Conclude()
		out = append(out, *byName[name])
	}
	for _, name := range plan.Skipped {
		out = append(out, receipt.Node{Machine: name, Result: receipt.Skipped, Stages: []receipt.Stage{}})
	}
	return out
}

// describe adds what a task tells of the instance on its node.
func describe(n *receipt.Node, t wire.Task) {
	var in kind.Install
	k, ok := fetchedBy(t)
	if (t.Kind == kind.IRISInstall || t.Kind == kind.IRISUpgrade) && json.Unmarshal(t.Args, &in) == nil {
		n.Instance, n.Version, k, ok = in.Instance, in.Version, in.Kit, true
	}
	if ok && k.Name != "" && !slices.Contains(n.Kits, k.Name) {
		n.Kits = append(n.Kits, k.Name)
	}
}

// stageResults are the last words on every change, by its id.
func stageResults(rec *state.Recorded) map[string]receipt.Stage {
	out := map[string]receipt.Stage{}
	for _, ev := range rec.Events {
		var r changeRecord
		if json.Unmarshal(ev.Data, &r) != nil || r.Change == "" {
			continue
		}
		result := string(r.Status)
		switch {
		case r.Status == wire.StatusDo:
			result = receipt.Unknown
		case r.Status == wire.StatusUndo && r.Error == "":
			result = string(wire.StatusUndone)
		case r.Status == wire.StatusUndo:
			result = string(wire.StatusError)
		}
		out[r.Change] = receipt.Stage{Result: result, Error: r.Error}
	}
	return out
}
