package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"icm/plugins/provider"
)

// resolveTime bounds the resolution of one name. A resolver that answers later
// is of no use to anybody.
const resolveTime = 10 * time.Second

// resolver is the part of net.Resolver that is used here.
type resolver interface {
	LookupHost(ctx context.Context, host string) ([]string, error)
}

// preExisting returns the nodes it was given. It keeps nothing, and never
// touches a machine.
type preExisting struct{ resolver resolver }

var _ provider.Provider = (*preExisting)(nil)

func newPreExisting() *preExisting { return &preExisting{resolver: net.DefaultResolver} }

// Info implements provider.Provider.
func (*preExisting) Info(context.Context) (provider.Info, error) {
	version := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		version = info.Main.Version
	}
	return provider.Info{Name: "PreExisting", Version: version}, nil
}

// Plan implements provider.Provider.
func (*preExisting) Plan(_ context.Context, req provider.Request) ([]provider.Action, error) {
	var out []provider.Action
	for _, def := range req.Definitions {
		for _, w := range def.Nodes {
			out = append(out, provider.Action{Verb: "keep", What: "node " + w.MachineName, Detail: addressOf(w)})
		}
	}
	return out, nil
}

// Provision implements provider.Provider.
func (p *preExisting) Provision(ctx context.Context, req provider.Request, _ func(provider.Progress)) (provider.Result, error) {
	return p.nodes(ctx, req)
}

// Inventory implements provider.Provider.
func (p *preExisting) Inventory(ctx context.Context, req provider.Request) (provider.Result, error) {
	return p.nodes(ctx, req)
}

// Unprovision implements provider.Provider: the machines are not ours.
func (*preExisting) Unprovision(context.Context, provider.Request, func(provider.Progress)) error {
	return nil
}

// nodes resolves all names at once, and tells all that cannot be resolved.
func (p *preExisting) nodes(ctx context.Context, req provider.Request) (provider.Result, error) {
	var wants []provider.Want
	for _, def := range req.Definitions {
		wants = append(wants, def.Nodes...)
	}
	nodes := make([]provider.Node, len(wants))
	errs := make([]error, len(wants))
	forEach(len(wants), func(i int) { nodes[i], errs[i] = p.node(ctx, wants[i]) })
	if err := errors.Join(errs...); err != nil {
		if ctxErr := ctx.Err(); ctxErr != nil {
			return provider.Result{}, ctxErr
		}
		return provider.Result{}, err
	}
	return provider.Result{Nodes: nodes}, nil
}

func (p *preExisting) node(ctx context.Context, w provider.Want) (provider.Node, error) {
	n := provider.Node{
		MachineName: w.MachineName,
		IPAddress:   field(w, "IPAddress"),
		DNSName:     field(w, "DNSName"),
		User:        field(w, "SSHUser"),
		// Whether the machine runs is found out by whoever connects to it.
		State: "unknown",
	}
	var err error
	if n.Port, err = port(field(w, "SSHPort")); err != nil {
		return n, fmt.Errorf("node %s: %w", w.MachineName, err)
	}
	switch {
	case n.IPAddress == "" && n.DNSName == "":
		return n, &provider.Error{
			Message: fmt.Sprintf("node %s: neither IPAddress nor DNSName is given", w.MachineName),
			Hint:    "give one of the two in the definitions file, in an entry of its own for each node",
			Kind:    provider.KindRefused,
		}
	case n.IPAddress == "":
		n.IPAddress, err = p.resolve(ctx, w.MachineName, n.DNSName)
	case n.DNSName == "":
		n.DNSName = n.IPAddress // as the guide has it: its address if unavailable
	}
	return n, err
}

// resolve returns the first address of a name in a stable order: a resolver
// that rotates its answers would move the node from call to call.
func (p *preExisting) resolve(ctx context.Context, machine, name string) (string, error) {
	if net.ParseIP(name) != nil {
		return name, nil
	}
	ctx, cancel := context.WithTimeout(ctx, resolveTime)
	defer cancel()
	addrs, err := p.resolver.LookupHost(ctx, name)
	if err == nil && len(addrs) == 0 {
		err = errors.New("it has no address")
	}
	if err != nil {
		return "", &provider.Error{
			Message: fmt.Sprintf("node %s: cannot resolve DNSName %s: %v", machine, name, err),
			Hint:    "check the spelling and this machine's resolver, or give IPAddress instead",
			Kind:    provider.KindUnavailable,
		}
	}
	return slices.MinFunc(addrs, byFamily), nil
}

// byFamily sorts IPv4 first, as many sites have IPv6 addresses that lead
// nowhere.
func byFamily(a, b string) int {
	six := func(s string) int { return strings.Count(s, ":") }
	if (six(a) > 0) != (six(b) > 0) {
		return six(a) - six(b)
	}
	return strings.Compare(a, b)
}

func port(text string) (int, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 65535 {
		return 0, fmt.Errorf("SSHPort %q is no port number", text)
	}
	return n, nil
}

// field finds a field without regard to case.
func field(w provider.Want, name string) string {
	if v, ok := w.Fields[name]; ok {
		return strings.TrimSpace(v)
	}
	for k, v := range w.Fields {
		if strings.EqualFold(k, name) {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

func addressOf(w provider.Want) string {
	if ip := field(w, "IPAddress"); ip != "" {
		return ip
	}
	return field(w, "DNSName")
}
