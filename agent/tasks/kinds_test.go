package tasks

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"icm/internal/kind"
)

// changesNothing are the kinds that only look: there is nothing to undo.
var changesNothing = []string{kind.IRISHealth, kind.IRISVerify, kind.MirrorWait, kind.GatewayCheck}

// staysAsItIs are the kinds whose undo is that the next operation, or nobody,
// does anything about it; their Why says so.
var staysAsItIs = []string{kind.IRISNamespace, kind.KitRemove, kind.NodeRestore,
	kind.MirrorAdmit, kind.MirrorDatabase, kind.MirrorTakeover,
	kind.IRISUser, kind.GatewayRemove, kind.ShardEnable, kind.ShardActivate, kind.ClusterInitialize}

func TestEveryKindIsImplementedAndEveryImplementationIsAKind(t *testing.T) {
	have := Kinds(Deps{Root: t.TempDir(), Home: t.TempDir()})
	for name := range kind.Table {
		if k, ok := have[name]; !ok || k.Look == nil || k.Do == nil {
			t.Errorf("%s is in the table of kinds, but the agent cannot look at it or do it", name)
		}
	}
	for name := range have {
		if _, ok := kind.Table[name]; !ok {
			t.Errorf("the agent has %s, which is not in the table of kinds", name)
		}
	}
}

func TestWhatTheTableSaysOfTheWayBackIsTrue(t *testing.T) {
	have := Kinds(Deps{Root: t.TempDir(), Home: t.TempDir()})
	for name, info := range kind.Table {
		undo := have[name].Undo != nil
		switch {
		case info.Reversibility == kind.OneWay && undo:
			t.Errorf("%s is one-way, and has an undo", name)
		case info.Reversibility != kind.OneWay && !undo && !slices.Contains(changesNothing, name) && !slices.Contains(staysAsItIs, name):
			t.Errorf("%s is %s, and has no undo", name, info.Reversibility)
		case info.Reversibility == kind.Reversible && slices.Contains(staysAsItIs, name):
			t.Errorf("%s says that it can be taken back, and leaves things as they are", name)
		case info.Reversibility != kind.Reversible && info.Why == "":
			t.Errorf("%s is %s and does not say why", name, info.Reversibility)
		case info.Reversibility == kind.Reversible && info.Why != "":
			t.Errorf("%s is reversible, which needs no reason: %q", name, info.Why)
		}
	}
}

var doingPhrase, donePhrase = regexp.MustCompile(`^[A-Z][a-z]+ing( [A-Za-z ]+)$`), regexp.MustCompile(`^[a-z]+ed( [A-Za-z ]+)$`)

func TestThePhrasesOfAKindAreInICMsForm(t *testing.T) {
	for name, info := range kind.Table {
		if info.Doing == "" && info.Done == "" {
			continue
		}
		doing, done := doingPhrase.FindStringSubmatch(info.Doing), donePhrase.FindStringSubmatch(info.Done)
		if doing == nil || done == nil || doing[1] != done[1] {
			t.Errorf("%s: %q and %q are not of the form %q and %q", name, info.Doing, info.Done, "Installing kit", "installed kit")
		}
	}
}

// TestEveryDoSaysWhatHappensTheSecondTimeAndHowItIsUndone reads the comments of
// the functions that the kinds name as their Do.
func TestEveryDoSaysWhatHappensTheSecondTimeAndHowItIsUndone(t *testing.T) {
	docs, dos := readSources(t)
	if len(dos) < len(kind.Table) {
		t.Errorf("only %d functions were found for %d kinds", len(dos), len(kind.Table))
	}
	for _, name := range dos {
		for _, word := range []string{"\nRerun: ", "\nUndo: "} {
			if !strings.Contains(docs[name], word) {
				t.Errorf("the comment of %s has no line that begins with %q", name, strings.TrimSpace(word))
			}
		}
	}
}

func readSources(t *testing.T) (docs map[string]string, dos []string) {
	t.Helper()
	docs = map[string]string{}
	names, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		if !strings.HasSuffix(n.Name(), ".go") || strings.HasSuffix(n.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), n.Name(), nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				docs[f.Name.Name] = "\n" + f.Doc.Text()
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if lit, ok := n.(*ast.CompositeLit); ok && isKind(lit) {
				dos = append(dos, doOf(t, lit))
			}
			return true
		})
	}
	return docs, dos
}

func isKind(lit *ast.CompositeLit) bool {
	sel, ok := lit.Type.(*ast.SelectorExpr)
	return ok && sel.Sel.Name == "Kind" && len(lit.Elts) > 0
}

// doOf is the name of the method that stands behind Do, or that a function
// there calls.
func doOf(t *testing.T, lit *ast.CompositeLit) string {
	t.Helper()
	for _, e := range lit.Elts {
		kv, ok := e.(*ast.KeyValueExpr)
		if !ok || kv.Key.(*ast.Ident).Name != "Do" {
			continue
		}
		found := map[string]bool{}
		ast.Inspect(kv.Value, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := sel.X.(*ast.Ident); ok && x.Name == "d" {
					found[sel.Sel.Name] = true
				}
			}
			return true
		})
		if len(found) == 1 {
			return slices.Collect(maps.Keys(found))[0]
		}
	}
	t.Errorf("a kind's Do names no single method")
	return ""
}
