package docs_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"icm/controller/spec"
	"icm/controller/state"
	"icm/controller/topology"
)

func TestTheExampleFilesAreFreeOfProblems(t *testing.T) {
	p := readPage(t, "docs/install-bare-metal.md")
	var in spec.Input
	for _, b := range p.codes {
		switch b.info {
		case "json defaults.json":
			in.Defaults = spec.File{Name: "defaults.json", Data: []byte(b.text)}
		case "json definitions.json":
			in.Definitions = spec.File{Name: "definitions.json", Data: []byte(b.text)}
		}
	}
	s, problems := spec.Load(in)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	topo, problems := topology.Build(s)
	if len(problems) > 0 || len(s.Warnings) > 0 || len(topo.Warnings) > 0 {
		t.Fatal(problems, s.Warnings, topo.Warnings)
	}
	var names []string
	for _, n := range topo.Nodes {
		names = append(names, n.MachineName)
	}
	if got := strings.Join(names, " "); got != "ACME-DM-TEST-0001 ACME-AM-TEST-0002 ACME-AM-TEST-0003" {
		t.Errorf("the example makes %s", got)
	}
}

func TestFieldsInTablesExist(t *testing.T) {
	count := 0
	ofProviders := sourceTexts(t, "plugins") // a provider may have fields of its own
	for _, p := range pages(t) {
		if p.path == "docs/parameters.md" {
			continue // made from the table of fields
		}
		for _, name := range p.fields() {
			count++
			if _, known := spec.Lookup(name); !known && !ofProviders.contains(name) {
				t.Errorf("%s: there is no field %s", p.path, name)
			}
		}
	}
	if count < 12 {
		t.Errorf("found only %d fields", count)
	}
}

// fields are the names in the columns of tables that are headed "Field…".
func (p page) fields() []string {
	var out []string
	var head []string
	for line := range strings.Lines(p.prose) {
		cells := cellsOf(line)
		if cells == nil || head == nil {
			head = cells
			continue
		}
		for i, c := range cells {
			if i >= len(head) || !strings.HasPrefix(head[i], "Field") {
				continue
			}
			for _, m := range spanPattern.FindAllStringSubmatch(c, -1) {
				out = append(out, m[1])
			}
		}
	}
	return out
}

// The way out that docs/troubleshooting.md tells for a lock of a machine that
// is gone: without its owner the lock can be had, and the fence goes on.
func TestALockWithoutItsOwnerIsFreeAndKeepsItsNumber(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	dir, err := state.CreateAt(filepath.Join(t.TempDir(), "ICM-1"), "ICM-1", now)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir.Path, "lock.json")
	record := map[string]any{"format": 1, "fence": 7, "owner": map[string]any{"user": "ada", "host": "elsewhere", "machine": "other", "pid": 1}}
	writeJSON(t, file, record)
	var locked *state.LockedError
	if _, err := dir.Lock("icm install", now); !errors.As(err, &locked) {
		t.Fatalf("the lock of another machine was taken: %v", err)
	}
	delete(record, "owner")
	writeJSON(t, file, record)
	lock, err := dir.Lock("icm install", now)
	if err != nil {
		t.Fatal(err)
	}
	if got := lock.Fence().Number; got != 8 {
		t.Errorf("the fence is %d, want 8", got)
	}
	if err := lock.Unlock(); err != nil {
		t.Error(err)
	}
}

func writeJSON(t *testing.T, file string, v any) {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
