//go:build nodes

package nodes

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// ironPassword is that of the instances which were installed by hand.
const ironPassword = "canary-1ron-word"

// byHand installs IRIS on a bare machine as an administrator does: accounts,
// the kit's installer, a service of the site's own. settings are a merge for
// the first start.
func (s *site) byHand(machine, prefix, dir, settings string) {
	s.t.Helper()
	path := kit(s.t, prefix)
	in, err := os.Open(path)
	if err != nil {
		s.t.Fatal(err)
	}
	defer in.Close()
	ctx, cancel := context.WithTimeout(context.Background(), commandLimit)
	defer cancel()
	cmd := s.command(ctx, "lab", "-deployment", filepath.Base(s.stateDir()), "exec", machine, "--", "sh", "-c", "mkdir -p /tmp/kit && tar -xz -C /tmp/kit --strip-components=1")
	cmd.Stdin = in
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("cannot unpack %s on %s: %v: %s", path, machine, err, out)
	}
	s.inside(machine, `set -e
		groupadd irisadm; useradd -m -g irisadm irisboss
		cd /tmp/kit
		ISC_PACKAGE_INSTANCENAME=WARD ISC_PACKAGE_INSTALLDIR=`+dir+` ISC_PACKAGE_INITIAL_SECURITY=Normal ISC_PACKAGE_USER_PASSWORD=`+ironPassword+` \
			ISC_PACKAGE_MGRUSER=irisboss ISC_PACKAGE_MGRGROUP=irisadm ISC_PACKAGE_WEB_CONFIGURE=N ISC_PACKAGE_STARTIRIS=N ./irisinstall_silent >/dev/null
		cd / && rm -rf /tmp/kit
		install -d -o irisboss -g irisusr -m 775 /srv/ward /srv/ward/journal /srv/ward/db
		cat >/etc/systemd/system/ward.service <<-'EOF'
		[Unit]
		Description=the ward's IRIS
		[Service]
		Type=oneshot
		RemainAfterExit=yes
		User=irisboss
		Environment=ISC_CPF_MERGE_FILE=/srv/ward/merge.cpf
		ExecStart=/usr/bin/iris start WARD quietly
		ExecStop=/usr/bin/iris stop WARD quietly
		KillMode=process
		[Install]
		WantedBy=multi-user.target
		EOF
		printf '%b' '`+settings+`' >/srv/ward/merge.cpf && chown irisboss /srv/ward/merge.cpf
		systemctl daemon-reload && systemctl enable --now --quiet ward.service`)
}

// everything is what has to be the same on a machine before and after icm, with
// the process of the instance and all its files but those it writes itself.
func (s *site) everything(machine, dir string) string {
	s.t.Helper()
	return s.bare(machine) + "\n" + s.inside(machine, `pgrep -o irisdb
		find /home /srv /usr/bin /usr/sbin /usr/lib/systemd `+dir+` -xdev ! -path '*/mgr/*' ! -path '/srv/ward/journal/*' ! -path '/srv/ward/db/*' -printf '%p %y %m %U:%G %s %l\n' 2>/dev/null | sort
		systemctl is-active ward.service; crontab -l 2>/dev/null; findmnt -rno TARGET,SOURCE,OPTIONS | sort; sysctl -n vm.swappiness vm.nr_hugepages`)
}

