//go:build nodes

package nodes

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// noVolumes gives the volumes but the data's no device, for scenarios that
// have nothing to do with them.
var noVolumes = map[string]any{"WIJDeviceName": "null", "Journal1DeviceName": "null", "Journal2DeviceName": "null"}

// with are fields and some more.
func with(fields map[string]any, more map[string]any) map[string]any {
	out := map[string]any{}
	for _, m := range []map[string]any{fields, more} {
		for k, v := range m {
			out[k] = v
		}
	}
	return out
}

// Kits of the guide's own time have no configuration merge, other ports, and
// a shorter iris qlist. They come from a web server that asks for a password.
func TestKitsOf2018ComeFromAWebServerAndAreInstalledTheClassicWay(t *testing.T) {
	t.Parallel()
	s := newSite(t, pair, with(noVolumes, map[string]any{"Namespace": "DB", "Tag": "OLD", "ISCglobals": "0,0,64,0,0,0"}))
	dm, am := s.machine("DM", 1), s.machine("AM", 2)
	s.provision()
	old := filepath.Base(kit(t, "IRIS-2018.2.0"))
	server := s.serveKits(dm, "reader", "kit-Canary-word")

	s.step("a kit behind a password is refused without one", func(s *site) {
		s.set("KitURL", server+"/"+old)
		s.wantRefusal(s.icm("install"), 3, "node "+dm+": .*cannot fetch .*"+old, "hint: .*KitCredentials")
		s.write("credentials", "reader:wrong-Canary-word\n")
		s.set("KitCredentials", "credentials")
		r := s.icm("install")
		s.wantRefusal(r, 1, "node "+dm+": .*cannot fetch .*"+old+".*status 401", "hint: .*KitCredentials")
		saysNot(s.t, r.out+r.err, "Canary-word")
	})
	s.step("a kit with another sum is refused", func(s *site) {
		s.write("credentials", "reader:kit-Canary-word\n")
		s.set("KitSHA256", strings.Repeat("ab", 32))
		s.wantRefusal(s.icm("install"), 1, "node "+am+": .*its SHA-256 is [0-9a-f]{64}, but (ab){32} is expected", "undone: Fetch")
		for _, row := range s.ps() {
			equal(s.t, "the status of "+row["MachineName"], row["Status"], "not installed")
		}
	})
	s.step("an application server without its data server is refused", func(s *site) {
		s.set("KitSHA256", "")
		s.wantRefusal(s.icm("install", "-role", "AM"), 3, "node "+am+": "+s.address(dm)+":51773 cannot be reached: .*connection refused")
		equal(s.t, "the status", s.ps()[am]["Status"], "not installed")
	})
	s.stage("install installs", func(s *site) {
		data, err := os.ReadFile(kit(s.t, "IRIS-2018.2.0"))
		if err != nil {
			s.t.Fatal(err)
		}
		sum := sha256.Sum256(data)
		s.set("KitSHA256", strings.ToUpper(hex.EncodeToString(sum[:])))
		seen := s.watch(dm)
		out := s.must("install")
		equal(s.t, "the password on "+dm+" while it is installed", seen(), "")
		says(s.t, out, "^Management Portal available at: http://"+s.address(dm)+":52773/csp/sys/UtilHome.csp$")
		s.running("2018.2.0.792.0", dm, am)
		says(s.t, s.must("install"), "^Nothing to do")
	})
	s.step("the instances have the ports and settings of their time", func(s *site) {
		for _, m := range []string{dm, am} {
			says(s.t, s.inside(m, "ss -Hlnt"), `:51773\b`, `:52773\b`)
			equal(s.t, "globals on "+m, s.setting(m, "config", "globals"), "0,0,64,0,0,0")
			equal(s.t, "the port of "+m, s.setting(m, "Startup", "DefaultPort"), "51773")
			saysNot(s.t, s.inside(m, "cat /usr/irissys/iris.cpf"), `^\[Actions\]`)
		}
		equal(s.t, "the data server of "+am, s.setting(am, "ECPServers", "TDMOLD0001"), s.address(dm)+",51773,0")
	})
	s.step("application servers work on the data server's data", func(s *site) {
		s.must("sql", "-role", "DM", "-command", "CREATE TABLE Patients (Name VARCHAR(50), Ward INT)")
		s.must("sql", "-role", "AM", "-command", "INSERT INTO Patients (Name, Ward) VALUES ('Ada', 7)")
		says(s.t, s.must("sql", "-role", "DM", "-command", "SELECT Name, Ward FROM Patients"), "^Ada,7$")
		says(s.t, s.must("session", "-role", "AM", "-command", "Write $namespace"), "^DB$")
	})
	s.step("no password is anywhere", func(s *site) {
		s.wantNowhere(dm, am)
		for _, m := range []string{dm, am} {
			equal(s.t, "the web server's password on "+m, s.inside(m, "grep -srla kit-Canary.word /etc /var /usr/irissys /tmp /home | cat"), "")
		}
		says(s.t, s.setting(dm, "Startup", "PasswordHash"), ".")
	})
	s.step("a node that is down is down", func(s *site) {
		s.must("stop", "-role", "AM")
		equal(s.t, "the status", s.ps()[am]["Status"], "down")
		equal(s.t, "the version", s.ps()[am]["Kit"], "2018.2.0.792.0")
		s.must("start")
		s.running("2018.2.0.792.0", dm, am)
	})
	s.stage("upgrade goes node by node", func(s *site) {
		s.set("KitSHA256", "")
		s.set("KitURL", server+"/"+filepath.Base(kit(s.t, "IRIS-2018.2.1")))
		data := s.downDigest(dm)
		oneByOne(s.t, s.must("upgrade"), am, dm)
		s.running("2018.2.1.417.0", dm, am)
		equal(s.t, "the data", s.downDigest(dm), data)
		says(s.t, s.must("sql", "-role", "AM", "-command", "SELECT Name, Ward FROM Patients"), "^Ada,7$")
		says(s.t, s.must("plan", "install"), "^Nothing to do")
	})
	s.stage("a kit three eras newer is taken too", func(s *site) {
		s.set("KitURL", server+"/"+filepath.Base(kit(s.t, "IRIS-2025.1")))
		oneByOne(s.t, s.must("upgrade"), am, dm)
		s.running(version2025, dm, am)
		says(s.t, s.must("sql", "-role", "AM", "-command", "SELECT Name, Ward FROM Patients"), "^Ada,7$")
		says(s.t, s.inside(dm, "ss -Hlnt"), `:51773\b`) // ports stay
		says(s.t, s.must("plan", "install"), "^Nothing to do")
	})
	s.step("uninstall takes them off", func(s *site) {
		s.must("uninstall", "-force")
		for _, row := range s.ps() {
			equal(s.t, "the status of "+row["MachineName"], row["Status"], "not installed")
		}
		says(s.t, s.inside(dm, "ls /irissys/data/db"), "IRIS.DAT")
	})
}

