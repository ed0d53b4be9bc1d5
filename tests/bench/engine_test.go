package main

import (
	"fmt"
	"path/filepath"
	"testing"

	"icm/controller/deploy"
	"icm/internal/secret"
	"icm/tests/sim"
)

func BenchmarkInstallWithNothingToDo(b *testing.B) {
	s := sim.New(b, sim.Defaults(fmt.Sprintf("%q: %q,", "KitURL", sim.OldKit)), fmt.Sprintf(`[{"Role": "DM"}, {"Role": "AM", "Count": %d}]`, engineNodes-1))
	if _, err := siteJob(s, "provision").Provision(b.Context()); err != nil {
		b.Fatal(err)
	}
	if _, err := siteJob(s, "install").Operate(b.Context(), deploy.VerbInstall); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		res, err := siteJob(s, "install").Operate(b.Context(), deploy.VerbInstall)
		if err != nil {
			b.Fatal(err)
		}
		if !res.Nothing {
			b.Fatal("install again found something to do")
		}
	}
}

func siteJob(s *sim.Site, verb string) *deploy.Job {
	file := func(name string) string { return filepath.Join(s.Dir, name) }
	return &deploy.Job{
		World: s.World(s.Said), Dir: s.Dir, Verb: verb, Argv: []string{verb},
		Files:       deploy.Files{Definitions: file("definitions.json"), Defaults: file("defaults.json"), Instances: file("instances.json")},
		Password:    secret.New("bench"),
		AskPassword: func() (secret.Secret, bool, error) { return secret.Secret{}, false, nil },
		Confirm:     func(string) error { return nil },
	}
}
