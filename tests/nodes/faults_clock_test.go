//go:build nodes

package nodes

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"icm/internal/wire"
)

// The nodes of a lab have the clock of this machine, so it is the question
// that is an hour off: it is put to a real agent as the controller puts it.
// That a failed check ends icm with status 3 is shown by the other bad nodes.
func TestAClockThatIsAnHourOffIsFound(t *testing.T) {
	t.Parallel()
	s := newSite(t, `[{"Role": "DM", "Count": "1"}]`, nil)
	dm := s.machine("DM", 1)
	s.provision()
	agent := s.agent(dm)
	for _, c := range []struct {
		off    time.Duration
		result string
		says   string
	}{
		{0, "pass", "agrees"},
		{time.Hour, "fail", "behind the controller's"},
		{-time.Hour, "fail", "ahead of the controller's"},
	} {
		var reply wire.CheckReply
		if err := agent.Call(t.Context(), wire.MethodCheck, wire.CheckRequest{Now: time.Now().Add(c.off)}, &reply); err != nil {
			t.Fatal(err)
		}
		for _, f := range reply.Findings {
			if f.Check == "clock" && (f.Result != c.result || !strings.Contains(f.Text, c.says) || c.result == "fail" && f.Hint == "") {
				t.Errorf("%s off: %+v", c.off, f)
			}
		}
	}
}

// agent connects to a node's agent without SSH.
func (s *site) agent(machine string) *wire.Client {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := s.command(ctx, "lab", "-deployment", filepath.Base(s.stateDir()), "exec", machine, "--", "/usr/local/lib/icm-agent/current/icm-agent", "dial")
	in, errIn := cmd.StdinPipe()
	out, errOut := cmd.StdoutPipe()
	if err := errors.Join(errIn, errOut, cmd.Start()); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { cancel(); _ = cmd.Wait() })
	client, err := wire.NewClient(struct {
		io.Reader
		io.WriteCloser
	}{out, in}, "test")
	if err != nil {
		s.t.Fatal(err)
	}
	return client
}

func TestANodeThatDiesDuringProvisionIsFinished(t *testing.T) {
	t.Parallel()
	s := newSite(t, pair, nil)
	dm, am := s.machine("DM", 1), s.machine("AM", 2)
	provision := s.begin("provision")
	provision.waitFor("Mounting volumes on " + am)
	s.powerCut(am)
	s.powerOn(am)
	if r := provision.wait(); r.status != 0 {
		t.Errorf("status %d", r.status)
	}
	for _, machine := range []string{dm, am} {
		s.inside(machine, "for v in data wij journal1 journal2; do mountpoint -q /irissys/$v || exit 1; done")
	}
	before := s.untouched(am)
	s.must("provision", "-stateDir", s.stateDir())
	s.sameAs(before, am)
}
