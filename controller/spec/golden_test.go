package spec

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "write what Load says into the files")

func TestLoadSaysWhatTheFilesExpect(t *testing.T) {
	names, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatalf("no cases found: %v", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			got := render(Load(inputOf(t, archive)))
			if strings.Contains(got, "canary") {
				t.Errorf("a secret shows in:\n%s", got)
			}
			want := &archive.Files[len(archive.Files)-1]
			if *update {
				want.Data = []byte(got)
				if err := os.WriteFile(name, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(want.Data), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// inputOf reads the sections of a case; "options" holds lines of name=value.
func inputOf(t *testing.T, archive *txtar.Archive) Input {
	t.Helper()
	var in Input
	for _, f := range archive.Files {
		switch f.Name {
		case "defaults.json":
			in.Defaults = File{f.Name, f.Data}
		case "definitions.json":
			in.Definitions = File{f.Name, f.Data}
		case "options":
			in.Options = map[string]string{}
			for _, line := range strings.Split(strings.TrimSpace(string(f.Data)), "\n") {
				name, value, _ := strings.Cut(line, "=")
				in.Options[name] = value
			}
		case "want":
		default:
			t.Fatalf("the case has an unknown section %q", f.Name)
		}
	}
	return in
}

// render shows what a person would want to compare.
func render(s *Spec, problems Problems) string {
	var b strings.Builder
	tell := func(kind string, ps Problems) {
		for _, p := range ps {
			fmt.Fprintf(&b, "%s %s\n  hint: %s\n", kind, p, p.Hint)
		}
	}
	tell("problem:", problems)
	if s == nil {
		return b.String()
	}
	tell("warning:", s.Warnings)
	fmt.Fprintf(&b, "%s %s %s\n", s.Provider, s.Label, s.Tag)
	for _, d := range s.Definitions {
		for i, m := range d.Machines {
			zone := ""
			if d.Zone != nil {
				zone = " in " + d.Zone[i]
			}
			fmt.Fprintf(&b, "%s%s\n", m, zone)
		}
		for _, name := range d.Fields.Names() {
			if source := d.Fields.Source(name); source != FromICM {
				fmt.Fprintf(&b, "  %s=%s (%s)\n", name, d.Fields.Get(name), source)
			}
		}
	}
	return b.String()
}
