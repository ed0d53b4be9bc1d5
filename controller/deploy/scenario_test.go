package deploy_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"icm/controller/deploy"
	"icm/internal/secret"
	"icm/tests/sim"
)

const (
	dm  = "ACME-DM-TEST-0001"
	am1 = "ACME-AM-TEST-0001"
	am2 = "ACME-AM-TEST-0002"
)

// cluster is one data server and two application servers.
const cluster = `[{"Role": "DM"}, {"Role": "AM", "Count": 2}]`

const password = "canary-password-1"

func kit(url string) string { return fmt.Sprintf("%q: %q,", "KitURL", url) }

// provisioned is a site whose nodes are made and configured.
func provisioned(t *testing.T, definitions string) *sim.Site {
	t.Helper()
	s := sim.New(t, sim.Defaults(kit(sim.OldKit)), definitions)
	if _, err := job(s, "provision").Provision(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// installed is a site on which the old kit runs.
func installed(t *testing.T, definitions string) *sim.Site {
	t.Helper()
	s := provisioned(t, definitions)
	operate(t, s, deploy.VerbInstall)
	return s
}

// job is a command at work, as package cli makes one.
func job(s *sim.Site, verb string) *deploy.Job {
	file := func(name string) string { return s.Dir + "/" + name }
	return &deploy.Job{
		World: s.World(s.Said), Dir: s.Dir, Verb: verb, Argv: []string{verb, "-iscPassword", password},
		Files:       deploy.Files{Definitions: file("definitions.json"), Defaults: file("defaults.json"), Instances: file("instances.json")},
		Password:    secret.New(password),
		AskPassword: func() (secret.Secret, bool, error) { return secret.Secret{}, false, nil },
		Confirm:     func(string) error { return nil },
	}
}

// operate runs a verb that must succeed.
func operate(t *testing.T, s *sim.Site, verb deploy.Verb) *deploy.Result {
	t.Helper()
	res, err := job(s, string(verb)).Operate(t.Context(), verb)
	if err != nil {
		t.Fatalf("%s: %v", verb, err)
	}
	return res
}

// planOf is what a verb would do.
func planOf(t *testing.T, s *sim.Site, verb deploy.Verb) *deploy.Plan {
	t.Helper()
	p, err := job(s, string(verb)).Plan(t.Context(), verb)
	if err != nil {
		t.Fatalf("plan %s: %v", verb, err)
	}
	return p
}

// fails runs a verb that must not succeed.
func fails(ctx context.Context, t *testing.T, s *sim.Site, verb deploy.Verb) error {
	t.Helper()
	_, err := job(s, string(verb)).Operate(ctx, verb)
	if err == nil {
		t.Fatalf("%s succeeded", verb)
	}
	return err
}

// holds compares what a text must hold.
func holds(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%q does not say %q", text, w)
		}
	}
}

func refusals(t *testing.T, err error) []deploy.Refusal {
	t.Helper()
	var r *deploy.RefusedError
	if !errors.As(err, &r) {
		t.Fatalf("%T %v is no refusal", err, err)
	}
	return r.Refusals
}
