// Package icm_test holds the rules about who may import whom.
package icm_test

import (
	"os/exec"
	"strings"
	"testing"
)

// notInAgent is what must stay out of the agent, and why.
var notInAgent = map[string]string{
	"net/http":                            "adds 2.8 MiB",
	"net/rpc":                             "adds 2.7 MiB, since it needs net/http",
	"crypto/tls":                          "adds 1.9 MiB; the agent talks over SSH that the controller dialled",
	"text/template":                       "adds 1.0 MiB, and stops the linker from dropping methods",
	"html/template":                       "needs text/template",
	"google.golang.org/grpc":              "adds 6.9 MiB",
	"google.golang.org/protobuf":          "needed by grpc only",
	"github.com/hashicorp/go-plugin":      "adds 9.3 MiB",
	"github.com/hashicorp/terraform-exec": "the providers' work",
	"github.com/spf13/cobra":              "adds 0.6 MiB",
	"golang.org/x/crypto/ssh":             "the controller dials, never the agent",
	"icm/controller":                      "the agent does not know who asks",
	"icm/plugins":                         "the agent does not know who made its node",
	"testing":                             "belongs to tests",
}

// inAgent is what the agent may share with the other programs, and why.
var inAgent = map[string]string{
	"icm/internal/atomicfile": "files that are whole or not there",
	"icm/internal/cpf":        "the text of iris.cpf",
	"icm/internal/hint":       "what to try next, beside an error; standard library only",
	"icm/internal/kind":       "the names and arguments of the kinds",
	"icm/internal/kitname":    "what the name of a kit says",
	"icm/internal/licensekey": "what a licence key says",
	"icm/internal/secret":     "values that cannot be printed",
	"icm/internal/wire":       "what goes between controller and agent",
}

// layers are the rules between our own packages: a package, or all below it,
// and what none of its imports may be.
var layers = []struct {
	from, not, why string
	direct         bool // only its own imports count, not theirs
}{
	{"icm/controller/cli", "icm/controller/remote", "the command line asks deploy", true},
	{"icm/controller/cli", "icm/controller/pluginhost", "the command line asks deploy", true},
	{"icm/controller/cli", "icm/internal/wire", "the command line asks deploy", true},
	{"icm/controller/cli", "golang.org/x/crypto/ssh", "the command line asks deploy", true},
	{"icm/controller/deploy", "icm/controller/cli", "deploy never prints", false},
	{"icm/controller/spec", "icm/controller/remote", "the spec is pure", false},
	{"icm/controller/topology", "icm/controller/remote", "the topology is pure", false},
	{"icm/controller", "icm/agent", "they meet in internal/wire", false},
	{"icm/plugins", "icm/controller", "a provider knows its contract only", false},
	{"icm/plugins", "icm/agent", "a provider installs nothing", false},
	{"icm/agent/engine", "icm/agent/tasks", "the engine knows nothing of what tasks do", false},
	{"icm/agent/engine", "icm/agent/iris", "the engine knows nothing of IRIS", false},
	{"icm/agent/iris", "icm/agent/tasks", "tasks use iris", false},
	{"icm/agent/host", "icm/agent/iris", "host knows Linux, not IRIS", false},
	{"icm/internal", "icm/agent", "internal is below everybody", false},
	{"icm/internal", "icm/controller", "internal is below everybody", false},
	{"icm/internal", "icm/plugins", "internal is below everybody", false},
}

// wireMayImport is all that the wire types may need: both programs carry it.
var wireMayImport = []string{"github.com/vmihailenco/msgpack/", "github.com/vmihailenco/tagparser/", "icm/internal/wire"}

// golist runs go list and returns a map from package to what the format gave.
func golist(t *testing.T, deps string, pattern string) map[string][]string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-f", "{{.ImportPath}} {{join ."+deps+" \" \"}}", pattern)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list %s: %v", pattern, err)
	}
	list := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		list[words[0]] = words[1:]
	}
	if len(list) == 0 {
		t.Fatalf("go list %s found nothing", pattern)
	}
	return list
}

// below reports whether a package is that one or lies below it.
func below(pkg, root string) bool { return pkg == root || strings.HasPrefix(pkg, root+"/") }

func TestAgentImports(t *testing.T) {
	for pkg, deps := range golist(t, "Deps", "icm/agent") {
		for _, dep := range deps {
			for root, why := range notInAgent {
				if below(dep, root) {
					t.Errorf("%s imports %s: %s", pkg, dep, why)
				}
			}
		}
	}
}

func TestTheAgentSharesOnlyWhatIsListed(t *testing.T) {
	used := map[string]bool{}
	for _, dep := range golist(t, "Deps", "icm/agent")["icm/agent"] {
		if below(dep, "icm/internal") && inAgent[dep] == "" {
			t.Errorf("the agent imports %s, which inAgent does not give a reason for", dep)
		}
		used[dep] = true
	}
	for dep := range inAgent {
		if !used[dep] {
			t.Errorf("inAgent lists %s, which the agent does not import", dep)
		}
	}
}

func TestLayers(t *testing.T) {
	all := golist(t, "Deps", "icm/...")
	direct := golist(t, "Imports", "icm/...")
	for _, rule := range layers {
		list := all
		if rule.direct {
			list = direct
		}
		for pkg, deps := range list {
			if !below(pkg, rule.from) {
				continue
			}
			for _, dep := range deps {
				if below(dep, rule.not) {
					t.Errorf("%s imports %s: %s", pkg, dep, rule.why)
				}
			}
		}
	}
}

func TestWireImports(t *testing.T) {
	for _, dep := range golist(t, "Deps", "icm/internal/wire")["icm/internal/wire"] {
		first, _, _ := strings.Cut(dep, "/")
		if !strings.Contains(first, ".") && first != "icm" {
			continue // the standard library
		}
		allowed := false
		for _, prefix := range wireMayImport {
			allowed = allowed || strings.HasPrefix(dep, prefix)
		}
		if !allowed {
			t.Errorf("internal/wire imports %s: both programs carry it", dep)
		}
	}
}
