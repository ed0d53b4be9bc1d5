package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"icm/plugins/lab/internal/deployment"
	"icm/plugins/lab/internal/image"
	"icm/plugins/lab/internal/network"
	"icm/plugins/lab/internal/node"
	"icm/plugins/provider"
)

const (
	// DataDir is where deployments are.
	DataDir = "/var/lib/icm-lab"
	// CacheDir is where images are.
	CacheDir = "/var/cache/icm/lab"
)

// Lab is the provider.
type Lab struct {
	version     string
	deployments deployment.Store
	images      image.Store
}

var _ provider.Provider = (*Lab)(nil)

// New returns the provider with its files in data and cache.
func New(version, data, cache string) *Lab {
	return &Lab{version, deployment.Store{Dir: data}, image.Store{Dir: cache}}
}

// Info implements [provider.Provider].
func (l *Lab) Info(context.Context) (provider.Info, error) {
	devices := map[string]string{}
	for _, p := range purposes {
		devices[p.purpose] = p.device
	}
	return provider.Info{
		Name: "Lab", Version: l.version, MakesNodes: true, Devices: devices,
		Note: "Lab makes nodes on this one machine, for evaluation and tests",
	}, nil
}

// Validate implements [provider.Provider].
func (l *Lab) Validate(_ context.Context, req provider.Request) ([]provider.Problem, error) {
	wants, problems := l.read(req)
	needBuilder := false
	for _, w := range wants {
		_, cached, err := l.images.Lookup(w.source)
		if err != nil {
			problems = append(problems, provider.Problem{Definition: w.definition.Index, Field: "Image", Text: err.Error()})
		}
		needBuilder = needBuilder || !cached && w.source.Tarball == ""
	}
	return append(unfit(needBuilder), unique(problems)...), nil
}

// read understands all nodes of a request and tells everything that is wrong
// with it.
func (l *Lab) read(req provider.Request) ([]want, []provider.Problem) {
	var wants []want
	var problems []provider.Problem
	if !deploymentForm.MatchString(req.Deployment) {
		problems = append(problems, provider.Problem{Definition: -1, Text: fmt.Sprintf("%q cannot be the name of a deployment", req.Deployment)})
	}
	seen := map[string]bool{}
	for _, d := range req.Definitions {
		bad := func(field, text, hint string) {
			problems = append(problems, provider.Problem{Definition: d.Index, Field: field, Text: text, Hint: hint})
		}
		for _, w := range d.Nodes {
			if seen[strings.ToLower(w.MachineName)] {
				bad("", "two machines are called "+w.MachineName, "")
			}
			seen[strings.ToLower(w.MachineName)] = true
			wants = append(wants, understand(d, w, bad))
		}
	}
	if len(wants) > network.MaxNodes {
		problems = append(problems, provider.Problem{Definition: -1, Field: "Count", Text: deployment.ErrTooMany.Error()})
	}
	return wants, problems
}

// unique drops problems that each node of a definition has again.
func unique(problems []provider.Problem) []provider.Problem {
	seen := map[provider.Problem]bool{}
	var list []provider.Problem
	for _, p := range problems {
		if !seen[p] {
			list = append(list, p)
		}
		seen[p] = true
	}
	return list
}

// firstError makes an error of problems that nobody has looked at.
func firstError(problems []provider.Problem) error {
	for _, p := range problems {
		if p.Warning {
			continue
		}
		if p.Hint != "" {
			return fmt.Errorf("%s (%s)", p.Text, p.Hint)
		}
		return errors.New(p.Text)
	}
	return nil
}

// Inventory implements [provider.Provider].
func (l *Lab) Inventory(_ context.Context, req provider.Request) (provider.Result, error) {
	var result provider.Result
	if !deploymentForm.MatchString(req.Deployment) {
		return result, fmt.Errorf("%q cannot be the name of a deployment", req.Deployment)
	}
	d, err := l.deployments.Look(req.Deployment)
	if err != nil {
		return result, err
	}
	nodes, err := nodesOf(d)
	for _, n := range nodes {
		if n.Prepared {
			result.Nodes = append(result.Nodes, describe(n))
		}
	}
	return result, err
}

func nodesOf(d *deployment.Deployment) ([]*node.Node, error) {
	machines, err := d.Machines()
	if err != nil {
		return nil, err
	}
	var nodes []*node.Node
	for _, m := range machines {
		n := d.Node(m)
		if err := n.Load(); err != nil {
			return nil, err
		}
		nodes = append(nodes, n)
	}
	return nodes, nil
}

// describe tells the controller of a node. There is no name service in the
// lab: the address is what works both here and in the nodes.
func describe(n *node.Node) provider.Node {
	return provider.Node{
		MachineName: n.Machine, IPAddress: n.Address(), DNSName: n.Address(), User: n.User,
		HostKeys: []string{n.HostKey}, Volumes: n.VolumePaths(), State: State(n),
	}
}

// State is what the inventory says of a node: "running", "stopped", or
// "unknown" for one that is frozen.
func State(n *node.Node) string {
	switch {
	case n.Frozen():
		return "unknown"
	case n.Running():
		return "running"
	}
	return "stopped"
}

// Find returns the machine called name. Where several deployments have one,
// the deployment must be given too.
func (l *Lab) Find(id, name string) (*node.Node, error) {
	all, err := l.deployments.List()
	if err != nil {
		return nil, err
	}
	var found []*node.Node
	var in []string
	for _, d := range all {
		for m := range d.Numbers {
			if strings.EqualFold(m, name) && (id == "" || id == d.ID) {
				found, in = append(found, d.Node(m)), append(in, d.ID)
			}
		}
	}
	switch len(found) {
	case 0:
		return nil, fmt.Errorf("there is no node %s in this lab", name)
	case 1:
		return found[0], found[0].Load()
	}
	return nil, fmt.Errorf("there are several nodes %s: say which with -deployment, one of %s", name, strings.Join(in, ", "))
}

// Nodes returns the nodes of all deployments, or of one.
func (l *Lab) Nodes(id string) ([]*node.Node, error) {
	all, err := l.deployments.List()
	if err != nil {
		return nil, err
	}
	var nodes []*node.Node
	for _, d := range all {
		if id != "" && id != d.ID {
			continue
		}
		more, err := nodesOf(d)
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, more...)
	}
	return nodes, nil
}

// PowerOn starts a node that is off and waits until it is ready.
func (l *Lab) PowerOn(ctx context.Context, n *node.Node) error {
	if _, err := os.Stat(filepath.Join(l.deployments.Dir, n.Deployment)); err != nil {
		return err
	}
	d, unlock, err := l.deployments.Open(ctx, n.Deployment)
	if err != nil {
		return err
	}
	defer unlock()
	if err := n.Load(); err != nil {
		return err
	}
	if !n.Prepared {
		return fmt.Errorf("node %s was never finished: run icm provision again", n.Machine)
	}
	if err := d.Subnet.Up(ctx); err != nil {
		return err
	}
	return n.Boot(ctx)
}
