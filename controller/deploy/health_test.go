package deploy_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"icm/controller/deploy"
	"icm/controller/remote"
	"icm/internal/wire"
	"icm/tests/sim"
)

// health asks the nodes of a site once.
func health(t *testing.T, s *sim.Site, o deploy.HealthOptions) []deploy.HealthRow {
	t.Helper()
	w := job(s, "health").Watch()
	defer w.Close()
	rows, err := w.Health(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// ailing is "check severity text" of a node's findings.
func ailing(rows []deploy.HealthRow, machine string) string {
	var out []string
	for _, r := range rows {
		for _, f := range r.Findings {
			if r.MachineName == machine {
				out = append(out, f.Check+" "+f.Severity+" "+f.Text)
			}
		}
	}
	return strings.Join(out, "\n")
}

func TestNodesThatAreWellComeToNoError(t *testing.T) {
	s := installed(t, cluster)
	rows := health(t, s, deploy.HealthOptions{})
	if err := deploy.Unwell(rows); err != nil || len(rows) != 3 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}

func TestAFindingComesWithACommandForItsNode(t *testing.T) {
	s := installed(t, cluster)
	s.Machine(am1).Ail(wire.HealthFinding{Check: "drift", Severity: "warn", Text: "x is 1, set was 2", Hint: "icm install -machine NODE"},
		wire.HealthFinding{Check: "provision", Severity: "alert", Text: "y", Hint: "icm provision -stateDir STATEDIR"})
	rows := health(t, s, deploy.HealthOptions{})
	err := deploy.Unwell(rows)
	var unwell *deploy.UnwellError
	if !errors.As(err, &unwell) || err.Error() != "not all is well: 1 alert, 1 warning on 1 of 3 nodes" {
		t.Errorf("it comes to %v", err)
	}
	for _, r := range rows {
		if r.MachineName == am1 && (r.Findings[0].Hint != "icm install -machine "+am1 || !strings.HasPrefix(r.Findings[1].Hint, "icm provision -stateDir ICM-")) {
			t.Errorf("the hints are %q and %q", r.Findings[0].Hint, r.Findings[1].Hint)
		}
	}
}

func TestAClockIsComparedWithTheTimeAtWhichItWasAsked(t *testing.T) {
	s := installed(t, `[{"Role": "DM"}]`)
	for _, c := range []struct {
		off  time.Duration
		want string
	}{
		{0, ""},
		{time.Second, ""},
		{10 * time.Second, "clock warn its clock is 10s ahead of this machine's"},
		{-10 * time.Second, "clock warn its clock is 10s behind this machine's"},
		{time.Hour, "clock alert its clock is 1h0m0s ahead of this machine's"},
	} {
		s.Machine(dm).SetClock(c.off)
		if got := ailing(health(t, s, deploy.HealthOptions{}), dm); got != c.want {
			t.Errorf("off by %s it says %q, want %q", c.off, got, c.want)
		}
	}
}

func TestANodeThatCannotBeAskedIsAFinding(t *testing.T) {
	s := installed(t, cluster)
	s.Unreachable[am1] = fmt.Errorf("%w: connection refused", remote.ErrRefused)
	s.Unreachable[am2] = remote.ErrNoSudo
	rows := health(t, s, deploy.HealthOptions{})
	holds(t, ailing(rows, am1), "node alert does not answer: ", "refused")
	holds(t, ailing(rows, am2), "node alert icm's agent cannot be brought to it: ")
	if ailing(rows, dm) != "" {
		t.Errorf("of the others it says %s", ailing(rows, dm))
	}
}

func TestWhatIsAskedForReachesTheNode(t *testing.T) {
	s := installed(t, `[{"Role": "DM"}]`)
	health(t, s, deploy.HealthOptions{MaxAge: 10 * time.Second, Seen: true, Past: true})
	if got := s.Machine(dm).Asked(); len(got) != 1 || got[0] != (wire.HealthRequest{MaxAge: 10, Seen: true, Past: true}) {
		t.Errorf("the node was asked %+v", got)
	}
}

func TestAWatchKeepsItsConnectionsAndMendsThem(t *testing.T) {
	s := installed(t, cluster)
	dials := map[string]int{}
	j := job(s, "health")
	connect := j.World.Connect
	j.Parallel = 1
	j.World.Connect = func(ctx context.Context, to deploy.Address) (deploy.Node, error) {
		dials[to.Machine]++
		return connect(ctx, to)
	}
	w := j.Watch()
	defer w.Close()
	look := func(want string, count int) {
		t.Helper()
		rows, err := w.Health(t.Context(), deploy.HealthOptions{})
		if err != nil || !strings.HasPrefix(ailing(rows, am1), want) || want == "" && ailing(rows, am1) != "" || dials[am1] != count {
			t.Errorf("it says %q after %d connections, %v; want %q after %d", ailing(rows, am1), dials[am1], err, want, count)
		}
		if rows, err := w.PS(t.Context()); err != nil || len(rows) != 3 {
			t.Errorf("ps: %v, %v", rows, err)
		}
	}
	look("", 1)
	look("", 1)
	s.Unreachable[am1] = remote.ErrNoSudo
	w.Close() // as if the lines had broken
	look("node alert", 2)
	delete(s.Unreachable, am1)
	dials[am1] = 0
	look("", 1)
	look("", 1)
}
