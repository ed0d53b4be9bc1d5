//go:build nodes

package nodes

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// bareNodes makes nodes as a site has them before icm has ever seen them: with
// their operating system, and nothing of icm. It provisions a lab with a key
// that the nodes do not take, so icm stops at their door.
func bareNodes(t *testing.T, count int) *site {
	t.Helper()
	lab := newSite(t, fmt.Sprintf(`[{"Role": "VM", "Count": "%d"}]`, count), map[string]any{"SSHPrivateKey": "other"})
	lab.keygen("other")
	r := lab.icm("provision")
	lab.wantRefusal(r, 1, "login refused for user icm: the key was not accepted")
	if lab.stateDir() == "" {
		t.Fatal("there are no nodes")
	}
	return lab
}

// addressInLab is where a machine of the lab is.
func (s *site) addressInLab(machine string) string {
	s.t.Helper()
	return s.inside(machine, `ip -4 -o addr show scope global | sed 's#.* inet \([0-9.]*\)/.*#\1#'`)
}

// given is a deployment of machines that exist already. definitions has one
// entry for each; fields are added to the defaults, nil removes one.
func given(t *testing.T, lab *site, definitions string, fields map[string]any) *site {
	t.Helper()
	s := newSite(t, definitions, nil)
	for _, name := range []string{"id", "id.pub"} {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(lab.read(name)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	maps.DeleteFunc(s.defaults, func(name string, _ any) bool { return strings.HasSuffix(name, "VolumeSize") })
	s.defaults["Provider"], s.defaults["Tag"] = "PreExisting", "GIVEN"
	for name, value := range fields {
		s.defaults[name] = value
	}
	s.writeDefaults()
	return s
}

// operator makes a user as a site does: with a password, and sudo without one.
func (s *site) operator(machine, password string) {
	s.t.Helper()
	s.inside(machine, `id ops >/dev/null 2>&1 || useradd --create-home --shell /bin/bash ops
		echo 'ops:`+password+`' | chpasswd
		echo 'ops ALL=(ALL) NOPASSWD:ALL' >/etc/sudoers.d/ops
		printf 'PasswordAuthentication yes\n' >/etc/ssh/sshd_config.d/00-site.conf
		systemctl restart ssh`)
}

// sshd is an effective setting of a node's SSH server.
func (s *site) sshd(machine, setting string) string {
	s.t.Helper()
	return s.inside(machine, "sshd -T | sed -n 's/^"+setting+" //p'")
}

const opsPassword = "canary-0ps-word"

func TestPreExistingMachinesAreSetUpUsedAndLetGo(t *testing.T) {
	t.Parallel()
	lab := bareNodes(t, 2)
	one, two := lab.machine("VM", 1), lab.machine("VM", 2)
	lab.operator(one, opsPassword)
	lab.operator(two, "another-password")
	bare := map[string]string{one: lab.bare(one), two: lab.bare(two)}

	s := given(t, lab, fmt.Sprintf(`[
	  {"Role": "DM", "Count": "1", "IPAddress": %q,
	   "DataDeviceName": "xvdc", "WIJDeviceName": "xvdd", "Journal1DeviceName": "xvde", "Journal2DeviceName": "xvdf"},
	  {"Role": "AM", "Count": "1", "StartCount": "2", "DNSName": %q,
	   "DataDeviceName": "null", "WIJDeviceName": "null", "Journal1DeviceName": "null", "Journal2DeviceName": "null"}
	]`, lab.addressInLab(one), lab.addressInLab(two)), map[string]any{
		"SSHUser": "ops", "SSHPassword": opsPassword, "Namespace": "DB",
	})

	dm, am := s.machine("DM", 1), s.machine("AM", 2)

	t.Run("a wrong password is told, and the other machine is set up", func(t *testing.T) {
		s, lab := s.in(t), lab.in(t)
		r := s.icm("provision")
		s.wantRefusal(r, 4, "node "+am+": login refused for user ops: neither the key nor the password was accepted", "hint: .*SSHPassword",
			dm+": its host key was trusted unseen.*"+regexp.QuoteMeta(lab.fingerprint(one)))
		if strings.Contains(s.read("icm.log")+r.out+r.err, opsPassword) {
			t.Error("the password was printed")
		}
		if after := lab.bare(two); after != bare[two] {
			t.Errorf("the machine that was not entered was changed:\n%s", difference(bare[two], after))
		}
	})

	t.Run("a device that is not there is refused before any volume is touched", func(t *testing.T) {
		s, lab := s.in(t), lab.in(t)
		lab.operator(two, opsPassword)
		before := lab.images(one)
		definitions := s.read("definitions.json")
		s.write("definitions.json", strings.Replace(definitions, "xvde", "xvdz", 1))
		s.wantRefusal(s.icm("provision", "-stateDir", s.stateDir()), 3, "node "+dm+": .*xvdz", "hint: check the device's name")
		s.write("definitions.json", definitions)
		for device, sum := range lab.images(one) {
			if sum != before[device] {
				t.Errorf("%s was written to", device)
			}
		}
	})

	if !t.Run("the first contact is by password, and the last", func(t *testing.T) {
		s, lab := s.in(t), lab.in(t)
		s.must("provision", "-stateDir", s.stateDir())
		for machine, name := range map[string]string{one: dm, two: am} {
			if now := lab.sshd(machine, "passwordauthentication"); now != "no" {
				t.Errorf("%s: PasswordAuthentication is %q", name, now)
			}
			lab.inside(machine, "grep -qF '"+strings.Fields(s.read("id.pub"))[1]+"' ~ops/.ssh/authorized_keys")
			lab.inside(machine, "! grep -rl 'PRIVATE KEY' ~ops/.ssh /root 2>/dev/null | grep -q .")
		}
		lab.inside(one, "for v in data wij journal1 journal2; do mountpoint -q /irissys/$v || exit 1; done")
		lab.inside(two, "for v in data wij journal1 journal2; do test -d /irissys/$v && ! mountpoint -q /irissys/$v || exit 1; done")
		s.set("SSHPassword", "no-longer-of-use")
		s.must("provision", "-stateDir", s.stateDir())
	}) {
		t.FailNow()
	}

	if !t.Run("IRIS is installed and serves", func(t *testing.T) {
		s := s.in(t)
		s.bringFile(kit(t, "IRIS-2023.1.0"))
		s.must("install")
		s.running("2023.1.0.235.1", dm, am)
		s.must("sql", "-machine", dm, "-command", "CREATE TABLE Wards (Name VARCHAR(50))")
		s.must("sql", "-machine", dm, "-command", "INSERT INTO Wards (Name) VALUES ('Paediatrics')")
		if out := s.must("sql", "-machine", am, "-command", "SELECT Name FROM Wards"); !strings.Contains(out, "Paediatrics") {
			t.Errorf("the application server does not see the data:\n%s", out)
		}
	}) {
		t.FailNow()
	}

	t.Run("machines are not let go while IRIS is installed", func(t *testing.T) {
		s := s.in(t)
		s.wantRefusal(s.confirmed("unprovision", "-stateDir", s.stateDir(), "-cleanUp"), 3,
			"IRIS is still installed on "+dm+", "+am, "hint: icm uninstall first, or icm release")
		s.running("2023.1.0.235.1", dm, am)
	})

	t.Run("what is let go is as it was, but for the data", func(t *testing.T) {
		s, lab := s.in(t), lab.in(t)
		s.must("uninstall", "-force")
		out := s.must("unprovision", "-stateDir", s.stateDir(), "-cleanUp", "-force")
		if !strings.Contains(out, "data on the volumes of these nodes stays") {
			t.Errorf("it does not say that the data stays:\n%s", out)
		}
		for _, machine := range []string{one, two} {
			if after := lab.bare(machine); after != bare[machine] {
				t.Errorf("%s is not what it was:\n%s", machine, difference(bare[machine], after))
			}
		}
		lab.inside(one, "mount -o ro /dev/xvdc /mnt && test -e /mnt/db/IRIS.DAT && umount /mnt")
		lab.inside(two, "test -d /irissys/journal1")
		if s.stateDir() != "" {
			t.Error("the state directory is still there")
		}
	})

	t.Run("with SSHOnly no password is ever tried", func(t *testing.T) {
		s, lab := s.in(t), lab.in(t)
		s.set("SSHOnly", "true")
		s.set("SSHPassword", opsPassword)
		tried := func() string { return lab.inside(one, "journalctl -t sshd | grep -c 'password for ops' || true") }
		before := tried()
		lab.inside(one, "rm -f ~ops/.ssh/authorized_keys")
		lab.inside(two, "rm -f ~ops/.ssh/authorized_keys")
		s.wantRefusal(s.icm("provision"), 1, "node "+dm+": login refused for user ops: the key was not accepted")
		if after := tried(); after != before {
			t.Errorf("passwords were tried: %s log lines, before %s", after, before)
		}
	})
}

// bare is what a machine has of its own: accounts, settings, programs and
// services; icm must leave nothing else when it goes.
func (s *site) bare(machine string) string {
	s.t.Helper()
	return s.inside(machine, `{
		for f in passwd group; do sed "s/^/$f: /" /etc/$f; done
		find /etc /usr/local /var/lib /opt /root -xdev ! -name '*-' ! -path '/var/lib/systemd/*' ! -path '/etc/ssh/sshd_config.d*' ! -name shadow ! -name gshadow ! -name '.pwd.lock' -printf '%p %y %m %U:%G %l\n'
		find /etc -type f ! -name '*-' ! -name shadow ! -name gshadow -exec sha256sum {} +
		systemctl list-unit-files --no-pager --no-legend --plain
		sshd -T
	} 2>/dev/null | sort`)
}

// fingerprint is that of a machine's host key, as its console would say.
func (s *site) fingerprint(machine string) string {
	s.t.Helper()
	return s.inside(machine, "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub | awk '{print $2}'")
}
