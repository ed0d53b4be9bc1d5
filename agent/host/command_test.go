package host

import (
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestAProgramThatTakesTooLongIsStoppedAndItIsSaid(t *testing.T) {
	_, err := Command{Path: "sleep", Args: []string{"3600"}, Limit: 50 * time.Millisecond}.Run(t.Context())
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "sleep was stopped: it did not end within 50ms") {
		t.Errorf("it says %v", err)
	}
}

func TestAStoppedProgramSaysWhoWantedIt(t *testing.T) {
	ctx, stop := context.WithCancelCause(t.Context())
	stop(errors.New("the change was aborted"))
	_, err := Command{Path: "sleep", Args: []string{"3600"}}.Run(ctx)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "the change was aborted") {
		t.Errorf("it says %v", err)
	}
}

func TestAProgramGetsNothingOfOurEnvironment(t *testing.T) {
	t.Setenv("HOME", "/root")
	t.Setenv("ICM_TEST_CANARY", "a secret")
	out, err := Command{Path: "env", Env: []string{"LANG=x"}}.Run(t.Context())
	if err != nil || strings.Contains(out.Stdout, "CANARY") || strings.Contains(out.Stdout, "HOME") {
		t.Errorf("it has %q, %v", out.Stdout, err)
	}
	if !strings.Contains(out.Stdout, "PATH=/usr/local/sbin:") || !strings.Contains(out.Stdout, "LANG=x\n") || !strings.Contains(out.Stdout, "LC_ALL=") {
		t.Errorf("it has %q", out.Stdout)
	}
}

func TestOfALongOutputTheEndIsKept(t *testing.T) {
	lines := 0
	out, err := Command{Path: "/bin/sh", Args: []string{"-c", "yes 0123456789 | head -n 200000; echo last; echo why >&2; exit 3"},
		Line: func(string) { lines++ }}.Run(t.Context())
	var exit *ExitError
	if !errors.As(err, &exit) || exit.Exit != 3 || err.Error() != "/bin/sh ended with status 3: why" {
		t.Errorf("it says %v", err)
	}
	if len(out.Stdout) > maxOutput || !strings.HasSuffix(out.Stdout, "\nlast\n") || lines != 200_001 {
		t.Errorf("%d bytes are kept, %d lines came", len(out.Stdout), lines)
	}
}

// TestNothingInTheAgentWaitsForEver: programs are started by Command alone,
// which has a limit; nobody sleeps; a client's call goes nowhere without a
// context.
func TestNothingInTheAgentWaitsForEver(t *testing.T) {
	bad := map[string]string{
		"exec.Command": "use host.Command", "exec.CommandContext": "use host.Command, which has a limit",
		"time.Sleep": "wait for a condition", "net.Dial": "use a net.Dialer with a context", "context.TODO": "pass the caller's",
	}
	err := filepath.WalkDir("..", func(path string, e fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || path == "../host/command.go" {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := sel.X.(*ast.Ident); ok && bad[x.Name+"."+sel.Sel.Name] != "" {
					t.Errorf("%s uses %s.%s: %s", path, x.Name, sel.Sel.Name, bad[x.Name+"."+sel.Sel.Name])
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
