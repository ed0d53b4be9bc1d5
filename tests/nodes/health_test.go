//go:build nodes

package nodes

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// ailment is a finding as `icm health -json` has it.
type ailment struct {
	Check, Severity, Text, Hint string
	Since                       time.Time
}

// health is what ails the one node of a site. The exit status has to fit.
func (s *site) health(args ...string) []ailment {
	s.t.Helper()
	r := s.icm(append([]string{"health", "-json=-"}, args...)...)
	var rows []struct{ Findings []ailment }
	if err := json.Unmarshal([]byte(r.out), &rows); err != nil || len(rows) != 1 {
		s.t.Fatalf("icm health said what is no JSON of one node: %v\n%s%s", err, r.out, r.err)
	}
	found := rows[0].Findings
	if want := min(len(found), 1); r.status != want {
		s.t.Errorf("with %d findings the status is %d", len(found), r.status)
	}
	return found
}

// ails fails unless exactly these are found, each "check severity pattern", and
// returns them.
func (s *site) ails(patterns ...string) []ailment {
	s.t.Helper()
	found := s.health()
	var left []string
	for _, f := range found {
		left = append(left, f.Check+" "+f.Severity+" "+f.Text)
	}
	for _, p := range patterns {
		i := slices.IndexFunc(left, func(text string) bool { return regexp.MustCompile("^" + p).MatchString(text) })
		if i < 0 {
			s.t.Errorf("it does not find %q", p)
			continue
		}
		left = slices.Delete(left, i, i+1)
	}
	if len(left) > 0 {
		s.t.Errorf("it also finds %q", left)
	}
	return found
}

// typed is a hint, typed into a shell as it stands.
func (s *site) typed(hint string) {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), "sh", "-c", hint)
	cmd.Dir, cmd.Env = s.dir, s.env
	out, err := cmd.CombinedOutput()
	s.t.Logf("$ %s\n%s", hint, out)
	if err != nil && !strings.HasPrefix(hint, "icm health") { // which tells what is left by its status
		s.t.Errorf("%s: %v", hint, err)
	}
}

func TestWhatAilsANodeIsToldWithWhatHelps(t *testing.T) {
	t.Parallel()
	s := newSite(t, `[{"Role": "DM"}]`, with(noVolumes, map[string]any{"Namespace": "DB", "ISCglobals": "0,0,64,0,0,0"}))
	dm := s.machine("DM", 1)
	s.provision()
	s.step("a node without an instance is well", func(s *site) { s.ails() })
	s.bring("IRIS-2023.1.0")
	s.must("install")
	s.step("a node on which IRIS runs is well", func(s *site) { s.ails() })

	s.step("what is not as icm set it is told, and what the hints say mends it", func(s *site) {
		s.inside(dm, `sed -i s/^TimeoutStopSec=.*/TimeoutStopSec=5/ /etc/systemd/system/iris-iris.service
			sed -i s/^globals=.*/globals=0,0,128,0,0,0/ /usr/irissys/iris.cpf
			echo vm.swappiness=60 >>/etc/sysctl.d/90-icm.conf
			rm -f /etc/ssh/sshd_config.d/00-icm.conf
			printf 'PasswordAuthentication yes\n' >/etc/ssh/sshd_config.d/10-site.conf
			systemctl reload ssh
			systemctl disable irissys-data.mount`)
		found := s.ails(
			"drift warn .*iris-iris.service: TimeoutStopSec=5 is there, set was removed",
			`drift warn .*globals.* is 0,0,128,0,0,0, set was 0,0,64,0,0,0`,
			"kernel warn /etc/sysctl.d/90-icm.conf is other settings, set was .*vm.swappiness = 5",
			"provision warn password login is on, set was off",
			"provision warn /irissys/data is mounted, but not at every boot",
		)
		var hints []string
		for _, f := range found {
			if !slices.Contains(hints, f.Hint) {
				hints = append(hints, f.Hint)
			}
		}
		equal(s.t, "the hints", len(hints), 2)
		for _, h := range hints {
			s.typed(h)
		}
		s.ails()
	})
	s.step("an instance that crashed is an alert, since when it is known over a restart of the agent", func(s *site) {
		s.inside(dm, "kill -9 "+s.pid(dm))
		first := s.ails("instance alert IRIS is crashed")
		s.inside(dm, "systemctl restart icm-agent")
		again := s.ails("instance alert IRIS is crashed")
		if !again[0].Since.Equal(first[0].Since) {
			s.t.Fatalf("since %v and since %v", first, again)
		}
		equal(s.t, "the hint", again[0].Hint, "icm start -machine "+dm)
		s.typed(again[0].Hint)
		s.ails()
		says(s.t, s.must("health", "-past"), "over +instance .*IRIS is crashed.*, until ")
	})
	s.step("an instance that icm stopped is well", func(s *site) {
		s.must("stop")
		s.ails()
		s.must("start")
	})
	s.step("severe lines of messages.log are told until somebody has seen them", func(s *site) {
		s.inside(dm, "echo '05/01/26-12:00:00:000 (7) 3 [Generic.Event] the sky fell' >>/usr/irissys/mgr/messages.log")
		found := s.ails("messages alert messages.log of IRIS has 1 severe line: .*the sky fell")
		s.inside(dm, "cd /usr/irissys/mgr && mv messages.log messages.old_20260501 && touch messages.log && chown --reference=messages.old_20260501 messages.log")
		s.ails("messages alert .*the sky fell")
		s.typed(found[0].Hint)
		s.ails()
	})
	s.step("a full volume, a sick instance and a licence that ends are told", func(s *site) {
		soon := time.Now().AddDate(0, 0, 5).Format(time.DateOnly)
		s.inside(dm, `echo health=alert >/usr/irissys/mgr/standin.conf
			printf '[ConfigFile]\nFileType=InterSystems License\nExpirationDate=`+soon+`\n' >/usr/irissys/mgr/iris.key
			fallocate -l "$(( $(df --output=avail -B1 /irissys/data | tail -1) - (20 << 20) ))" /irissys/data/full`)
		found := s.ails("health alert IRIS reports health alert", "licence warn the licence key of IRIS expires on "+soon, "space alert /irissys/data is 9[5-9] % full")
		s.inside(dm, "rm /usr/irissys/mgr/standin.conf /usr/irissys/mgr/iris.key")
		for _, f := range found {
			if f.Check != "licence" { // a new key is nowhere
				s.typed(f.Hint)
			}
		}
		s.inside(dm, "rm /irissys/data/full")
		s.ails()
	})
	s.step("a node that does not answer is an alert", func(s *site) {
		s.lab("cut", dm)
		found := s.health()
		s.lab("heal", dm)
		if len(found) != 1 || found[0].Check != "node" || found[0].Severity != "alert" {
			s.t.Errorf("it finds %+v", found)
		}
		equal(s.t, "the hint", found[0].Hint, "icm ssh -machine "+dm+" -command true")
	})
	s.step("the agent stays small", func(s *site) {
		rss := s.inside(dm, "awk '/VmRSS/ {print $2}' /proc/$(systemctl show -P MainPID icm-agent)/status")
		s.t.Logf("RSS of the agent: %s kB; its memory of findings: %s bytes", rss, s.inside(dm, "stat -c %s "+filepath.Join("/var/lib/icm-agent", "health.json")))
	})
}
