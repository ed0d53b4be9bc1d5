//go:build nodes

package nodes

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Kits that turn out to be bad when the work has begun: what was done is
// undone, and the same command works when the kit is good.

func TestABadKitIsUndoneAndTheSameCommandWorksWithAGoodOne(t *testing.T) {
	t.Parallel()
	s := newSite(t, pair, map[string]any{"Namespace": "DB"})
	dm, am := s.machine("DM", 1), s.machine("AM", 2)
	s.provision()
	good := kit(t, "IRIS-2023.1.1")
	script := func(path, text string) string {
		return editedKit(t, good, path, func(string) string { return "#!/bin/sh\n" + text + "\n" })
	}
	for _, bad := range []struct {
		name string
		kit  string
		only string // the machine that gets it; the other one gets the good kit
		says []string
	}{
		{
			name: "it is cut off", kit: madeKit(t, "truncated"), only: am,
			says: []string{"node " + am + ": .*cannot use the kit: the file is cut off before its end", "hint: fetch it again"},
		},
		{
			name: "it is damaged", kit: damagedKit(t, good),
			says: []string{"node " + am + ": .*cannot use the kit: ", "node " + dm + ": .*cannot use the kit: "},
		},
		{
			name: "it is for another system", kit: script("cplatname", "echo lnxrh8x64"), only: am,
			says: []string{"node " + am + ": .*it is for lnxubuntu2204x64, and calls this system lnxrh8x64", "hint: set KitURL to a kit for lnxrh8x64"},
		},
		{
			name: "it misses a package on the system", kit: script("irisinstall", "echo Requirement for libodd is not satisfied.; exit 1"), only: am,
			says: []string{"node " + am + ": .*Requirement for libodd is not satisfied", "hint: install the missing package"},
		},
	} {
		t.Run(bad.name, func(t *testing.T) {
			s := s.in(t)
			s.bringFile(good)
			if bad.only == "" {
				s.bringFile(bad.kit)
			} else {
				s.bringFile(bad.kit, bad.only)
			}
			before := s.brought(am)
			s.wantRefusal(s.icm("install"), 1, append(bad.says, "undone: Fetch|cannot use the kit: |cannot use kit ")...)
			if after := s.brought(am); after != before {
				t.Errorf("%s has more than before:\n%s", am, difference(before, after))
			}
			s.inside(dm, "test ! -e /usr/irissys")
		})
	}
	t.Run("it has another checksum", func(t *testing.T) {
		s := s.in(t)
		s.bringFile(good)
		sum := strings.Repeat("0", 64)
		s.wantRefusal(s.icm("install", "-field", "KitSHA256="+sum), 1, "its SHA-256 is [0-9a-f]{64}, but "+sum+" is expected", "hint: ")
	})
	t.Run("its installer fails on one node", func(t *testing.T) {
		s := s.in(t)
		s.bringFile(good)
		s.bringFile(madeKit(t, "broken-install"), am)
		r := s.icm("install")
		s.wantRefusal(r, 4, "node "+am+": .*Install IRIS .*cannot load system classes", "undone: .*Make accounts")
		s.inside(am, "test ! -e /usr/irissys && ! iris qlist 2>/dev/null | grep -q .")
		s.bringFile(good, am)
		s.must("install")
		s.running("2023.1.1.380.0", dm, am)
		s.must("uninstall", "-force")
	})
	t.Run("the disk fills up while it is installed", func(t *testing.T) {
		s := s.in(t)
		s.bringFile(slowKit(t, good, installerPause))
		s.inside(am, "mkdir -p /usr/irissys && mount -t tmpfs -o size=40m,mode=755 small /usr/irissys")
		install := s.begin("install")
		install.waitFor("Installing kit on " + am)
		s.installerRuns(am)
		s.inside(am, "fallocate -l 37m /usr/irissys/core")
		s.wantRefusal(install.wait(), 4, "node "+am+": .*Install IRIS .*no space left on device", "hint: ")
		s.inside(am, "rm -f /usr/irissys/core; umount /usr/irissys && rmdir /usr/irissys")
		s.bringFile(good)
		s.must("install")
		s.running("2023.1.1.380.0", dm, am)
	})
}

// brought is what kits leave on a node.
func (s *site) brought(machine string) string {
	s.t.Helper()
	return s.inside(machine, "find /usr /var/lib/icm-agent/kits /var/lib/icm-agent-kits -maxdepth 1 2>/dev/null | grep -v icm-agent/kits$ | sort; systemctl list-units --all --plain --no-legend 'iris-*'; grep iris /etc/passwd || true")
}

