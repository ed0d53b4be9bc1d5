// Package samples_test checks the samples as icm checks a user's files.
package samples_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"icm/controller/spec"
	"icm/controller/topology"
)

// providers are the directories, with the name of each one's provider.
var providers = map[string]string{
	"aws": spec.AWS, "gcp": spec.GCP, "azure": spec.Azure, "vsphere": spec.VSphere, "preexisting": spec.PreExisting, "lab": spec.Lab,
}

func read(t *testing.T, path string) spec.File {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return spec.File{Name: path, Data: data}
}

func TestEverySampleIsFreeOfProblems(t *testing.T) {
	for dir, provider := range providers {
		t.Run(dir, func(t *testing.T) {
			s, problems := spec.Load(spec.Input{
				Defaults:    read(t, filepath.Join(dir, "defaults.json")),
				Definitions: read(t, filepath.Join(dir, "definitions.json")),
			})
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			topo, problems := topology.Build(s)
			if len(problems) > 0 || len(s.Warnings) > 0 || len(topo.Warnings) > 0 {
				t.Fatal(problems, s.Warnings, topo.Warnings)
			}
			if got := s.Global.Get("Provider"); got != provider {
				t.Errorf("the provider is %s", got)
			}
			var names []string
			for _, n := range topo.Nodes {
				names = append(names, n.MachineName)
			}
			if got := strings.Join(names, " "); got != "ACME-DM-TEST-0001 ACME-AM-TEST-0002 ACME-AM-TEST-0003" {
				t.Errorf("the sample makes %s", got)
			}
		})
	}
}

func TestEveryProviderHasASample(t *testing.T) {
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() && providers[e.Name()] == "" {
			t.Errorf("the sample %s is not checked", e.Name())
		}
	}
	field, ok := spec.Lookup("Provider")
	if !ok || len(field.Values) != len(providers) {
		t.Errorf("there are samples of %d providers, and the providers are %v", len(providers), field.Values)
	}
}
