package deploy

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"

	"icm/controller/state"
	"icm/internal/hint"
	"icm/internal/kind"
	"icm/internal/wire"
)

// NodeFinding is what a check found on a node.
type NodeFinding struct {
	Node string `json:"node"`
	wire.Finding
}

// facts asks all nodes what they are.
func (j *Job) facts(ctx context.Context, deployment string, nodes map[string]Node, which []state.Instance) (map[string]wire.Facts, error) {
	out := map[string]wire.Facts{}
	var mu sync.Mutex
	err := forEach(ctx, machineNames(which), j.Parallel, func(ctx context.Context, _ int, name string) error {
		var f wire.Facts
		if err := nodes[name].Call(ctx, wire.MethodFacts, wire.FactsRequest{}, &f); err != nil {
			return fromAgent(err)
		}
		if f.Deployment != "" && f.Deployment != deployment {
			return foreign(f.Deployment)
		}
		mu.Lock()
		defer mu.Unlock()
		out[name] = f
		return nil
	})
	return out, err
}

// foreign is the refusal of a node that another deployment holds: its owner
// would not know what was changed under it.
func foreign(deployment string) error {
	return hint.New(fmt.Errorf("belongs to the deployment %s", deployment),
		"use that deployment's state directory, or unprovision it there first; if it is lost, see docs/troubleshooting.md")
}

// Check runs everything that can be looked at before an installation.
func (j *Job) Check(ctx context.Context) ([]NodeFinding, error) {
	s, err := j.site(VerbInstall)
	if err != nil {
		return nil, err
	}
	if err := j.findKits(ctx, s); err != nil {
		return nil, err
	}
	nodes, connErr := j.connectAll(ctx, s.real(), s.dir)
	defer closeAll(nodes)
	var out []NodeFinding
	if connErr != nil {
		ne, ok := connErr.(*NodeErrors)
		if !ok {
			return nil, connErr
		}
		for _, e := range ne.Errs {
			out = append(out, NodeFinding{e.Node, wire.Finding{Check: "login", Result: "fail", Text: e.Err.Error(), Hint: hint.Of(e.Err)}})
		}
	}
	var answered []state.Instance
	for _, n := range s.real() {
		if nodes[n.MachineName] != nil {
			answered = append(answered, n)
		}
	}
	kinds := map[string]map[string]bool{}
	for _, n := range s.topo.Nodes {
		if n.HasInstance() {
			kinds[n.MachineName] = installation
		}
	}
	found, err := j.checkAll(ctx, s, nodes, answered, kinds)
	return append(out, found...), err
}

func (j *Job) checkAll(ctx context.Context, s *site, nodes map[string]Node, which []state.Instance, kinds map[string]map[string]bool) ([]NodeFinding, error) {
	found := make([][]NodeFinding, len(which))
	err := forEach(ctx, machineNames(which), j.Parallel, func(ctx context.Context, i int, name string) error {
		var reply wire.CheckReply
		req := j.needs(s.settings[name], kinds[name])
		req.Reach = s.mustReach(name, kinds)
		if err := nodes[name].Call(ctx, wire.MethodCheck, req, &reply); err != nil {
			return fromAgent(err)
		}
		for _, f := range reply.Findings {
			found[i] = append(found[i], NodeFinding{name, f})
		}
		return nil
	})
	var out []NodeFinding
	for _, f := range found {
		out = append(out, f...)
	}
	return out, err
}

// needs is what the tasks of these kinds are going to need of a node.
func (j *Job) needs(n settings, kinds map[string]bool) wire.CheckRequest {
	req := wire.CheckRequest{Now: j.World.Now(), Instance: n.Instance.Name}
	if kinds[kind.KitFetch] {
		req.KitName, req.KitURL, req.KitLogin = n.Kit.Name, n.Kit.URL, n.Kit.CredentialsSecret != ""
		req.KitSize, req.KitSHA256 = n.Kit.Size, n.Kit.SHA256
	}
	if kinds[kind.IRISInstall] || kinds[kind.IRISUpgrade] {
		req.InstallDir = n.Instance.Dir
	}
	if (kinds[kind.IRISInstall] || kinds[kind.IRISStart]) && n.KitInfo.Version != "" {
		req.Ports = append(req.Ports, wire.PortNeed{Port: n.superServer(), For: "superserver"})
		if n.webServer() != 0 {
			req.Ports = append(req.Ports, wire.PortNeed{Port: n.webServer(), For: "web server"})
		}
	}
	if kinds[kind.AgentRun] {
		req.AgentPort = n.agentPort
	}
	req.Apache = kinds[kind.GatewayInstall]
	return req
}

