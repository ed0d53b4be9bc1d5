// Package scripts runs the command line as documentation: every file in
// testdata is a session that a user could type. The icm of these scripts is
// the real one; what they show needs no nodes. Scenarios with nodes are in
// tests/nodes.
package scripts

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"icm/controller/cli"
	"icm/controller/deploy"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"icm": icm})
}

// icm is what controller/main.go is, without signals.
func icm() {
	real := deploy.Real{Build: "1.2.3", Getenv: os.Getenv, Environ: os.Environ()}
	env, err := cli.NewEnv("1.2.3", real.World)
	if err != nil {
		panic(err)
	}
	os.Exit(cli.Main(context.Background(), env, os.Args[1:]))
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:  "testdata",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
	})
}

// exits runs a command and compares its status: exits 3 icm plan install.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS COMMAND [ARGS]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if err != nil {
		if _, scanErr := fmt.Sscanf(err.Error(), "exit status %d", &got); scanErr != nil {
			ts.Fatalf("%v", err)
		}
	}
	if got != want {
		ts.Fatalf("%v ended with status %d, want %d", args[1:], got, want)
	}
}
