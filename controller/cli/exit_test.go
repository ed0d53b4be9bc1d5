package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"icm/controller/deploy"
	"icm/controller/spec"
	"icm/controller/state"
	"icm/internal/hint"
)

// statuses is the interface: the same table stands in DESIGN and in every help.
var statuses = []struct {
	status  int
	meaning string // as in the help
	errs    []error
}{
	{ExitOK, "done", []error{nil}},
	{ExitError, "error, also bad usage", []error{
		errors.New("x"), &usageError{"x", ""}, context.DeadlineExceeded,
		&deploy.NodeErrors{Errs: failedOn("a")},
	}},
	{ExitRefused, "refused before anything was changed", []error{
		&deploy.RefusedError{Text: "x"}, hint.New(&deploy.RefusedError{Text: "x"}, "y"),
		&deploy.InputError{Problems: spec.Problems{{Text: "x"}}},
	}},
	{ExitPartial, "some nodes done, some not: run the same command again", []error{
		&deploy.NodeErrors{Errs: failedOn("a"), Done: 1},
		hint.New(&deploy.NodeErrors{Errs: failedOn("a"), Done: 1}, "y"),
		errors.Join(&deploy.NodeErrors{Errs: failedOn("a"), Done: 1}, errors.New("the record is not written")),
		&remoteErrors{&deploy.NodeErrors{Errs: failedOn("a"), Done: 1}, nil},
		&answeredError{hint.New(&deploy.SkippedError{Verb: "install", Nodes: []string{"a"}}, "y")},
		errors.Join(&deploy.SkippedError{Verb: "install", Nodes: []string{"a"}}),
	}},
	{ExitLocked, "somebody else holds the lock", []error{
		&state.LockedError{}, fmt.Errorf("the lock was taken away: %w", &state.LockedError{}),
	}},
	{ExitCancelled, "cancelled", []error{
		context.Canceled, &deploy.CancelledError{},
		errors.Join(hint.New(&deploy.CancelledError{Begun: true}, "y"), &deploy.NodeErrors{Errs: failedOn("a"), Done: 1}),
		&deploy.NodeErrors{Errs: []*deploy.NodeError{{Node: "a", Err: context.Canceled}}, Done: 3},
	}},
}

func failedOn(nodes ...string) []*deploy.NodeError {
	var out []*deploy.NodeError
	for _, n := range nodes {
		out = append(out, &deploy.NodeError{Node: n, Err: hint.New(errors.New("no room"), "make room on "+n)})
	}
	return out
}

func TestErrorsEndInTheStatusThatTheHelpPromises(t *testing.T) {
	want := "Exit status:\n"
	for _, row := range statuses {
		want += fmt.Sprintf("  %-4d %s\n", row.status, row.meaning)
		for _, err := range row.errs {
			if got := exitStatus(err); got != row.status {
				t.Errorf("%T %v ends with %d, want %d", err, err, got, row.status)
			}
		}
	}
	same(t, "the help", exitHelp, want)
}

func TestErrorsAreSentencesWithTheirHints(t *testing.T) {
	for _, row := range []struct {
		err  error
		want string
	}{
		{hint.New(errors.New("there is nothing"), "icm provision"), "icm: there is nothing\nicm: hint: icm provision\n"},
		{&usageError{"what?", "icm help"}, "icm: what?\nicm: hint: icm help\n"},
		{&deploy.NodeErrors{Errs: failedOn("a", "b")}, "icm: node a: no room\nicm: hint: make room on a\nicm: node b: no room\nicm: hint: make room on b\n"},
		{&deploy.RefusedError{Text: "nothing was changed", Refusals: []deploy.Refusal{{Node: "a", Text: "no room", Hint: "make room"}, {Text: "no kit"}}},
			"icm: nothing was changed\nicm: node a: no room\nicm: hint: make room\nicm: no kit\n"},
		{&deploy.InputError{Problems: spec.Problems{{Pos: spec.Position{File: "f", Line: 2, Column: 3}, Text: "no comma", Hint: "put one"}}},
			"icm: f:2:3: no comma\nicm: hint: put one\n"},
		{errors.Join(&deploy.NodeErrors{Errs: failedOn("a")}, errors.New("cannot record the outcome")),
			"icm: node a: no room\nicm: hint: make room on a\nicm: cannot record the outcome\n"},
	} {
		var b bytes.Buffer
		report(&b, row.err)
		same(t, fmt.Sprintf("%T", row.err), b.String(), row.want)
	}
}

func TestALockIsToldWithItsHolder(t *testing.T) {
	u := provisioned(t, cluster)
	var made struct{ StateDir string }
	inv, err := state.LoadInstances(u.site.Dir + "/instances.json")
	if err != nil {
		t.Fatal(err)
	}
	made.StateDir, _, _ = strings.Cut(inv[0].StateDir, "/ACME-")
	dir, err := state.Open(made.StateDir)
	if err != nil {
		t.Fatal(err)
	}
	lock, err := dir.Lock("icm upgrade", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Unlock() //nolint:errcheck // the directory goes with the test
	holds(t, u.fails(t, ExitLocked, "install"), "is locked", "icm upgrade")
}

func TestACancelledCommandSaysWhetherAnythingWasChanged(t *testing.T) {
	u := provisioned(t, cluster)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	status, _, errs := u.types(ctx, "install")
	if status != ExitCancelled {
		t.Errorf("the status is %d", status)
	}
	same(t, "what it says", errs, "icm: cancelled: nothing was changed\n")
}
