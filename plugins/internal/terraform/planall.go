package terraform

import (
	"context"
	"fmt"
	"maps"

	"icm/plugins/provider"
)

// planAll plans every workspace, for Plan.
func (r *runner) planAll(ctx context.Context) ([]provider.Action, error) {
	net := r.network()
	before, err := readState(net.dir)
	if err != nil {
		return nil, err
	}
	netChanges, err := r.planNetwork(ctx, net)
	if err != nil {
		return nil, err
	}
	network, err := r.networkOutput(net)
	if err != nil {
		return nil, err
	}
	actions := [][]provider.Action{r.total(before.makes()), sharedActions("network "+net.name, netChanges, before.makes())}
	losses := map[string][]string{}
	perGroup := make([][]change, len(r.d.Groups))
	err = forEach(r.d.Groups, func(i int, g *Group) error {
		w := r.group(g.Name)
		if err := r.prepareGroup(w, g, network, net.dir); err != nil {
			return err
		}
		if err := w.init(ctx); err != nil {
			return err
		}
		p, _, err := w.plan(ctx, true)
		perGroup[i] = changesOf(p)
		return err
	})
	if err != nil {
		return nil, err
	}
	for i, g := range r.d.Groups {
		actions = append(actions, r.actions(g, perGroup[i]))
		maps.Copy(losses, r.losses(perGroup[i]))
	}
	gone, err := r.gone(losses)
	if err != nil {
		return nil, err
	}
	actions = append(actions, gone)
	if err := r.d.consent(losses); err != nil {
		return nil, err
	}
	var out []provider.Action
	for _, a := range actions {
		out = append(out, a...)
	}
	return out, nil
}

// total is the whole deployment in one line, with its cost.
func (r *runner) total(exists bool) []provider.Action {
	nodes, gib := 0, 0
	for _, g := range r.d.Groups {
		for _, n := range g.Nodes {
			nodes++
			gib += n.gib()
		}
	}
	verb := "make"
	if exists {
		verb = "keep"
	}
	return []provider.Action{{Verb: verb, What: "deployment " + r.d.Name, Detail: fmt.Sprintf("%d nodes, %d GiB on volumes", nodes, gib)}}
}

// gone are the nodes of definitions that there are no longer, added to losses.
func (r *runner) gone(losses map[string][]string) ([]provider.Action, error) {
	left, err := r.obsolete()
	if err != nil {
		return nil, err
	}
	var out []provider.Action
	for _, w := range left {
		nodes, _, err := w.results()
		if err != nil {
			return nil, err
		}
		for machine := range nodes {
			losses[machine] = append(losses[machine], "the machine", "its volumes")
			out = append(out, provider.Action{Verb: "destroy", What: "node " + machine, Detail: "data loss: its definition is gone"})
		}
	}
	return out, nil
}

// planNetwork prepares and plans the network.
func (r *runner) planNetwork(ctx context.Context, net *workspace) ([]change, error) {
	if err := r.prepareNetwork(net); err != nil {
		return nil, err
	}
	if err := net.init(ctx); err != nil {
		return nil, err
	}
	p, _, err := net.plan(ctx, true)
	return changesOf(p), err
}

func (r *runner) prepareNetwork(net *workspace) error {
	var had []string
	if err := readVar(net.dir, "zones", &had); err != nil {
		return fmt.Errorf("cannot read the variables of %s: %w", net.name, err)
	}
	r.d.keepZones(had)
	vars := Vars{"name": r.d.Name, "tags": r.d.Tags()}
	maps.Copy(vars, r.cloud.Network(r.d))
	return net.prepare(vars)
}

// networkOutput is what the network says of itself, or what stands for it
// while there is none.
func (r *runner) networkOutput(net *workspace) (any, error) {
	s, err := readState(net.dir)
	if err != nil {
		return nil, err
	}
	var network any
	ok, err := s.output("network", &network)
	if err != nil || ok {
		return network, err
	}
	return r.about.Placeholder(r.d), nil
}

// prepareGroup writes the workspace of a definition.
func (r *runner) prepareGroup(w *workspace, g *Group, network any, lockFrom string) error {
	keys, err := loadHostKeys(w.dir)
	if err != nil {
		return err
	}
	vars := Vars{"name": g.Name, "tags": r.d.Tags(), "network": network}
	maps.Copy(vars, r.cloud.Shared(r.d))
	nodes, data, balancers := map[string]Vars{}, map[string]string{}, map[string]Vars{}
	for _, n := range g.Nodes {
		var key *hostKey
		if n.CloudInit() {
			if key, err = keys.of(n.Machine); err != nil {
				return err
			}
		}
		if data[n.Machine], err = userData(n, r.d.PublicKey, key); err != nil {
			return err
		}
		nodes[n.Machine] = r.cloud.Node(r.d, n)
	}
	for _, b := range g.Balancers {
		balancers[b.Machine] = r.cloud.Balancer(r.d, b)
	}
	vars["nodes"], vars["user_data"] = nodes, data
	if r.about.LoadBalancers {
		vars["balancers"] = balancers
	}
	if err := w.prepare(vars); err != nil {
		return err
	}
	if err := keys.save(w.dir); err != nil {
		return err
	}
	return w.shareLock(lockFrom)
}
