package icm_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The rule: a loop that lets time pass must stand in a function that knows when
// to give up. Time passes in a loop that makes a timer or a ticker, takes from
// one, or calls a function of its package that does. A function knows when to
// give up when it makes a context with a deadline, asks how long there is left,
// or has something called deadline. Nobody calls time.Sleep.
//
// The stand-in kit (labkit) is left out: it plays a program that hangs.

// endless are the loops that may go on for ever, and why.
var endless = map[string]string{
	"controller/remote/conn.go keepAlive": "is no wait: it watches a connection as long as there is one",
	"agent/serve.go watchdog":             "is no wait: it tells systemd that the agent lives, until the agent stops",
	"agent/monitor/monitor.go Run":        "is no wait: it watches the node as long as the agent lives",
	"controller/cli/watch.go watch":       "is no wait: it shows what there is until somebody has seen enough",
	"agent/kitfile/fetch.go follow":       "is no wait: it tells how far a download is, whose command has the deadline",
	"internal/swarm/tend.go tend":         "is no wait: it looks after links as long as a transfer is open",
	"agent/unit/job.go await":             "systemd ends every job; its callers bound the ctx",
}

// timers are names by which a loop lets time pass.
var timers = []string{"After", "NewTimer", "NewTicker", "Tick", "Sleep"}

// deadlines are names of what knows when to give up.
var deadlines = []string{"WithTimeout", "WithDeadline", "WithTimeoutCause", "WithDeadlineCause", "Until", "deadline"}

func TestNoWaitIsWithoutADeadline(t *testing.T) {
	found := map[string]bool{}
	count := 0
	for dir, files := range sources(t, "controller", "agent", "plugins", "internal") {
		for path, w := range waitsOf(files) {
			count += w.loops
			for _, f := range w.unbounded {
				place := filepath.ToSlash(filepath.Join(dir, path)) + " " + f
				found[place] = true
				if endless[place] == "" {
					t.Errorf("%s waits in a loop and has no deadline", place)
				}
			}
			for _, f := range w.sleeps {
				t.Errorf("%s: %s calls time.Sleep, which cannot be cancelled", filepath.Join(dir, path), f)
			}
		}
	}
	for place := range endless {
		if !found[place] {
			t.Errorf("%s is allowed to wait for ever and does not", place)
		}
	}
	if count < 8 {
		t.Errorf("found only %d loops that wait", count)
	}
}

// sources are the parsed files of all packages below some directories, by
// package and file; tests are left out.
func sources(t *testing.T, roots ...string) map[string]map[string]*ast.File {
	t.Helper()
	out := map[string]map[string]*ast.File{}
	for _, root := range roots {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			dir, name := filepath.Split(path)
			if out[dir] == nil {
				out[dir] = map[string]*ast.File{}
			}
			out[dir][name] = f
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// fileWaits is what a file does about waiting, by function.
type fileWaits struct {
	loops             int
	unbounded, sleeps []string
}

func waitsOf(files map[string]*ast.File) map[string]fileWaits {
	pausing := map[string]bool{} // functions of the package that let time pass, once
	for _, f := range files {
		for _, d := range functions(f) {
			pausing[d.Name.Name] = pausing[d.Name.Name] || mentions(d.Body, isTimer) && !mentions(d.Body, isDeadline)
		}
	}
	passes := func(n ast.Node) bool { return isTimer(n) || isPause(n, pausing) }
	out := map[string]fileWaits{}
	for name, f := range files {
		var w fileWaits
		for _, d := range functions(f) {
			if mentions(d.Body, isSleep) {
				w.sleeps = append(w.sleeps, d.Name.Name)
			}
			if !mentions(d.Body, func(n ast.Node) bool { return isLoop(n) && mentions(n, passes) }) {
				continue
			}
			w.loops++
			if !mentions(d, isDeadline) {
				w.unbounded = append(w.unbounded, d.Name.Name)
			}
		}
		out[name] = w
	}
	return out
}

func functions(f *ast.File) []*ast.FuncDecl {
	var out []*ast.FuncDecl
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Body != nil {
			out = append(out, fn)
		}
	}
	return out
}

func mentions(n ast.Node, is func(ast.Node) bool) bool {
	found := false
	ast.Inspect(n, func(n ast.Node) bool {
		found = found || n != nil && is(n)
		return !found
	})
	return found
}

func isLoop(n ast.Node) bool {
	switch n.(type) {
	case *ast.ForStmt, *ast.RangeStmt:
		return true
	}
	return false
}

// isTimer finds time.After(…) and its like, and <-timer.C.
func isTimer(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.CallExpr:
		sel, ok := n.Fun.(*ast.SelectorExpr)
		return ok && isName(sel.X, "time") && slices.Contains(timers, sel.Sel.Name)
	case *ast.UnaryExpr:
		sel, ok := n.X.(*ast.SelectorExpr)
		return ok && n.Op == token.ARROW && sel.Sel.Name == "C"
	}
	return false
}

