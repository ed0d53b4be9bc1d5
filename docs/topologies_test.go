package docs_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"icm/controller/spec"
	"icm/controller/topology"
)

const topologiesPage = "docs/topologies.md"

// graphOf draws a definitions file as `icm plan -graph` does.
func graphOf(t *testing.T, definitions string) string {
	t.Helper()
	mirror := strings.Contains(definitions, `"AR"`) || strings.Contains(definitions, "MirrorMap")
	defaults := fmt.Sprintf(`{"Provider": "Lab", "Containerless": "True", "Label": "ACME", "Tag": "TEST", "Namespace": "DB",
		"Mirror": "%v", "SSHUser": "icm", "SSHPublicKey": "id.pub", "SSHPrivateKey": "id"}`, mirror)
	s, problems := spec.Load(spec.Input{
		Defaults:    spec.File{Name: "defaults.json", Data: []byte(defaults)},
		Definitions: spec.File{Name: "definitions.json", Data: []byte(definitions)},
	})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	topo, problems := topology.Build(s)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return topo.Graph()
}

func TestThePicturesOfTopologiesAreMadeFromTheCode(t *testing.T) {
	p := readPage(t, topologiesPage)
	definitions, pictures := "", 0
	for _, b := range p.codes {
		switch {
		case b.info == "json definitions.json":
			definitions = b.text
		case b.info == "mermaid":
			pictures++
			want := strings.TrimSpace(graphOf(t, definitions))
			if got := strings.TrimSpace(b.text); got != want {
				t.Errorf("the picture of\n%s\nis\n%s\nand icm plan -graph draws\n%s", definitions, got, want)
			}
		}
	}
	if pictures < 7 {
		t.Errorf("there are %d pictures", pictures)
	}
}

func TestTheRulesOfTopologiesAreThoseOfTheCode(t *testing.T) {
	data, err := os.ReadFile("../" + topologiesPage)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range topology.Rules {
		effect := "refused"
		if r.Warns {
			effect = "warned of"
		}
		row := fmt.Sprintf("| `%s` | %s | %s |", r.ID, r.Text, effect)
		if !strings.Contains(string(data), row+"\n") {
			t.Errorf("%s lacks the row\n%s", topologiesPage, row)
		}
	}
	rows := 0
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(line, "| `") {
			rows++
		}
	}
	if rows != len(topology.Rules) {
		t.Errorf("%s has %d rules, the code %d", topologiesPage, rows, len(topology.Rules))
	}
}