// downDigest is the data of namespace DB, with the instances stopped for it.
func (s *site) downDigest(machine string) string {
	s.t.Helper()
	s.must("stop")
	out := s.digest(machine, "/irissys/data/db")
	s.must("start")
	return out
}

func TestAKitOf2025StandsAlone(t *testing.T) {
	t.Parallel()
	s := newSite(t, `[{"Role": "DM", "Count": "1"}]`, with(noVolumes, map[string]any{
		"Tag": "NEW", "InitialSecurity": "LockedDown", "SSHPassword": "login-Canary-word",
	}))
	dm := s.machine("DM", 1)
	s.stage("provision makes the node", func(s *site) { s.provision() })
	s.step("nobody gets in by password afterwards", func(s *site) {
		if err := s.loginByPassword(dm, "login-Canary-word"); err == nil {
			s.t.Error("the password of the first contact still lets in")
		}
		says(s.t, s.inside(dm, "sshd -T"), "^passwordauthentication no$", "^permitrootlogin ")
	})
	s.step("who keeps password logins says so with the sentinel file", func(s *site) {
		s.inside(dm, "rm /etc/ssh/sshd_config.d/00-icm.conf && systemctl reload ssh && install -d -o icm -g icm ~icm/ICM && touch ~icm/ICM/disable_password_login.done")
		eventually(s.t, "password logins to be open again", 10*time.Second, func() (bool, string) {
			err := s.loginByPassword(dm, "login-Canary-word")
			return err == nil, fmt.Sprint(err)
		})
		s.must("provision", "-stateDir", s.stateDir())
		says(s.t, s.inside(dm, "sshd -T"), "^passwordauthentication yes$")
		if err := s.loginByPassword(dm, "login-Canary-word"); err != nil {
			s.t.Errorf("the sentinel was not respected: %v", err)
		}
		s.inside(dm, "rm ~icm/ICM/disable_password_login.done")
		s.must("provision", "-stateDir", s.stateDir())
		if err := s.loginByPassword(dm, "login-Canary-word"); err == nil {
			s.t.Error("without the sentinel the password still lets in")
		}
	})
	s.stage("install installs", func(s *site) {
		s.bring("IRIS-2025.1")
		seen := s.watch(dm)
		out := s.must("install")
		equal(s.t, "the password while it is installed", seen(), "")
		saysNot(s.t, out, "Management Portal") // the kit brings no web server
		s.running(version2025, dm)
		says(s.t, s.must("plan", "install"), "^Nothing to do")
	})
	s.step("iris list has its new form and icm ps the usual one", func(s *site) {
		says(s.t, s.inside(dm, "iris list"), `^\s*SuperServers: 1972$`, `^\s*conf file:\s+iris.cpf  \(WebServer port =`)
		equal(s.t, "the table", rows(s.must("ps"))[1], []string{dm, s.address(dm), "IRIS", version2025, "running", "ok"})
		says(s.t, s.inside(dm, "cat /usr/irissys/parameters.isc"), "^security_settings.initial_level: (Locked Down|LockedDown)$")
	})
	s.step("one node needs no selection on a terminal", func(s *site) {
		if t := s.terminal("Write $namespace\nhalt\n", "session", "-interactive"); t.status != 0 || !strings.Contains(t.out, "USER>") {
			s.t.Errorf("the session ends with status %d:\n%s", t.status, t.out)
		}
		says(s.t, s.must("sql", "-command", "SELECT 42"), "^42$")
	})
	s.step("no password is anywhere", func(s *site) { s.wantNowhere(dm) })
	s.step("an installation that cannot be taken back is half installed, and the next one mends it", func(s *site) {
		s.must("uninstall", "-force")
		good := s.defaults["KitURL"]
		broken := editedKit(s.t, kit(s.t, "IRIS-2025.1"), "irisinstall_silent", func(string) string {
			return "#!/bin/sh\nmkdir -p /usr/irissys/bin && touch /usr/irissys/bin/stuck && chattr +i /usr/irissys/bin/stuck\nexit 1\n"
		})
		s.bringFile(broken)
		r := s.icm("install")
		s.wantRefusal(r, 1, "node "+dm+": .*the installer ended with status 1", "not undone: .*Install IRIS")
		equal(s.t, "the status", s.ps()[dm]["Status"], "half installed")
		s.inside(dm, "chattr -i /usr/irissys/bin/stuck")
		s.set("KitURL", good)
		s.bring("IRIS-2025.1")
		s.must("install")
		s.running(version2025, dm)
	})
}
