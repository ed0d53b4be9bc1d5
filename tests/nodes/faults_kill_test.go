//go:build nodes

package nodes

import (
	"strings"
	"syscall"
	"testing"
	"time"
)

// pause is how long the installer of the slow kit stands still: long enough
// for the agent to come back twice while it does.
const installerPause = 4 * time.Second

// disturbance is what happens to the application server, or to icm, while the
// installer runs there.
type disturbance struct {
	name    string
	happens func(s *site, am string, install *background)
	status  int // of the disturbed install; -1 when it was killed
	says    string
}

func TestAnInstallThatIsDisturbedEndsAsOneThatIsNot(t *testing.T) {
	t.Parallel()
	s := newSite(t, pair, nil)
	dm, am := s.machine("DM", 1), s.machine("AM", 2)
	s.provision()
	fast := kit(t, "IRIS-2023.1.0")
	s.bringFile(fast)
	s.must("install")
	want := map[string]string{dm: s.endState(dm), am: s.endState(am)}
	s.must("uninstall", "-force")
	s.bringFile(slowKit(t, fast, installerPause))

	for _, d := range []disturbance{
		{name: "the agent is killed", happens: func(s *site, am string, _ *background) {
			s.inside(am, "systemctl kill --kill-whom=main -s KILL icm-agent")
		}},
		{name: "the agent is killed again and again", happens: func(s *site, am string, _ *background) {
			for range 3 {
				before := s.inside(am, "systemctl show --value -p MainPID icm-agent")
				s.inside(am, "systemctl kill --kill-whom=main -s KILL icm-agent")
				s.agentIsBack(am, before)
			}
		}},
		{name: "the node loses its power", happens: func(s *site, am string, _ *background) {
			s.powerCut(am)
			s.powerOn(am)
		}},
		{name: "the node restarts", happens: func(s *site, am string, _ *background) {
			s.lab("reboot", am)
		}},
		{name: "all SSH connections die", happens: func(s *site, am string, _ *background) {
			s.inside(am, "systemctl restart ssh; for p in $(pidof sshd); do [ $p = $(systemctl show --value -p MainPID ssh) ] || kill -9 $p || true; done")
		}},
		{name: "the cable is cut for longer than a connection lives", says: "waiting", happens: func(s *site, am string, install *background) {
			s.cut(am)
			install.waitFor(am + ": waiting: until the agent answers again")
			s.heal(am)
		}},
		{name: "the node has forgotten the connection, and icm has not", says: "waiting", happens: func(s *site, am string, install *background) {
			s.cut(am) // nobody hears that the session ends there
			s.inside(am, "pkill -KILL -f '[s]shd.*: icm' || true; pkill -KILL -f 'icm-agent dia[l]' || true")
			install.waitFor(am + ": waiting: until the agent answers again")
			s.heal(am)
		}},
		{name: "icm is killed while the cable is cut", status: -1, happens: func(s *site, am string, install *background) {
			s.cut(am)
			install.signal(syscall.SIGKILL)
			install.wait()
			s.heal(am)
		}},
		{name: "icm is killed", status: -1, happens: func(_ *site, _ string, install *background) {
			install.signal(syscall.SIGKILL)
		}},
		{name: "icm is stopped with Ctrl-C", status: 130, says: am + ".*goes on|go on", happens: func(_ *site, _ string, install *background) {
			install.signal(syscall.SIGINT)
		}},
	} {
		t.Run(d.name, func(t *testing.T) {
			s := s.in(t)
			install := s.begin("install")
			install.waitFor("Installing kit on " + am)
			s.installerRuns(am)
			d.happens(s, am, install)
			r := install.wait()
			s.wantRefusal(r, d.status, d.says)
			if d.status != 0 {
				s.installAgainWaits(am)
			}
			s.running("2023.1.0.235.1", dm, am)
			for _, machine := range []string{dm, am} {
				if state := s.endState(machine); state != want[machine] {
					t.Errorf("%s is not as after an undisturbed install:\n%s", machine, difference(want[machine], state))
				}
			}
			s.must("install")
			s.must("uninstall", "-force")
		})
	}
}

// installAgainWaits runs install while the change of an earlier icm is at work.
func (s *site) installAgainWaits(machine string) {
	s.t.Helper()
	r := s.icm("install")
	s.wantRefusal(r, 0)
	if want := machine + `: waiting: for "install: install", which an earlier icm began, to end`; !strings.Contains(r.out, want) {
		s.t.Errorf("it does not say %q:\n%s", want, r.out)
	}
}

// installerRuns waits until a kit's installer has begun and stands still.
func (s *site) installerRuns(machine string) {
	s.t.Helper()
	s.inside(machine, "until pgrep -f 'dist/bin/standin install' >/dev/null; do sleep 0.05; done; sleep 0.3")
}

// agentIsBack waits until systemd has started the agent again.
func (s *site) agentIsBack(machine, before string) {
	s.t.Helper()
	s.inside(machine, "until pid=$(systemctl show --value -p MainPID icm-agent) && [ $pid != 0 ] && [ $pid != "+before+" ] && systemctl -q is-active icm-agent; do sleep 0.05; done")
}

// endState is everything an installation leaves on a node, but for what no two
// instances have in common: times, journals, logs and shared memory.
func (s *site) endState(machine string) string {
	s.t.Helper()
	return s.inside(machine, `
		find /usr/irissys /irissys /usr/local/etc/irissys /usr/local/lib/icm-agent /usr/bin/iris* \
			\( -name '*.log*' -o -name '*.lck' -o -name 'journal.*' -o -name '*.DAT' -o -name '*.pid' \
			-o -name '*.dat' -o -name '20[0-9]*' -o -name '*.sock' \) -prune -o -printf '%p %y %m %u:%g %l\n' 2>/dev/null | sort
		echo "--- iris.cpf"; grep -v -e ^PasswordHash= -e ^LastConvertTime= /usr/irissys/iris.cpf
		echo "--- instances"; iris qlist | sed 's/\(since\|last used\) [^^]*//'
		echo "--- units"; for u in /etc/systemd/system/*iris* /etc/systemd/system/icm*; do echo "$u"; cat "$u" 2>/dev/null; done
		systemctl is-enabled 'icm-iris*' 2>/dev/null; systemctl list-units --no-legend --plain '*iris*' | awk '{print $1, $3, $4}'
		echo "--- left over"; ls -A /var/lib/icm-agent-kits /var/lib/icm-agent/kits /var/lib/icm-agent/secrets 2>/dev/null
		echo "--- accounts"; grep -e iris /etc/passwd /etc/group`)
}
