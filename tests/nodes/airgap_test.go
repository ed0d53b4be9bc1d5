//go:build nodes

package nodes

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// airGapPage is the page whose commands are typed.
const airGapPage = "docs/install-air-gap.md"

// typed are the commands that stand below a heading of the page, with the place
// where each is typed.
func typed(t *testing.T, heading string) (commands [][2]string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(top(), airGapPage))
	must(t, err)
	_, section, ok := strings.Cut(string(text), "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("%s has no heading %q", airGapPage, heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	place := ""
	for line := range strings.Lines(section) {
		line = strings.TrimSpace(line)
		switch info, fence := strings.CutPrefix(line, "```"); {
		case fence:
			place = strings.TrimPrefix(info, "sh ")
		case place != "" && line != "":
			commands = append(commands, [2]string{place, line})
		}
	}
	return commands
}

// places are the machines of the page. Each has a directory and a home of its
// own; only the site has nodes, and no network.
type places struct {
	laptop, site, office *site
}

// others makes the machines around a site.
func others(t *testing.T, s *site) places {
	at := func() *site {
		m := &site{t: t, dir: t.TempDir()}
		for _, e := range s.env {
			if !strings.HasPrefix(e, "HOME=") {
				m.env = append(m.env, e)
			}
		}
		m.env = append(m.env, "HOME="+m.dir)
		return m
	}
	return places{laptop: at(), site: s, office: at()}
}

// carry copies files from one machine to another.
func carry(t *testing.T, from, to *site, names ...string) {
	t.Helper()
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join(from.dir, name))
		must(t, err)
		must(t, os.WriteFile(filepath.Join(to.dir, name), data, 0o600))
	}
}

// typeAll types commands as they are printed, and returns what the last one
// said.
func (p places) typeAll(t *testing.T, commands [][2]string) (said string) {
	t.Helper()
	for _, c := range commands {
		s, ok := map[string]*site{"laptop": p.laptop, "site": p.site, "office": p.office}[c[0]]
		if !ok {
			t.Fatalf("there is no machine %q to type %q on", c[0], c[1])
		}
		r := s.in(t).shell(c[1])
		if r.status != 0 {
			t.Fatalf("%s: %s: status %d: %s", c[0], c[1], r.status, r.err)
		}
		said = r.out
		switch { // what is carried from one machine to the next
		case strings.HasPrefix(c[1], "icm bundle build -o acme.icmb"):
			carry(t, p.laptop, p.site, "acme.icmb", "acme.key.pub")
		case strings.HasPrefix(c[1], "icm bundle build -o acme-2.icmb"):
			carry(t, p.laptop, p.site, "acme-2.icmb")
		case strings.HasPrefix(c[1], "icm receipt -o"):
			carry(t, p.site, p.office, "installed.json", "installed.json.minisig", "site.key.pub")
		}
	}
	return said
}

