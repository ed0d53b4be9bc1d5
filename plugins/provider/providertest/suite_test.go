package providertest

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"

	"icm/plugins/provider"
)

// brokenVar makes the test binary run the suite on a provider that is broken
// in the way it names.
const brokenVar = "ICM_TEST_BROKEN_PROVIDER"

func TestTheFakeProviderConforms(t *testing.T) {
	var p provider.Provider = &Fake{}
	if how := os.Getenv(brokenVar); how != "" {
		p = broken{p, how}
	}
	Run(t, Config{New: func() provider.Provider { return p }, Request: request})
}

func TestTheSuiteFindsABrokenProvider(t *testing.T) {
	if os.Getenv(brokenVar) != "" {
		t.Skip("this is the process that runs the suite on a broken provider")
	}
	for how, test := range map[string]string{
		"validate writes":            "validate_and_plan_touch_nothing",
		"provision forgets a node":   "provision_gives_every_node",
		"provision gives no address": "provision_gives_every_node",
		"inventory is empty":         "inventory_gives_what_provision_gave",
		"no progress":                "provision_gives_every_node",
		"unprovision does nothing":   "unprovision_twice",
		"plan always makes":          "plan_after_provision",
	} {
		t.Run(how, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestTheFakeProviderConforms$")
			cmd.Env = append(os.Environ(), brokenVar+"="+how)
			out, err := cmd.CombinedOutput()
			if err == nil {
				t.Fatalf("the suite passes:\n%s", out)
			}
			if !strings.Contains(string(out), "--- FAIL: TestTheFakeProviderConforms/"+test) {
				t.Errorf("%s does not fail in:\n%s", test, out)
			}
		})
	}
}

func request(t *testing.T) provider.Request {
	return provider.Request{
		Deployment: "ICM-1", Label: "ACME", Tag: "TEST", StateDir: t.TempDir(),
		Definitions: []provider.Definition{{
			Name: "ACME-DM-TEST", Role: "DM",
			Nodes: []provider.Want{{MachineName: "ACME-DM-TEST-0001"}, {MachineName: "ACME-DM-TEST-0002"}},
		}},
	}
}

// broken is a provider with one fault.
type broken struct {
	provider.Provider
	how string
}

func (b broken) Validate(ctx context.Context, req provider.Request) ([]provider.Problem, error) {
	if b.how == "validate writes" {
		return nil, os.WriteFile(req.StateDir+"/surprise", nil, 0o600)
	}
	return b.Provider.Validate(ctx, req)
}

func (b broken) Plan(ctx context.Context, req provider.Request) ([]provider.Action, error) {
	if b.how == "plan always makes" {
		return []provider.Action{{Verb: "make", What: "node"}}, nil
	}
	return b.Provider.Plan(ctx, req)
}

func (b broken) Provision(ctx context.Context, req provider.Request, progress func(provider.Progress)) (provider.Result, error) {
	if b.how == "no progress" {
		progress = func(provider.Progress) {}
	}
	r, err := b.Provider.Provision(ctx, req, progress)
	switch b.how {
	case "provision forgets a node":
		r.Nodes = r.Nodes[:min(1, len(r.Nodes))]
	case "provision gives no address":
		for i := range r.Nodes {
			r.Nodes[i].IPAddress, r.Nodes[i].DNSName = "", ""
		}
	}
	return r, err
}

func (b broken) Inventory(ctx context.Context, req provider.Request) (provider.Result, error) {
	if b.how == "inventory is empty" {
		return provider.Result{}, nil
	}
	return b.Provider.Inventory(ctx, req)
}

func (b broken) Unprovision(ctx context.Context, req provider.Request, progress func(provider.Progress)) error {
	if b.how == "unprovision does nothing" {
		return nil
	}
	return b.Provider.Unprovision(ctx, req, progress)
}
