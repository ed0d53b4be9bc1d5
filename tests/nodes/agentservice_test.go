//go:build nodes

package nodes

import (
	"strings"
	"testing"
	"time"

	"icm/internal/wire"
)

func TestTheAgentIsAServiceThatSystemdKeeps(t *testing.T) {
	t.Parallel()
	s := newSite(t, `[{"Role": "DM", "Count": "1"}]`, nil)
	dm := s.machine("DM", 1)
	s.provision()
	icm, well := icmWith(t), agentDir(t, "agent-well", "well")

	t.Run("its properties", func(t *testing.T) {
		s := s.in(t)
		got := s.inside(dm, "systemctl show -p Type -p WatchdogUSec -p KillMode -p Restart -p StartLimitIntervalUSec -p ActiveState -p UnitFileState "+wire.AgentUnit+" | sort | tr '\n' ' '")
		if want := "ActiveState=active KillMode=process Restart=always StartLimitIntervalUSec=0 Type=notify UnitFileState=enabled WatchdogUSec=1min"; got != want {
			t.Errorf("it is %s, want %s", got, want)
		}
		got = s.inside(dm, "stat -c '%a %U:%G' "+wire.AgentSocket+" "+wire.AgentHome+" | tr '\n' ' '")
		if want := "660 root:icm-agent 700 root:root"; got != want {
			t.Errorf("socket and home are %s, want %s", got, want)
		}
	})
	t.Run("nobody else may talk to it", func(t *testing.T) {
		s := s.in(t)
		if said := s.inside(dm, "setpriv --reuid nobody --regid nogroup --clear-groups "+wire.AgentLib+"/current/icm-agent hello 2>&1 || true"); !strings.Contains(said, "permission denied") {
			t.Errorf("it says %q", said)
		}
	})
	t.Run("it is killed again and again", func(t *testing.T) {
		s := s.in(t)
		for range 7 {
			before := s.inside(dm, "systemctl show --value -p MainPID icm-agent")
			s.inside(dm, "systemctl kill --kill-who=main -s KILL icm-agent")
			s.agentIsBack(dm, before)
		}
	})
	t.Run("it hangs", func(t *testing.T) {
		s := s.in(t)
		s.inside(dm, `mkdir -p /run/systemd/system/icm-agent.service.d
			printf '[Service]\nWatchdogSec=4\nTimeoutStopSec=4\n' > /run/systemd/system/icm-agent.service.d/quick.conf
			systemctl daemon-reload && systemctl restart icm-agent`)
		defer s.inside(dm, "rm -r /run/systemd/system/icm-agent.service.d && systemctl daemon-reload && systemctl restart icm-agent")
		before := s.inside(dm, "systemctl show --value -p MainPID icm-agent")
		s.inside(dm, "kill -STOP "+before)
		s.agentIsBack(dm, before)
	})

	for _, bad := range []struct{ name, options, says, hint string }{
		{"noexec", "size=64m,noexec,mode=755", "cannot run: .*[Pp]ermission denied", "hint: mount /usr/local without noexec"},
		{"read-only", "size=64m,ro,mode=755", "[Rr]ead-only file system", "hint: mount /usr/local and /etc read-write"},
		{"full", "size=1m,mode=755", "has . MB free, the agent needs . MB", "hint: make space in the file system of /usr/local"},
		{"without room for one more file", "size=64m,nr_inodes=3,mode=755", "No space left on device", "hint: make space in the file system of /usr/local"},
	} {
		t.Run("its file system is "+bad.name, func(t *testing.T) {
			s := s.in(t)
			s.inside(dm, "mount -t tmpfs -o "+bad.options+" test /usr/local/lib")
			r := s.with(icm, well).icm("plan", "start")
			s.inside(dm, "umount /usr/local/lib")
			s.wantRefusal(result{err: r.out + r.err, status: r.status}, 3, bad.says, bad.hint)
			if s.agentOn(dm) == "" {
				t.Error("the agent that was there does not answer any more")
			}
		})
	}
}

func TestAChangeThatRunsGoesOnInTheNewAgent(t *testing.T) {
	t.Parallel()
	s := newSite(t, `[{"Role": "DM", "Count": "1"}]`, nil)
	dm := s.machine("DM", 1)
	s.provision()
	icm, well := icmWith(t), agentDir(t, "agent-well", "well")
	s.bringFile(slowKit(t, kit(t, "IRIS-2023.1.0"), installerPause))
	install := s.begin("install")
	eventually(t, "the installer to run", time.Minute, func() (bool, string) {
		seen := s.inside(dm, "pgrep -f icm-agent-kit[s]/IRIS || true")
		return seen != "", seen
	})
	if r := s.with(icm, well).icm("ps"); r.status != 0 {
		t.Fatalf("status %d: %s", r.status, r.err)
	}
	if r := install.wait(); r.status != 0 {
		t.Fatalf("install ended with status %d", r.status)
	}
	s.settled(dm, "agent-well")
	if left := s.inside(dm, "pgrep -f icm-agent-kit[s]/IRIS || true"); left != "" {
		t.Errorf("an installer is left: %s", left)
	}
	// The new agent is of no version that can be compared: bin/icm brings its own.
	s.running("2023.1.0.235.1", dm)
}
