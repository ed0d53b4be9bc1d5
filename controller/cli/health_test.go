package cli

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"icm/internal/wire"
)

var full = wire.HealthFinding{Check: "space", Severity: "warn", Text: "/data is 90 % full", Hint: "icm ssh -machine NODE -command 'sudo du -xh /data'",
	Since: time.Date(2026, 5, 1, 12, 0, 0, 0, time.Local)}

func TestWhatAilsNodesIsATableWithWhatHelps(t *testing.T) {
	u := provisioned(t, cluster)
	same(t, "of nodes that are well it", u.must(t, "health"), "All is well on 3 nodes.\n")
	same(t, "of one that is well it", u.must(t, "health", "-role", "DM"), "All is well on "+dm+".\n")
	u.site.Machine(am1).Ail(full)
	status, out, errs := u.types(t.Context(), "health")
	if status != ExitError {
		t.Errorf("the status is %d", status)
	}
	same(t, "the table", out, `Machine             Severity   Check   Since              Finding
-------             --------   -----   -----              -------
ACME-AM-TEST-0001   warn       space   2026-05-01 12:00   /data is 90 % full
                                                          hint: icm ssh -machine ACME-AM-TEST-0001 -command 'sudo du -xh /data'
`)
	same(t, "the error", errs, "icm: not all is well: 0 alerts, 1 warning on 1 of 3 nodes\n")
	if status, out, _ := u.types(t.Context(), "health", "-json=-", "-machine", am1); status != ExitError || !strings.Contains(out, `"text": "/data is 90 % full"`) {
		t.Errorf("as JSON, with status %d, it is\n%s", status, out)
	}
}

// watched runs a command that watches, and hands what it has printed to until,
// again and again, until that is satisfied; then it is stopped.
func (u *user) watched(t *testing.T, terminal bool, until func(out string) bool, args ...string) (status int, out string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	env := u.environment()
	env.Terminal = terminal
	o := &tap{until: until, done: cancel}
	env.Out = o
	status = Main(ctx, env, args)
	if !o.satisfied {
		t.Fatalf("icm %s printed\n%s", strings.Join(args, " "), o.b.String())
	}
	return status, o.b.String()
}

// tap is an output that looks at what runs through.
type tap struct {
	b         bytes.Buffer
	until     func(string) bool
	satisfied bool
	done      func()
}

func (o *tap) Write(p []byte) (int, error) {
	o.b.Write(p)
	if !o.satisfied && o.until(o.b.String()) {
		o.satisfied = true
		o.done()
	}
	return len(p), nil
}

func TestWatchingTellsEachChangeOnALineAndEndsWithWhatItSawLast(t *testing.T) {
	u := provisioned(t, cluster)
	stage := 0
	status, out := u.watched(t, false, func(out string) bool {
		switch {
		case stage == 0 && strings.Contains(out, "All is well on 3 nodes."):
			u.site.Machine(am1).Ail(full)
			stage = 1
		case stage == 1 && strings.Contains(out, am1+" warn space: /data is 90 % full"):
			u.site.Machine(am1).Ail()
			stage = 2
		case stage == 2 && strings.Contains(out, "over: "+am1+" warn space"):
			return strings.Count(out, "All is well") == 2
		}
		return false
	}, "health", "-watch", "-every", "5ms")
	if status != ExitOK || strings.Count(out, "\n") != 4 {
		t.Errorf("status %d:\n%s", status, out)
	}
	u.site.Machine(am1).Ail(full)
	status, _ = u.watched(t, false, func(out string) bool { return strings.Contains(out, "90 %") }, "health", "-watch", "-every", "5ms")
	if status != ExitError {
		t.Errorf("the status is %d", status)
	}
}

func TestATerminalIsRedrawn(t *testing.T) {
	u := provisioned(t, cluster)
	_, out := u.watched(t, true, func(out string) bool { return strings.Count(out, "\x1b[H\x1b[J") == 3 }, "ps", "-watch", "-every", "5ms")
	if strings.Count(out, "Machine  ") != 3 || strings.Count(out, am2) != 3 || !strings.Contains(out, "Ctrl-C ends it") {
		t.Errorf("it drew\n%q", out)
	}
}

func TestWatchingInstancesTellsWhatBecameOfThem(t *testing.T) {
	u := provisioned(t, `[{"Role": "DM"}]`)
	u.must(t, "install")
	stopped := false
	status, out := u.watched(t, false, func(out string) bool {
		if !stopped && strings.Contains(out, "running ok") {
			stopped = true
			u.site.Machine(dm).SetRunning(false)
		}
		return strings.Contains(out, " down")
	}, "ps", "-watch", "-every", "5ms")
	if status != ExitOK || strings.Count(out, "\n") != 2 {
		t.Errorf("status %d:\n%s", status, out)
	}
}

func TestAWatchWithoutAPauseIsRefused(t *testing.T) {
	u := provisioned(t, `[{"Role": "DM"}]`)
	holds(t, u.fails(t, ExitError, "ps", "-watch", "-every", "0s"), "-every must be more than 0")
}