func TestIRISThatWasInstalledByHandIsAdoptedAndLetGo(t *testing.T) {
	t.Parallel()
	lab := bareNodes(t, 2)
	one, two := lab.machine("VM", 1), lab.machine("VM", 2)
	at := map[string]string{one: lab.addressInLab(one), two: lab.addressInLab(two)}
	lab.byHand(one, "IRIS-2023.1.0", "/opt/ward", `[Journal]\nCurrentDirectory=/srv/ward/journal/\n[Actions]\nCreateDatabase:Name=BEDS,Directory=/srv/ward/beds/\nCreateNamespace:Name=BEDS,Globals=BEDS\nModifyService:Name=%Service_ECP,Enabled=1\n`)
	lab.byHand(two, "IRIS-2023.1.0", "/opt/ward", `[ECPServers]\nWARDDATA=`+at[one]+`,1972,0\n`)
	before := map[string]string{one: lab.everything(one, "/opt/ward"), two: lab.everything(two, "/opt/ward")}

	s := newSite(t, `[]`, nil)
	for _, name := range []string{"id", "id.pub"} {
		s.write(name, lab.read(name))
	}
	empty := func(s *site) {
		for _, name := range []string{"defaults.json", "definitions.json"} {
			if err := os.Remove(filepath.Join(s.dir, name)); err != nil {
				s.t.Fatal(err)
			}
		}
	}
	adopt := func(nodes ...string) []string {
		return []string{"adopt", "-nodes", strings.Join(nodes, ","), "-user", "icm", "-key", "id", "-label", "T", "-tag", "WARD", "-namespace", "BEDS"}
	}

	s.step("files that are there are not written over", func(s *site) {
		s.wantRefusal(s.icm(adopt(at[one])...), 3, "defaults.json is there: it is not written over", "hint: adopt in an empty directory")
		empty(s)
	})
	s.step("an application server without its data server is refused, and nothing is left on it", func(s *site) {
		s.wantRefusal(s.icm(adopt(at[two])...), 3, "node "+at[two]+": is an application server of "+at[one]+":1972, which is not among the nodes", "hint: adopt both")
		if after := lab.everything(two, "/opt/ward"); after != before[two] {
			s.t.Errorf("%s is not what it was:\n%s", two, difference(before[two], after))
		}
		if _, err := os.Stat(filepath.Join(s.dir, "defaults.json")); err == nil || s.stateDir() != "" {
			s.t.Error("something was written")
		}
	})
	dm, am := "T-DM-WARD-0001", "T-AM-WARD-0002"
	s.stage("both are adopted, and there is nothing to do", func(s *site) {
		out := s.must(adopt(at[two], at[one])...)
		says(s.t, out, dm+" +"+at[one], am+" +"+at[two], "icm release -stateDir ICM-")
		s.t.Logf("%s%s", s.read("defaults.json"), s.read("definitions.json"))
		says(s.t, s.must("plan", "install"), "^Nothing to do")
		says(s.t, s.must("plan", "provision"), "^Nothing to do")
		for _, m := range []string{dm, am} {
			equal(s.t, "the instance of "+m, s.ps()[m]["ISCInstance"], "WARD")
		}
		s.running("2023.1.0.235.1", dm, am)
	})
	s.step("the files say what is there", func(s *site) {
		says(s.t, s.read("defaults.json"), `"Adopted": "True"`, `"OwnerAccount": "irisboss"`, `"OwnerGroup": "irisadm"`, `"ISCInstallDir": "/opt/ward"`, `"KitURL": ".*/IRIS-2023.1.0.235.1-lnxubuntu2204x64.tar.gz"`)
		says(s.t, s.read("definitions.json"), `"Journal1MountPoint": "/srv/ward/journal"`, `"DataMountPoint": "/srv/ward"`)
	})
	s.step("they are looked after like others", func(s *site) {
		r := s.icm("health")
		equal(s.t, "health: "+r.out+r.err, r.status, 0)
		s.write("iron", ironPassword)
		says(s.t, s.must("sql", "-role", "DM", "-iscPasswordFile", "iron", "-command", "SELECT 42"), "^42$")
		says(s.t, s.must("install"), "^Nothing to do")
	})
	s.step("a field that the operator sets counts", func(s *site) {
		says(s.t, s.must("plan", "install", "-field", "ISCgmheap=65536", "-role", "DM"), `gmheap`)
	})
	s.step("machines are not let go by unprovision while IRIS is installed", func(s *site) {
		s.wantRefusal(s.confirmed("unprovision", "-stateDir", s.stateDir()), 3, "IRIS is still installed on "+dm, "hint: .*icm release")
	})
	s.step("release leaves no trace, and IRIS runs on", func(s *site) {
		s.must("release", "-stateDir", s.stateDir(), "-cleanUp", "-force")
		for _, m := range []string{one, two} {
			if after := lab.everything(m, "/opt/ward"); after != before[m] {
				s.t.Errorf("%s is not what it was:\n%s", m, difference(before[m], after))
			}
			says(s.t, lab.inside(m, "iris qlist WARD"), "running")
		}
		if s.stateDir() != "" {
			s.t.Error("the state directory is still there")
		}
	})
	s.step("ICM's own instances file tells the nodes", func(s *site) {
		empty(s)
		s.write("icm.json", icmInstances(at[one], at[two]))
		s.must("adopt", "-from", "icm.json", "-key", "id")
		says(s.t, s.must("plan", "install"), "^Nothing to do")
		s.running("2023.1.0.235.1", "ACME-DM-TEST-0001", "ACME-AM-TEST-0004")
		s.must("release", "-stateDir", s.stateDir(), "-cleanUp", "-force")
	})
}

// icmInstances is what ICM's containerless mode writes, with fields that mean
// nothing to icm.
func icmInstances(dm, am string) string {
	entry := func(role string, number int, address string) string {
		return fmt.Sprintf(`{"MachineName": "ACME-%[1]s-TEST-%04[2]d", "Role": %[1]q, "IPAddress": %[3]q, "DNSName": %[3]q, "StateDir": "/Samples/ICM-1/ACME-%[1]s-TEST/ACME-%[1]s-TEST-%04[2]d",
		"Label": "ACME", "Tag": "TEST", "Provider": "PreExisting", "Containerless": "True", "SSHUser": "icm", "SSHPrivateKey": "/Samples/ssh/insecure", "Namespace": "BEDS",
		"ISCInstance": "WARD", "DockerStorageDriver": "overlay2", "WeaveArgs": ""}`, role, number, address)
	}
	return "[" + entry("DM", 1, dm) + "," + entry("AM", 4, am) + "]"
}
