package providertest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"icm/plugins/provider"
)

// Config is a provider and how to test it.
type Config struct {
	// New makes the provider as a new process of it would: what it must not
	// forget, it keeps on its platform or in the request's StateDir.
	New func() provider.Provider
	// Request describes a deployment of at least one node. Every call gives
	// another deployment, with a StateDir that exists and is its own.
	Request func(t *testing.T) provider.Request
	// Reachable says whether a provisioned node can be reached; nil does not
	// look.
	Reachable func(ctx context.Context, node provider.Node) error
	// Timeout bounds every single call; 0 is one minute.
	Timeout time.Duration
}

// Run runs every test of the suite.
func Run(t *testing.T, c Config) {
	if c.Timeout == 0 {
		c.Timeout = time.Minute
	}
	for _, test := range []struct {
		name string
		run  func(*testing.T, Config)
	}{
		{"info says who it is", testInfo},
		{"validate and plan touch nothing", testReadOnly},
		{"provision gives every node that is wanted", testProvision},
		{"provision twice gives the same nodes", testProvisionTwice},
		{"inventory gives what provision gave", testInventory},
		{"plan after provision has nothing to make", testPlanAfter},
		{"unknown fields are no obstacle", testUnknownFields},
		{"a call with a context that has ended does nothing", testEnded},
		{"provision finishes what a cancelled one began", testCancelled},
		{"unprovision twice is unprovision once", testUnprovisionTwice},
		{"unprovision of nothing is no error", testUnprovisionNothing},
		{"provision works again after unprovision", testProvisionAgain},
		{"calls at the same time do not disturb each other", testConcurrent},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, c) })
	}
}

// deployment is one request, and the calls a test makes for it. Each call goes
// to a new provider, so that nothing is remembered in its memory.
type deployment struct {
	t       *testing.T
	c       Config
	request provider.Request
	makes   bool // provider.Info.MakesNodes
}

// start begins a deployment that is taken down when the test ends.
func start(t *testing.T, c Config) *deployment {
	t.Helper()
	d := &deployment{t: t, c: c, request: c.Request(t)}
	info, err := d.provider().Info(d.ctx())
	if err != nil {
		t.Fatalf("Info: %v", err)
	}
	d.makes = info.MakesNodes
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), c.Timeout)
		defer cancel()
		if err := c.New().Unprovision(ctx, d.request, func(provider.Progress) {}); err != nil {
			t.Errorf("Unprovision at the end of the test: %v", err)
		}
	})
	return d
}

func (d *deployment) provider() provider.Provider {
	d.t.Helper()
	return Connect(d.t, d.c.New())
}

// ctx ends with the test, or after the timeout.
func (d *deployment) ctx() context.Context {
	ctx, cancel := context.WithTimeout(d.t.Context(), d.c.Timeout)
	d.t.Cleanup(cancel)
	return ctx
}

func (d *deployment) provision() []provider.Node {
	d.t.Helper()
	r, err := d.provider().Provision(d.ctx(), d.request, func(provider.Progress) {})
	if err != nil {
		d.t.Fatalf("Provision: %v", err)
	}
	d.checkNodes(r.Nodes)
	return r.Nodes
}

func (d *deployment) inventory() []provider.Node {
	d.t.Helper()
	r, err := d.provider().Inventory(d.ctx(), d.request)
	if err != nil {
		d.t.Fatalf("Inventory: %v", err)
	}
	return r.Nodes
}

func (d *deployment) unprovision() {
	d.t.Helper()
	if err := d.provider().Unprovision(d.ctx(), d.request, func(provider.Progress) {}); err != nil {
		d.t.Fatalf("Unprovision: %v", err)
	}
}

// wanted are the machine names of the request, sorted.
func (d *deployment) wanted() []string {
	var names []string
	for _, def := range d.request.Definitions {
		for _, n := range def.Nodes {
			names = append(names, n.MachineName)
		}
	}
	slices.Sort(names)
	return names
}

// recorder collects progress.
type recorder struct {
	mu    sync.Mutex
	lines []provider.Progress
}

func (r *recorder) progress(p provider.Progress) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, p)
}

// unfinished are the lines that say something has begun, without one that says
// it has ended.
func (r *recorder) unfinished() []string {
	open := map[string]int{}
	for _, p := range r.lines {
		key := fmt.Sprintf("%s of %s", p.What, p.Subject)
		if p.Starting {
			open[key]++
		} else {
			open[key]--
		}
	}
	maps.DeleteFunc(open, func(_ string, n int) bool { return n == 0 })
	return slices.Sorted(maps.Keys(open))
}

// cancelled reports whether err is how a cancelled call may end: well, because
// it was too late, or with the context's error.
func cancelled(err error) bool { return err == nil || errors.Is(err, context.Canceled) }
