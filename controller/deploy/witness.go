package deploy

import (
	"context"
	"maps"
	"sync"

	"icm/controller/state"
	"icm/internal/wire"
)

// witnesses asks the members of the selected nodes' mirrors that were not
// selected themselves who they are now. Nothing is done to them; one that does
// not answer says nothing.
func (j *Job) witnesses(ctx context.Context, pr *prepared) {
	pr.heard = maps.Clone(pr.facts)
	var ask []state.Instance
	for _, n := range pr.site.partners() {
		if !owes(pr.away, n.MachineName) {
			ask = append(ask, n)
		}
	}
	var mu sync.Mutex
	_ = forEach(ctx, machineNames(ask), j.Parallel, func(ctx context.Context, i int, name string) error {
		f, err := j.askFacts(ctx, ask[i], pr.site.dir)
		if err != nil {
			j.World.Report.Report(Event{Kind: Recorded, Subject: name, Text: err.Error()})
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		pr.heard[name] = f
		return nil
	})
}

// askFacts asks one node what it is.
func (j *Job) askFacts(ctx context.Context, n state.Instance, dir *state.Dir) (wire.Facts, error) {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	a, err := j.address(n, dir)
	if err != nil {
		return wire.Facts{}, err
	}
	node, err := j.World.Connect(ctx, a)
	if err != nil {
		return wire.Facts{}, err
	}
	defer node.Close()
	var f wire.Facts
	err = node.Call(ctx, wire.MethodFacts, wire.FactsRequest{}, &f)
	return f, err
}

// partners are the nodes of the selected ones' mirrors that are not selected.
func (s *site) partners() []state.Instance {
	mirrors, selected := map[string]bool{}, map[string]bool{}
	for _, n := range s.real() {
		selected[n.MachineName] = true
		mirrors[s.settings[n.MachineName].Mirror] = true
	}
	var out []state.Instance
	for _, n := range s.all {
		if m := s.settings[n.MachineName].Mirror; m != "" && mirrors[m] && !selected[n.MachineName] {
			out = append(out, n)
		}
	}
	return out
}
