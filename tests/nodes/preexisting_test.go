//go:build nodes

package nodes

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// bareNodes makes nodes as a site has them before icm has ever seen them: with
// their operating system, and nothing of icm. It provisions a lab with a key
// that the nodes do not take, so icm stops at their door.
func bareNodes(t *testing.T, count int) *site {
	t.Helper()
	lab := newSite(t, fmt.Sprintf(`[{"Role": "DM", "Count": "%d"}]`, count), map[string]any{"SSHPrivateKey": "other"})
	lab.keygen("other")
	if count > 1 {
		lab.set("Mirror", "true") // only so that several of one role are allowed
	}
	r := lab.icm("provision")
	lab.wantRefusal(r, 1, "login refused for user icm: the key was not accepted")
	if lab.stateDir() == "" {
		t.Fatal("there are no nodes")
	}
	return lab
}

// addressInLab is where a machine of the lab is.
func (s *site) addressInLab(machine string) string {
	s.t.Helper()
	return s.inside(machine, `ip -4 -o addr show scope global | sed 's#.* inet \([0-9.]*\)/.*#\1#'`)
}

// given is a deployment of machines that exist already. definitions has one
// entry for each; fields are added to the defaults, nil removes one.
func given(t *testing.T, lab *site, definitions string, fields map[string]any) *site {
	t.Helper()
	s := newSite(t, definitions, nil)
	for _, name := range []string{"id", "id.pub"} {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(lab.read(name)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	maps.DeleteFunc(s.defaults, func(name string, _ any) bool { return strings.HasSuffix(name, "VolumeSize") })
	s.defaults["Provider"], s.defaults["Tag"] = "PreExisting", "GIVEN"
	for name, value := range fields {
		s.defaults[name] = value
	}
	s.writeDefaults()
	return s
}
