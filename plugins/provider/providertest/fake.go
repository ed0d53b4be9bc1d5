package providertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"icm/internal/atomicfile"
	"icm/plugins/provider"
)

// Fake is a provider whose nodes are files in the state directory, one for
// each, so that it behaves alike in this process and in another.
type Fake struct {
	// Name is what Info says; "" is "Fake".
	Name string
	// OnProvision, when not nil, is called before each node is made. An error
	// ends Provision there.
	OnProvision func(ctx context.Context, machine string) error
}

var _ provider.Provider = (*Fake)(nil)

// Info implements provider.Provider.
func (f *Fake) Info(context.Context) (provider.Info, error) {
	name := f.Name
	if name == "" {
		name = "Fake"
	}
	return provider.Info{Name: name, Version: "1.0", MakesNodes: true, Note: "for tests"}, nil
}

// Validate implements provider.Provider: the field Broken is a problem.
func (f *Fake) Validate(_ context.Context, req provider.Request) ([]provider.Problem, error) {
	var out []provider.Problem
	for _, def := range req.Definitions {
		for _, n := range def.Nodes {
			if text := n.Fields["Broken"]; text != "" {
				out = append(out, provider.Problem{Definition: def.Index, Field: "Broken", Text: text})
			}
		}
	}
	return out, nil
}

// Plan implements provider.Provider.
func (f *Fake) Plan(_ context.Context, req provider.Request) ([]provider.Action, error) {
	var out []provider.Action
	for _, n := range wants(req) {
		verb := "make"
		if _, err := os.Stat(nodeFile(req, n.MachineName)); err == nil {
			verb = "keep"
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		out = append(out, provider.Action{Verb: verb, What: "node " + n.MachineName})
	}
	return out, nil
}

// Provision implements provider.Provider.
func (f *Fake) Provision(ctx context.Context, req provider.Request, progress func(provider.Progress)) (provider.Result, error) {
	for i, n := range wants(req) {
		progress(provider.Progress{Starting: true, What: "apply", Subject: n.MachineName})
		if err := f.provisionOne(ctx, req, i, n.MachineName); err != nil {
			return provider.Result{}, fmt.Errorf("cannot make %s: %w", n.MachineName, err)
		}
		progress(provider.Progress{What: "apply", Subject: n.MachineName})
	}
	return f.Inventory(ctx, req)
}

func (f *Fake) provisionOne(ctx context.Context, req provider.Request, i int, machine string) error {
	if f.OnProvision != nil {
		if err := f.OnProvision(ctx, machine); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := os.MkdirAll(nodeDir(req), 0o700); err != nil {
		return err
	}
	n := provider.Node{
		MachineName: machine,
		IPAddress:   netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)}).String(),
		DNSName:     strings.ToLower(machine) + ".example.net",
		State:       "running",
	}
	data, err := json.Marshal(n)
	if err != nil {
		return err
	}
	return atomicfile.Write(nodeFile(req, machine), data, 0o600)
}

// Inventory implements provider.Provider.
func (f *Fake) Inventory(_ context.Context, req provider.Request) (provider.Result, error) {
	paths, err := filepath.Glob(filepath.Join(nodeDir(req), "*.json"))
	if err != nil {
		return provider.Result{}, err
	}
	slices.Sort(paths)
	var r provider.Result
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			return provider.Result{}, err
		}
		var n provider.Node
		if err := json.Unmarshal(data, &n); err != nil {
			return provider.Result{}, err
		}
		r.Nodes = append(r.Nodes, n)
	}
	return r, nil
}

// Unprovision implements provider.Provider.
func (f *Fake) Unprovision(_ context.Context, req provider.Request, progress func(provider.Progress)) error {
	progress(provider.Progress{Starting: true, What: "destroy", Subject: req.Label})
	if err := os.RemoveAll(nodeDir(req)); err != nil {
		return err
	}
	progress(provider.Progress{What: "destroy", Subject: req.Label})
	return nil
}

func wants(req provider.Request) []provider.Want {
	var out []provider.Want
	for _, def := range req.Definitions {
		out = append(out, def.Nodes...)
	}
	return out
}

func nodeDir(req provider.Request) string { return filepath.Join(req.StateDir, "fake-nodes") }

func nodeFile(req provider.Request, machine string) string {
	return filepath.Join(nodeDir(req), machine+".json")
}
