//go:build nodes

package nodes

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"icm/internal/wire"
)

// update is what happens while an operator with another icm looks at a node.
type update struct {
	name    string
	agent   string                                 // which agent the other icm brings
	happens func(s *site, node string)             // once the node watches the new agent
	ends    string                                 // the agent in the end, "" for the old one
	says    string                                 // by the other icm, "" when it is killed
	killed  bool                                   // the other icm, at once
	after   func(s *site, node string, why string) // of the old icm
}

func TestAnAgentIsReplacedByOneThatWorksAndByNoOther(t *testing.T) {
	t.Parallel()
	s := newSite(t, pair, nil)
	s.provision()
	icm := icmWith(t)
	agents := map[string]string{}
	for ill := range illness {
		agents[ill] = agentDir(t, "agent-"+ill, ill)
	}
	t.Run("nodes", func(t *testing.T) {
		for node, updates := range map[string][]update{
			s.machine("DM", 1): {
				{name: "the new agent ends at once", agent: "exits", says: "agent agent-exits does not work here: it does not answer"},
				{name: "the new agent answers, and ends after five seconds", agent: "dies", says: "agent agent-dies does not work here: it (answered, and then no more|ends and is started again)"},
				{name: "icm is killed", agent: "exits", killed: true},
			},
			s.machine("AM", 2): {
				{name: "the new agent hangs before it is ready", agent: "hangs", says: "agent agent-hangs does not work here: it does not answer"},
				{name: "the node loses its power", agent: "dies", killed: true, happens: func(s *site, node string) { s.powerCut(node); s.powerOn(node) }},
				{name: "the network is lost", agent: "well", ends: "agent-well", happens: func(s *site, node string) { s.cut(node) }},
			},
		} {
			t.Run(node, func(t *testing.T) {
				t.Parallel()
				for _, u := range updates {
					t.Run(u.name, func(t *testing.T) { s.in(t).update(u, node, icm, agents[u.agent]) })
				}
				left := s.in(t).inside(node, "ls -A "+wire.AgentLib+" | tr '\\n' ' '")
				if strings.Contains(left, "update ") || strings.Contains(left, ".part") || strings.Contains(left, ".new") {
					t.Errorf("something was left: %s", left)
				}
			})
		}
	})
}

func (s *site) update(u update, node, icm, agents string) {
	t := s.t
	old := s.agentOn(node)
	if old == "" {
		t.Fatal("the node has no agent")
	}
	ends := u.ends
	if ends == "" {
		ends = old
	}
	begun := s.with(icm, agents).begin("plan", "start", "-machine", node)
	s.updating(node, "agent-"+u.agent)
	if u.killed {
		begun.signal(syscall.SIGKILL)
	}
	if u.happens != nil {
		u.happens(s, node)
	}
	began := time.Now()
	s.settled(node, ends)
	t.Logf("%s settled for %s after %s", node, ends, time.Since(began).Round(time.Second))
	if (s.reverted(node) != "") != (ends == old) {
		t.Errorf("%s: reverted says %q", node, s.reverted(node))
	}
	switch {
	case u.killed:
		begun.wait()
		// The next icm that brings an agent is told.
		if said := s.with(icm, agentDir(t, "agent-next", "well")).icm("plan", "start", "-machine", node); !strings.Contains(said.out+said.err, "taken back by the node: agent agent-"+u.agent) {
			t.Errorf("the next icm does not say what happened: %s", said.err)
		}
	case ends == old:
		s.wantRefusal(begun.wait(), 3, u.says+".*; the old agent "+old+" was put back")
	default:
		s.heal(node)
		begun.signal(syscall.SIGKILL)
		begun.wait()
	}
}