func isSleep(n ast.Node) bool {
	sel, ok := n.(*ast.SelectorExpr)
	return ok && isName(sel.X, "time") && sel.Sel.Name == "Sleep"
}

// isPause finds a call of a function of this package that lets time pass: by its
// name, or as a method of a value, not of another package's.
func isPause(n ast.Node, pausing map[string]bool) bool {
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return false
	}
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return pausing[f.Name]
	case *ast.SelectorExpr:
		return pausing[f.Sel.Name]
	}
	return false
}

func isDeadline(n ast.Node) bool {
	id, ok := n.(*ast.Ident)
	return ok && slices.Contains(deadlines, id.Name)
}

func isName(e ast.Expr, name string) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == name
}

func TestTheRuleFindsEveryWayToWait(t *testing.T) {
	const rest = "func rest(d time.Duration) { t := time.NewTimer(d); <-t.C }\n"
	for name, c := range map[string]struct {
		source string
		want   string // function that is found
	}{
		"time.After":                    {"func f() { for !done() { <-time.After(s) } }", "f"},
		"a ticker outside":              {"func f() { t := time.NewTicker(s); for { select { case <-t.C: case <-ctx.Done(): return } } }", "f"},
		"a range over a timer":          {"func f() { for range time.Tick(s) { g() } }", "f"},
		"a helper":                      {rest + "func f() { for !done() { rest(s) } }", "f"},
		"a method":                      {"func (n N) rest() { <-time.After(s) }\nfunc f(n N) { for !done() { n.rest() } }", "f"},
		"in a goroutine":                {"func f() { go func() { for { <-time.After(s) } }() }", "f"},
		"a loop in a loop":              {"func f() { for range list { for !done() { <-time.After(s) } } }", "f"},
		"a context with a deadline":     {"func f() { ctx, _ := context.WithTimeout(ctx, s); for { select { case <-time.After(s): case <-ctx.Done(): return } } }", ""},
		"a deadline that is handed in":  {"func f(deadline time.Time) { for time.Now().Before(deadline) { <-time.After(s) } }", ""},
		"what is left":                  {rest + "func f() { for time.Until(end) > 0 { rest(s) } }", ""},
		"one pause":                     {rest + "func f() { rest(s) }", ""},
		"a loop that lets no time pass": {rest + "func f() { rest(s); for range list { g() } }", ""},
	} {
		file, err := parser.ParseFile(token.NewFileSet(), "x.go", "package x\n"+c.source, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(waitsOf(map[string]*ast.File{"x.go": file})["x.go"].unbounded, " "); got != c.want {
			t.Errorf("%s: found %q, want %q", name, got, c.want)
		}
	}
	file, err := parser.ParseFile(token.NewFileSet(), "x.go", "package x\nfunc f() { time.Sleep(s) }", parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(slices.Collect(maps.Values(waitsOf(map[string]*ast.File{"x.go": file})))[0].sleeps); got != "[f]" {
		t.Errorf("time.Sleep is found in %s", got)
	}
}