// mustReach are the addresses that a node will want to connect to, and that
// nothing in the plan begins to serve before.
func (s *site) mustReach(name string, kinds map[string]map[string]bool) []string {
	n, _ := s.topo.Node(name)
	data, ok := s.topo.DataServer(n)
	if !ok || !kinds[name][kind.ECPConnect] || kinds[data.MachineName][kind.IRISStart] {
		return nil
	}
	server := s.settings[data.MachineName]
	return []string{net.JoinHostPort(server.Peer, strconv.Itoa(server.superServer()))}
}

// installation are the kinds that matter to the checks of an installation.
var installation = map[string]bool{kind.KitFetch: true, kind.IRISInstall: true, kind.IRISStart: true}

// kindsByNode lists what a plan does on each node.
func (p *Plan) kindsByNode() map[string]map[string]bool {
	out := map[string]map[string]bool{}
	for _, st := range p.Stages {
		for _, ch := range st.Changes {
			if out[ch.Node] == nil {
				out[ch.Node] = map[string]bool{}
			}
			for _, s := range ch.Tasks {
				out[ch.Node][s.Kind] = true
			}
		}
	}
	return out
}

// preflight refuses a plan that would fail, and tells what might go wrong. Only
// what the plan does is checked: a full disk does not stop `icm stop`.
func (j *Job) preflight(ctx context.Context, pr *prepared) error {
	kinds := pr.plan.kindsByNode()
	var nodes []state.Instance
	for _, n := range pr.site.real() {
		if k := kinds[n.MachineName]; k[kind.KitFetch] || k[kind.IRISInstall] || k[kind.IRISUpgrade] || k[kind.IRISStart] || k[kind.ECPConnect] {
			nodes = append(nodes, n)
		}
	}
	found, err := j.checkAll(ctx, pr.site, pr.nodes, nodes, kinds)
	if err != nil {
		return err
	}
	j.warnOnce(slices.DeleteFunc(slices.Clone(found), func(f NodeFinding) bool {
		return f.Check == "removeipc" && kinds[f.Node][kind.KernelSet] // the plan itself sees to it
	}))
	return FailedFindings(found)
}

// warnOnce tells each warning once, with the nodes it was found on.
func (j *Job) warnOnce(found []NodeFinding) {
	nodes := map[string][]string{}
	var order []string
	for _, f := range found {
		if f.Result != "warn" {
			continue
		}
		if nodes[f.Text] == nil {
			order = append(order, f.Text)
		}
		nodes[f.Text] = append(nodes[f.Text], f.Node)
	}
	for _, text := range order {
		where := nodes[text][0]
		if n := len(nodes[text]); n > 1 {
			where = fmt.Sprintf("%s and %d more", where, n-1)
		}
		j.warn("%s: %s", where, text)
	}
}

// FailedFindings is the refusal that findings come to, nil when none failed.
func FailedFindings(found []NodeFinding) error {
	r := &RefusedError{}
	for _, f := range found {
		if f.Result == "fail" {
			r.Refusals = append(r.Refusals, Refusal{Node: f.Node, Task: f.Check, Text: f.Text, Hint: f.Hint})
		}
	}
	if len(r.Refusals) == 0 {
		return nil
	}
	r.Text = fmt.Sprintf("nothing was changed: %d checks failed", len(r.Refusals))
	if len(r.Refusals) == 1 {
		r.Text = "nothing was changed: a check failed"
	}
	return r
}