func TestMainJobFromABundleWithoutANetwork(t *testing.T) {
	t.Parallel()
	imageAtHand(t)
	gap := newIsland(t) // first, so that it outlives the nodes
	s := newSite(t, `[{"Role": "DM", "Count": "1"}, {"Role": "AM", "Count": "1"}]`, with(noVolumes, map[string]any{
		"Tag": "AIRGAP", "Namespace": "DB", "LicenseDir": "licenses", "LicenseKey": "iris.key",
	}))
	s.env = append(s.env, "ICM_KEY_PASSWORD=key-Canary-word")
	p := others(t, s)
	s.enter = gap.enter(s.dir)
	p.laptop.write("iris.key", licence)
	for _, name := range []string{"IRIS-2023.1.0", "IRIS-2023.1.1"} {
		file := kit(t, name)
		must(t, os.Symlink(file, filepath.Join(p.laptop.dir, filepath.Base(file))))
	}
	dm, am := s.machine("DM", 1), s.machine("AM", 1)

	s.stage("from the laptop to the rack, in ten commands", func(s *site) {
		ten := typed(s.t, "From a connected laptop to a disconnected rack, in ten commands")
		if len(ten) != 10 {
			s.t.Errorf("the page has %d commands", len(ten))
		}
		said := p.typeAll(s.t, ten)
		says(s.t, said, "^installed.json is genuine", "icm install .*: done$", "of bundle acme issued", "^"+dm+" +done +IRIS +"+version0, "^"+am+" +done")
		s.running(version0, dm, am)
		says(s.t, s.inside(am, "cat /usr/irissys/mgr/iris.key"), "LicenseID=4711")
	})
	for _, m := range []string{dm, am} {
		s.inside(m, "rm -f /etc/resolv.conf; echo nameserver "+gap.address(t, s)+" > /etc/resolv.conf")
	}
	s.step("it works, stops and starts", func(s *site) {
		s.must("sql", "-role", "DM", "-command", "CREATE TABLE Patients (Name VARCHAR(50))")
		s.must("sql", "-role", "AM", "-command", "INSERT INTO Patients (Name) VALUES ('Ada')")
		s.must("stop")
		s.must("start")
	})
	s.stage("the next version comes as a delta", func(s *site) {
		p.typeAll(s.t, typed(s.t, "The next version, as a delta"))
		s.running(version1, dm, am)
		says(s.t, s.must("sql", "-role", "AM", "-command", "SELECT Name FROM Patients"), "^Ada$")
		says(s.t, s.shell("cd new/bin/linux-"+runtime.GOARCH+"; sha256sum -c providers.sha256; ./icm version").out, "^icm-provider-lab: OK$", "^icm ")
		full, delta := s.size("acme.icmb"), s.size("acme-2.icmb")
		if delta > full/3 {
			s.t.Errorf("the delta has %d bytes, the bundle %d", delta, full)
		}
		s.wantRefusal(s.icm("bundle", "load", "acme.icmb"), 1, "is older than that of")
	})
	s.must("uninstall", "-force")
	s.step("nobody tried to reach anything else", func(s *site) {
		gap.quiet(s.t, "icm's machine", gap.attempts(s.t))
		for _, m := range []string{dm, am} {
			gap.quiet(s.t, m, attemptsIn(s.inside(m, "cat /proc/net/snmp /proc/net/snmp6")))
		}
		equal(s.t, "the names that were asked for", gap.names(), nil)
	})
	s.step("an attempt would have been counted", func(s *site) {
		before := gap.attempts(s.t)
		_ = s.shell("exec 3<>/dev/tcp/203.0.113.7/443")
		if gap.attempts(s.t) <= before {
			s.t.Error("a connection from icm's machine was not counted")
		}
		s.inside(dm, "bash -c 'exec 3<>/dev/tcp/203.0.113.7/443' || getent hosts kits.example || true")
		if attemptsIn(s.inside(dm, "cat /proc/net/snmp /proc/net/snmp6")) == 0 {
			s.t.Error("a connection from a node was not counted")
		}
		equal(s.t, "the names that were asked for", len(gap.names()) > 0, true)
	})
	s.wantNowhere(dm, am)
	before := gap.attempts(t)
	s.must("unprovision", "-stateDir", s.stateDir(), "-cleanUp", "-force")
	equal(t, "the attempts while the nodes were destroyed", gap.attempts(t)-before, 0)
}

// imageAtHand makes the image of the lab's nodes, which is the one thing here
// that comes from a network, unless it is there.
func imageAtHand(t *testing.T) {
	t.Helper()
	if len(glob(t, "/var/cache/icm/lab/debian-*")) > 0 {
		return
	}
	s := newSite(t, `[{"Role": "DM", "Count": "1"}]`, with(noVolumes, map[string]any{"Tag": "IMAGE"}))
	s.provision()
}

// shell runs a command line with the site's own shell.
func (s *site) shell(line string) result {
	s.t.Helper()
	bash, err := exec.LookPath("bash")
	must(s.t, err)
	return s.run(bash, "-euc", line)
}

func (s *site) size(name string) int64 {
	s.t.Helper()
	st, err := os.Stat(filepath.Join(s.dir, name))
	must(s.t, err)
	return st.Size()
}
