package terraform

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"icm/plugins/provider"
)

// nodeOutput is what the nodes' template says of a node.
type nodeOutput struct {
	ID         string            `json:"id"`
	Address    string            `json:"address"`
	Private    string            `json:"private"`
	DNS        string            `json:"dns"`
	State      string            `json:"state"`
	Identities map[string]string `json:"identities"` // of volumes, by purpose
}

// balancerOutput is what it says of a load balancer.
type balancerOutput struct {
	Address string `json:"address"`
	DNS     string `json:"dns"`
}

// results reads what a workspace has made.
func (w *workspace) results() (map[string]nodeOutput, map[string]balancerOutput, error) {
	nodes, balancers := map[string]nodeOutput{}, map[string]balancerOutput{}
	s, err := readState(w.dir)
	if err != nil || !s.makes() {
		return nodes, balancers, err
	}
	if _, err := s.output("nodes", &nodes); err != nil {
		return nil, nil, err
	}
	_, err = s.output("balancers", &balancers)
	return nodes, balancers, err
}

// PrivateAddressField is the field of the instances file that has the address
// which other nodes reach a node at.
const PrivateAddressField = "PrivateIPAddress"

// result lists all nodes that exist, in the order of the definitions.
func (r *runner) result() (provider.Result, error) {
	var out provider.Result
	all, err := r.existing()
	if err != nil {
		return out, err
	}
	var virtual []provider.Node
	for _, w := range all {
		nodes, balancers, err := w.results()
		if err != nil {
			return out, err
		}
		keys, err := loadHostKeys(w.dir)
		if err != nil {
			return out, err
		}
		for _, machine := range slices.Sorted(maps.Keys(nodes)) {
			if n := r.nodeOf(machine, nodes[machine], keys[machine]); n.IPAddress != "" || n.DNSName != "" {
				out.Nodes = append(out.Nodes, n)
			}
		}
		for _, machine := range slices.Sorted(maps.Keys(balancers)) {
			virtual = append(virtual, r.balancerOf(machine, balancers[machine]))
		}
	}
	r.order(out.Nodes)
	out.Nodes = append(out.Nodes, virtual...)
	return out, nil
}

// order sorts nodes as the definitions have them.
func (r *runner) order(nodes []provider.Node) {
	place := map[string]int{}
	for _, g := range r.d.Groups {
		for _, n := range g.Nodes {
			place[n.Machine] = len(place) + 1
		}
	}
	slices.SortStableFunc(nodes, func(a, b provider.Node) int { return place[a.MachineName] - place[b.MachineName] })
}

// nodeOf is a node for icm.
func (r *runner) nodeOf(machine string, o nodeOutput, key *hostKey) provider.Node {
	out := provider.Node{MachineName: machine, IPAddress: o.Address, DNSName: o.DNS, State: stateOf(o.State), Extra: map[string]string{}}
	if out.IPAddress == "" {
		out.IPAddress = o.Private
	}
	if out.DNSName == "" {
		out.DNSName = out.IPAddress
	}
	if o.Private != "" && o.Private != out.IPAddress {
		out.Extra[PrivateAddressField] = o.Private
	}
	n, _ := r.d.node(machine)
	if n == nil {
		return out
	}
	if key != nil && n.CloudInit() {
		out.HostKeys, out.Interim = []string{key.Public}, true
	}
	for _, v := range n.Volumes {
		if raw := o.Identities[v.Purpose]; raw != "" {
			if out.Volumes == nil {
				out.Volumes = map[string]string{}
			}
			out.Volumes[v.Purpose] = r.cloud.Device(n, v, raw)
		}
	}
	return out
}

// stateOf turns a cloud's word into the contract's.
func stateOf(word string) string {
	switch word {
	case "running", "RUNNING", "on":
		return "running"
	case "stopped", "stopping", "TERMINATED", "STOPPED", "off", "suspended":
		return "stopped"
	}
	return "unknown"
}

func (r *runner) balancerOf(machine string, o balancerOutput) provider.Node {
	out := provider.Node{MachineName: machine, IPAddress: o.Address, DNSName: o.DNS, State: "running", Virtual: "virtual"}
	if out.DNSName == "" {
		out.DNSName = o.Address // as the guide has it, where there is no name
	}
	for _, g := range r.d.Groups {
		for _, b := range g.Balancers {
			if b.Machine == machine {
				out.Virtual = "virtual " + b.Role
			}
		}
	}
	return out
}

// Inventory implements [provider.Provider]: it asks the cloud what has become
// of the nodes, unless somebody is changing them at this moment.
func (p *Provider) Inventory(ctx context.Context, req provider.Request) (provider.Result, error) {
	d, _ := understand(req, p.cloud.About())
	r := &runner{cloud: p.cloud, about: p.cloud.About(), d: d, root: req.StateDir}
	if _, err := os.Stat(filepath.Join(req.StateDir, d.Name, stateFile)); errors.Is(err, fs.ErrNotExist) {
		return provider.Result{}, nil
	}
	all, err := r.existing()
	if err != nil || len(all) == 0 {
		return provider.Result{}, err
	}
	free, err := takeSettled(ctx, req.StateDir, "take inventory")
	if errors.Is(err, errBusy) {
		return r.result()
	}
	if err != nil {
		return provider.Result{}, err
	}
	defer free()
	if r, err = p.newRunner(ctx, d, req.StateDir); err != nil {
		return provider.Result{}, err
	}
	if all, err = r.existing(); err != nil {
		return provider.Result{}, err
	}
	err = forEach(all, func(_ int, w *workspace) error {
		if err := w.init(ctx); err != nil {
			return err
		}
		return w.refresh(ctx)
	})
	if err != nil {
		return provider.Result{}, err
	}
	return r.result()
}
