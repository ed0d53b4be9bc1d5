package docs_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"icm/internal/kind"
	"icm/internal/wire"
)

// constants are the constants of a file whose names begin so, as written:
// name without the beginning → value without quotes.
func constants(t *testing.T, file, prefix string) map[string]string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", file), nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		for i, name := range spec.Names {
			rest, ours := strings.CutPrefix(name.Name, prefix)
			if !ours || rest == "" || i >= len(spec.Values) {
				continue
			}
			if lit, ok := spec.Values[i].(*ast.BasicLit); ok {
				out[rest] = strings.Trim(lit.Value, "\"`")
			}
		}
		return true
	})
	if len(out) == 0 {
		t.Fatalf("%s has no constants %s…", file, prefix)
	}
	return out
}

// valuesOf are the values alone, sorted.
func valuesOf(m map[string]string) []string {
	var out []string
	for _, v := range m {
		out = append(out, v)
	}
	return sorted(out)
}

func TestTheExitStatusesAreThoseOfTheProgram(t *testing.T) {
	want := map[string]string{}
	help := constants(t, "controller/cli/exit.go", "exitHel")["p"]
	for line := range strings.Lines(help) {
		number, meaning, ok := strings.Cut(strings.TrimSpace(line), " ")
		if _, err := strconv.Atoi(number); ok && err == nil {
			want[number] = strings.TrimSpace(meaning)
		}
	}
	got := map[string]string{}
	for _, row := range readPage(t, "docs/day-two.md").table(t, "## Exit statuses") {
		got[row[0]] = row[1]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("docs/day-two.md (+) does not say what every help says (-):\n%s", diff)
	}
	numbers := valuesOf(constants(t, "controller/cli/exit.go", "Exit"))
	var named []string
	for n := range got {
		named = append(named, n)
	}
	if diff := cmp.Diff(numbers, sorted(named)); diff != "" {
		t.Errorf("docs/day-two.md (+) has other numbers than exit.go (-):\n%s", diff)
	}
}

func TestTheKindsInTheGlossaryAreThoseOfTheTable(t *testing.T) {
	got := map[string]kind.Info{}
	for _, row := range readPage(t, "docs/concepts.md").table(t, "## Kinds of task") {
		got[strings.Trim(row[0], "`")] = kind.Info{Reversibility: kind.Reversibility(row[1]), Why: row[2]}
	}
	want := map[string]kind.Info{}
	for name, info := range kind.Table {
		want[name] = kind.Info{Reversibility: info.Reversibility, Why: info.Why}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("docs/concepts.md (+) differs from internal/kind (-):\n%s", diff)
	}
}

func TestTheProtocolIsDescribedWhole(t *testing.T) {
	p := readPage(t, "docs/protocol.md")
	frames := map[string]string{}
	for _, row := range p.table(t, "## Frames") {
		if _, err := strconv.Atoi(row[0]); err == nil {
			frames[row[1]] = row[0]
		}
	}
	if diff := cmp.Diff(constants(t, "internal/wire/frame.go", "Frame"), frames); diff != "" {
		t.Errorf("kinds of frame: docs (+), code (-):\n%s", diff)
	}
	var methods, codes []string
	for _, row := range p.table(t, "## Calls") {
		if name := strings.Trim(row[0], "`"); strings.Contains(row[1], "→") {
			methods = append(methods, name)
		} else {
			codes = append(codes, name)
		}
	}
	if diff := cmp.Diff(valuesOf(constants(t, "internal/wire/methods.go", "Method")), sorted(methods)); diff != "" {
		t.Errorf("methods: docs (+), code (-):\n%s", diff)
	}
	if diff := cmp.Diff(valuesOf(constants(t, "internal/wire/frame.go", "Code")), sorted(codes)); diff != "" {
		t.Errorf("codes: docs (+), code (-):\n%s", diff)
	}
	oneLine := strings.ReplaceAll(p.text, "\n", " ")
	for _, sentence := range []string{
		fmt.Sprintf("This version is %d, the oldest is %d.", wire.Version, wire.OldestVersion),
		fmt.Sprintf("big-endian, at most %d MiB", wire.MaxFrame>>20),
	} {
		if !strings.Contains(oneLine, sentence) {
			t.Errorf("docs/protocol.md does not say: %s", sentence)
		}
	}
}

func TestEveryStatusWordIsInTheGlossaryAndTheProtocol(t *testing.T) {
	for _, file := range []string{"docs/concepts.md", "docs/protocol.md"} {
		text := readPage(t, file).text
		for _, status := range valuesOf(constants(t, "internal/wire/change.go", "Status")) {
			if !strings.Contains(text, status) {
				t.Errorf("%s does not have the status %q", file, status)
			}
		}
	}
}