// damagedKit is a kit with a flipped bit in its middle.
func damagedKit(t *testing.T, original string) string {
	t.Helper()
	data, err := os.ReadFile(original)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	copied := filepath.Join(t.TempDir(), filepath.Base(original))
	if err := os.WriteFile(copied, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return copied
}

func TestAFailedUpgradeBringsTheOldVersionBack(t *testing.T) {
	t.Parallel()
	s := newSite(t, pair, map[string]any{"Namespace": "DB"})
	dm, am := s.machine("DM", 1), s.machine("AM", 2)
	s.provision()
	s.bringFile(kit(t, "IRIS-2023.1.0"))
	s.must("install")
	s.must("sql", "-machine", dm, "-command", "CREATE TABLE Wards (Name VARCHAR(50))")
	s.must("sql", "-machine", dm, "-command", "INSERT INTO Wards (Name) VALUES ('Paediatrics')")
	s.must("stop")
	before := map[string]string{dm: s.version(dm), am: s.version(am)}
	s.must("start")
	good := kit(t, "IRIS-2023.1.1")
	// old fails unless a machine has the old version again, as it was.
	old := func(s *site, machine string) {
		s.t.Helper()
		s.running("2023.1.0.235.1", machine)
		if out := s.must("sql", "-machine", machine, "-command", "SELECT Name FROM Wards"); !strings.Contains(out, "Paediatrics") {
			s.t.Errorf("%s has lost its data:\n%s", machine, out)
		}
		s.must("stop", "-machine", machine)
		if after := s.version(machine); after != before[machine] {
			s.t.Errorf("%s is not what it was:\n%s", machine, difference(before[machine], after))
		}
		s.must("start", "-machine", machine)
	}

	for _, bad := range []struct{ name, kit, says string }{
		{"the new version does not run", madeKit(t, "broken-upgrade"), "node " + am + ": "},
		{"the installer fails half-way", madeKit(t, "broken-install"), "node " + am + ": .*Upgrade IRIS .*cannot load system classes"},
	} {
		t.Run(bad.name, func(t *testing.T) {
			s := s.in(t)
			s.bringFile(bad.kit)
			bystander := s.inside(dm, "systemctl show -p MainPID -p ActiveEnterTimestamp iris-iris; pgrep irisdb")
			s.wantRefusal(s.icm("upgrade"), 1, bad.says, "undone: .*Upgrade IRIS from 2023.1.0.235.1|version 2023.1.0.235.1 (runs|is back)")
			if now := s.inside(dm, "systemctl show -p MainPID -p ActiveEnterTimestamp iris-iris; pgrep irisdb"); now != bystander {
				t.Errorf("%s was touched: %s, before %s", dm, now, bystander)
			}
			old(s, am)
		})
	}
	t.Run("it fails on the second node", func(t *testing.T) {
		s := s.in(t)
		s.bringFile(good)
		s.bringFile(madeKit(t, "broken-upgrade"), dm)
		s.wantRefusal(s.icm("upgrade"), 4, "node "+dm+": ", "undone: .*Upgrade IRIS from 2023.1.0.235.1|version 2023.1.0.235.1 (runs|is back)")
		s.running("2023.1.1.380.0", am)
		old(s, dm)
	})
	t.Run("the node dies in the middle", func(t *testing.T) {
		s := s.in(t)
		s.bringFile(slowKit(t, good, installerPause), dm)
		upgrade := s.begin("upgrade")
		upgrade.waitFor("Installing kit on " + dm)
		s.installerRuns(dm)
		s.powerCut(dm)
		s.powerOn(dm)
		if r := upgrade.wait(); r.status != 0 {
			t.Errorf("status %d", r.status)
		}
	})
	s.running("2023.1.1.380.0", dm, am)
	if out := s.must("sql", "-machine", am, "-command", "SELECT Name FROM Wards"); !strings.Contains(out, "Paediatrics") {
		t.Errorf("the data is gone:\n%s", out)
	}
	if out := s.must("upgrade"); !strings.Contains(out, "Nothing to do") {
		t.Errorf("another upgrade finds something to do:\n%s", out)
	}
}

// version is everything that an instance which is down consists of. A kit that
// waits for the next try is no part of it.
func (s *site) version(machine string) string {
	s.t.Helper()
	state := s.endState(machine)
	before, after, _ := strings.Cut(state, "--- left over")
	_, accounts, _ := strings.Cut(after, "--- accounts")
	return before + accounts + s.sums(machine)
}

// sums are those of the databases' contents, of an instance that is down.
func (s *site) sums(machine string) string {
	s.t.Helper()
	return s.inside(machine, "for d in /irissys/data/db /usr/irissys/mgr/user; do [ ! -e $d ] || /usr/irissys/bin/standin digest $d; done; /usr/irissys/bin/standin verify /irissys/data /irissys/journal1")
}
