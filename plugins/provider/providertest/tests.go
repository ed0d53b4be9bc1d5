package providertest

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"icm/plugins/provider"
)

func testInfo(t *testing.T, c Config) {
	p := Connect(t, c.New())
	info, err := p.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if info.Name == "" || info.Version == "" {
		t.Errorf("Info has no name or no version: %+v", info)
	}
	again, err := p.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(info, again); diff != "" {
		t.Errorf("Info changes from call to call:\n%s", diff)
	}
}

func testReadOnly(t *testing.T, c Config) {
	d := start(t, c)
	before := files(t, d.request.StateDir)
	problems, err := d.provider().Validate(d.ctx(), d.request)
	if err != nil {
		t.Fatalf("Validate: %v", err)
	}
	for _, p := range problems {
		if !p.Warning {
			t.Errorf("Validate of a good request says: %s: %s", p.Field, p.Text)
		}
	}
	if diff := cmp.Diff(before, files(t, d.request.StateDir)); diff != "" {
		t.Errorf("Validate changed the state directory:\n%s", diff)
	}
	d.checkPlan("make")
	if nodes := d.inventory(); d.makes && len(nodes) != 0 {
		t.Errorf("nodes exist before Provision: %v", names(nodes))
	}
}

func testProvision(t *testing.T, c Config) {
	d := start(t, c)
	var seen recorder
	r, err := d.provider().Provision(d.ctx(), d.request, seen.progress)
	if err != nil {
		t.Fatal(err)
	}
	d.checkNodes(r.Nodes)
	if d.makes && len(seen.lines) == 0 {
		t.Error("Provision made nodes without a line of progress")
	}
	if open := seen.unfinished(); len(open) > 0 {
		t.Errorf("progress begins and does not end, or the other way round: %v", open)
	}
}

func testProvisionTwice(t *testing.T, c Config) {
	d := start(t, c)
	if diff := same(d.provision(), d.provision()); diff != "" {
		t.Errorf("the second Provision gives other nodes (-first +second):\n%s", diff)
	}
}

func testInventory(t *testing.T, c Config) {
	d := start(t, c)
	if diff := same(d.provision(), d.inventory()); diff != "" {
		t.Errorf("Inventory differs (-Provision +Inventory):\n%s", diff)
	}
}

func testPlanAfter(t *testing.T, c Config) {
	d := start(t, c)
	d.provision()
	d.checkPlan("keep")
}

// checkPlan fails when the plan has other actions than verb; those of a
// provider that makes no nodes are always "keep".
func (d *deployment) checkPlan(verb string) {
	d.t.Helper()
	actions, err := d.provider().Plan(d.ctx(), d.request)
	if err != nil {
		d.t.Fatalf("Plan: %v", err)
	}
	if !d.makes {
		verb = "keep"
	}
	if verb == "make" && len(actions) == 0 {
		d.t.Error("Plan has nothing to make")
	}
	for _, a := range actions {
		if a.Verb != verb {
			d.t.Errorf("Plan: %s %s %s, want only %q", a.Verb, a.What, a.Detail, verb)
		}
	}
}

func testUnknownFields(t *testing.T, c Config) {
	d := start(t, c)
	for _, def := range d.request.Definitions {
		for i := range def.Nodes {
			fields := maps.Clone(def.Nodes[i].Fields)
			if fields == nil {
				fields = map[string]string{}
			}
			fields["FieldOfTheYear2040"] = "a \"value\"\nof two lines, with ${braces}"
			def.Nodes[i].Fields = fields
		}
	}
	d.provision()
}

func testEnded(t *testing.T, c Config) {
	d := start(t, c)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.provider().Provision(ctx, d.request, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Provision with a context that has ended: %v", err)
	}
	if nodes := d.inventory(); d.makes && len(nodes) != 0 {
		t.Errorf("it made nodes: %v", names(nodes))
	}
}

func testCancelled(t *testing.T, c Config) {
	d := start(t, c)
	ctx, cancel := context.WithCancel(d.ctx())
	defer cancel()
	// After the first line, because only then the provider has surely begun.
	_, err := d.provider().Provision(ctx, d.request, func(provider.Progress) { cancel() })
	if !cancelled(err) {
		t.Errorf("a cancelled Provision ends with: %v", err)
	}
	left := d.inventory()
	nodes := d.provision()
	if diff := same(nodes, d.inventory()); diff != "" {
		t.Errorf("Inventory differs after all (-Provision +Inventory):\n%s", diff)
	}
	for _, n := range left {
		if !contains(nodes, n.MachineName) {
			t.Errorf("%s was left by the cancelled Provision and is none of the nodes now", n.MachineName)
		}
	}
}

func contains(nodes []provider.Node, name string) bool {
	for _, n := range nodes {
		if n.MachineName == name {
			return true
		}
	}
	return false
}

func testUnprovisionTwice(t *testing.T, c Config) {
	d := start(t, c)
	before := d.provision()
	d.unprovision()
	d.unprovision()
	switch after := d.inventory(); {
	case d.makes && len(after) != 0:
		t.Errorf("nodes are left: %v", names(after))
	case !d.makes && same(before, after) != "":
		t.Errorf("nodes that were given are no longer there:\n%s", same(before, after))
	}
}

func testUnprovisionNothing(t *testing.T, c Config) {
	start(t, c).unprovision()
}

func testProvisionAgain(t *testing.T, c Config) {
	d := start(t, c)
	d.provision()
	d.unprovision()
	d.provision()
}

// testConcurrent also looks whether Provision of one deployment shows in
// another.
func testConcurrent(t *testing.T, c Config) {
	d, other := start(t, c), start(t, c)
	p := d.provider()
	calls := []func(context.Context) error{
		func(ctx context.Context) error {
			_, err := p.Provision(ctx, d.request, func(provider.Progress) {})
			return err
		},
		func(ctx context.Context) error {
			_, err := p.Provision(ctx, other.request, func(provider.Progress) {})
			return err
		},
		func(ctx context.Context) error { _, err := p.Info(ctx); return err },
		func(ctx context.Context) error { _, err := p.Validate(ctx, d.request); return err },
		func(ctx context.Context) error { _, err := p.Inventory(ctx, other.request); return err },
	}
	ctx := d.ctx()
	var wg sync.WaitGroup
	for i, call := range calls {
		wg.Go(func() {
			if err := call(ctx); err != nil {
				t.Errorf("call %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	d.checkNodes(d.inventory())
	other.checkNodes(other.inventory())
}

// files are the paths below dir.
func files(t *testing.T, dir string) string {
	t.Helper()
	var out strings.Builder
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if errors.Is(err, os.ErrNotExist) {
			return nil
		} else if err != nil {
			return err
		}
		out.WriteString(path + " " + info.Mode().String() + "\n")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}
