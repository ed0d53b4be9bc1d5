//go:build nodes

package nodes

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	clusterOfThree = `[
  {"Role": "DM", "Count": "1"},
  {"Role": "AM", "Count": "2", "StartCount": "2"}
]`
	licence = "[ConfigFile]\nFileType=InterSystems License\n[License]\nLicenseID=4711\nCores=8\n"

	version0, version1, version2025 = "2023.1.0.235.1", "2023.1.1.380.0", "2025.1.0.223.0"
)

// cluster is the deployment of the main job, as its steps know it.
type cluster struct {
	dm, am2, am3 string
	all          []string
	before       map[string]string // what was left on the nodes before IRIS came
}

func TestMainJobDataServerWithTwoApplicationServers(t *testing.T) {
	t.Parallel()
	s := newSite(t, clusterOfThree, map[string]any{
		"Namespace": "DB", "Tag": "MAIN", "ISCglobals": "0,0,64,0,0,0", "SystemMode": "TEST",
		"LicenseDir": "licence", "LicenseKey": "stand-in.key",
		"WIJVolumeSize": 1, "Journal1VolumeSize": 1, "Journal2VolumeSize": 1,
		"WIJDeviceName": "xvdd", "Journal1DeviceName": "xvde", "Journal2DeviceName": "xvdf",
	})
	if err := os.Mkdir(filepath.Join(s.dir, "licence"), 0o755); err != nil {
		t.Fatal(err)
	}
	s.write("licence/stand-in.key", licence)
	c := cluster{dm: s.machine("DM", 1), am2: s.machine("AM", 2), am3: s.machine("AM", 3), before: map[string]string{}}
	c.all = []string{c.dm, c.am2, c.am3}

	s.stage("provision makes the nodes", c.provision)
	s.step("provision again changes nothing", c.provisionAgain)
	s.step("inventory lists the nodes", c.inventory)
	s.step("volumes are mounted by units", c.volumes)
	s.step("the agent listens on no network port", c.agentListensNowhere)
	s.step("ssh runs a command on the nodes", c.ssh)
	s.step("scp copies files and directories", c.scp)
	s.step("a kit that is not there is found by check", c.checkFindsNoKit)
	s.bring("IRIS-2023.1.0")
	for _, m := range c.all {
		c.before[m] = s.left(m)
	}
	s.stage("install installs", c.install)
	s.step("install again changes nothing", c.installAgain)
	s.step("iris.cpf says what the fields say", c.configuration)
	s.step("every instance has its licence, and the data server serves it", c.licences)
	s.step("the portal answers", c.portal)
	s.step("application servers work on the data server's data", c.data)
	s.step("the password is nowhere", func(s *site) { s.wantNowhere(c.all...) })
	s.step("session and sql run code", c.code)
	s.step("ps shows what runs", c.ps)
	s.step("stop and start", c.stopAndStart)
	s.step("a second icm is told who is at work", c.lock)
	s.step("a changed field stops, configures and starts only where it changed", c.changeField)
	s.step("a node that reboots comes back with its instance", c.reboot)
	s.stage("upgrade goes node by node", c.upgrade)
	s.step("an older kit is refused", c.olderKit)
	s.stage("uninstall leaves the data and no other trace", c.uninstall)
	s.stage("install takes the data over again", c.reinstall)
	s.stage("uninstall -removeData deletes the data of that node", c.removeData)
	s.step("unprovision leaves nothing on this machine", c.unprovision)
}

func (c *cluster) provision(s *site) {
	out := s.provision()
	says(s.t, out, "^Starting init of T-MAIN", "^...completed apply of T-AM-MAIN$",
		"^Configuring "+c.dm+"...$", "^Mounting volumes on "+c.am3+"...$", "^...mounted volumes on "+c.am3+"$",
		`^To destroy: icm unprovision -stateDir ICM-\d+ \[-cleanUp\] \[-force\]$`)
	table := rows(out)
	equal(s.t, "the header", table[0], []string{"Machine", "IP Address", "DNS Name"})
	pinned := s.read(filepath.Join(filepath.Base(s.stateDir()), "known_hosts"))
	for i, m := range c.all {
		if table[i+1][0] != m {
			s.t.Errorf("row %d is %v, want %s", i+1, table[i+1], m)
		}
		key := s.inside(m, "cut -d' ' -f2 /etc/ssh/ssh_host_ed25519_key.pub")
		if !strings.Contains(pinned, key) {
			s.t.Errorf("the host key of %s is not pinned:\n%s", m, pinned)
		}
	}
}

func (c *cluster) provisionAgain(s *site) {
	before, disks := s.read("instances.json"), s.inside(c.dm, "blkid /dev/xvd?; ls -l /etc/systemd/system/*.mount")
	s.wantRefusal(s.icm("provision"), 3, "instances.json records a deployment already", "hint: .*icm provision -stateDir ICM-")
	s.must("provision", "-stateDir", s.stateDir())
	equal(s.t, "instances.json", s.read("instances.json"), before)
	equal(s.t, "the disks of "+c.dm, s.inside(c.dm, "blkid /dev/xvd?; ls -l /etc/systemd/system/*.mount"), disks)
	says(s.t, s.must("plan", "provision"), "^Nothing to do: provision would change nothing.$")
}

func (c *cluster) inventory(s *site) {
	table := rows(s.must("inventory"))
	equal(s.t, "the header", table[0], []string{"Machine", "IP Address", "DNS Name"})
	equal(s.t, "the number of rows", len(table), 4)
	s.must("inventory", "-json", "-role", "AM")
	for i, m := range []string{c.am2, c.am3} {
		row := table[i+2]
		equal(s.t, "a node", s.response().([]any)[i], any(map[string]any{"MachineName": m, "Role": "AM", "IPAddress": row[1], "DNSName": row[2]}))
	}
	equal(s.t, "one machine", len(rows(s.must("inventory", "-machine", ".*-DM-.*"))), 2)
	s.wantRefusal(s.icm("inventory", "-machine", "DM"), 1, "no node matches name DM")
	s.wantRefusal(s.icm("inventory", "-role", "QM", "-json"), 1, "Unrecognized role 'QM'")
	says(s.t, s.read("response.json"), `"error": "Unrecognized role 'QM'"`)
}

// volumesOf is how volumes are mounted, and who owns them.
func (s *site) volumesOf(machine string) string {
	return s.inside(machine, `for v in data wij journal1 journal2; do
		echo $v $(findmnt -n -o FSTYPE,LABEL /irissys/$v) $(systemctl is-active irissys-$v.mount) $(systemctl is-enabled irissys-$v.mount) $(stat -c '%U:%G %a' /irissys/$v)
	done`)
}

func mounted(owner string) string {
	var out []string
	for _, v := range [][2]string{{"data", "data"}, {"wij", "wij"}, {"journal1", "jrn1"}, {"journal2", "jrn2"}} {
		out = append(out, fmt.Sprintf("%s xfs T-%s active enabled %s", v[0], v[1], owner))
	}
	return strings.Join(out, "\n")
}

func (c *cluster) volumes(s *site) {
	for _, m := range c.all {
		equal(s.t, "the volumes of "+m, s.volumesOf(m), mounted("root:root 755"))
	}
}

func (c *cluster) agentListensNowhere(s *site) {
	for _, m := range c.all {
		equal(s.t, "what listens on "+m, s.inside(m, `ss -Hlntup | grep -v '"sshd"' | cat`), "")
		says(s.t, s.inside(m, "ss -Hlxp"), "icm-agent")
	}
}

func (c *cluster) checkFindsNoKit(s *site) {
	s.set("KitURL", "file:///tmp/IRIS-2023.1.0.235.1-lnxubuntu2204x64.tar.gz")
	r := s.icm("check", "-role", "AM")
	s.wantRefusal(r, 3, "nothing was changed: 2 checks failed", "node "+c.am2+": .*there is no file /tmp/IRIS-2023")
	equal(s.t, "the header", rows(r.out)[0], []string{"Machine", "Result", "Check", "Finding"})
	saysNot(s.t, r.out, c.dm)
}

func (c *cluster) install(s *site) {
	s.must("check")
	seen := s.watch(c.dm)
	out := s.must("install")
	equal(s.t, "the password on "+c.dm+" while it is installed", seen(), "")
	for _, m := range c.all {
		says(s.t, out,
			"^Downloading kit on "+m+"...$", "^...downloaded kit on "+m+"$", "^Installing kit on "+m+"...$", "^...installed kit on "+m+"$",
			"^Starting InterSystems IRIS on "+m+"...$", "^...started InterSystems IRIS on "+m+"$")
	}
	if strings.Index(out, "...started InterSystems IRIS on "+c.dm) > strings.Index(out, "Starting InterSystems IRIS on "+c.am2) {
		s.t.Errorf("an application server starts before its data server serves:\n%s", out)
	}
	says(s.t, out, "^Management Portal available at: http://"+s.address(c.dm)+":52773/csp/sys/UtilHome.csp$")
	s.running(version0, c.all...)
	for _, m := range c.all {
		equal(s.t, "the volumes of "+m, s.volumesOf(m), mounted("irisowner:irisusr 775"))
		equal(s.t, "what is left of kits on "+m, s.inside(m, "ls -A /var/lib/icm-agent-kits /var/lib/icm-agent/kits 2>/dev/null | grep IRIS | cat"), "")
	}
}

func (c *cluster) installAgain(s *site) {
	pids := map[string]string{}
	for _, m := range c.all {
		pids[m] = s.pid(m)
	}
	says(s.t, s.must("plan", "install"), "^Nothing to do: install would change nothing.$")
	says(s.t, s.must("install"), "^Nothing to do: IRIS is installed and configured on all these nodes.$")
	for _, m := range c.all {
		equal(s.t, "the process of "+m, s.pid(m), pids[m])
	}
}

func (c *cluster) configuration(s *site) {
	for _, m := range c.all {
		for _, want := range [][3]string{
			{"config", "globals", "0,0,64,0,0,0"}, {"config", "wijdir", "/irissys/wij"},
			{"Journal", "CurrentDirectory", "/irissys/journal1"}, {"Journal", "AlternateDirectory", "/irissys/journal2"},
			{"Startup", "DefaultPort", "1972"}, {"Startup", "WebServerPort", "52773"}, {"Startup", "SystemMode", "TEST"},
		} {
			equal(s.t, want[0]+"."+want[1]+" on "+m, strings.TrimSuffix(s.setting(m, want[0], want[1]), "/"), want[2])
		}
		says(s.t, s.setting(m, "Startup", "PasswordHash"), `^[0-9a-f]{128},[0-9a-f]{128},10000,SHA512$`)
		says(s.t, s.inside(m, "ls -l /irissys/wij /irissys/journal1"), "irisowner +irisusr .*IRIS.WIJ", "irisowner +irisusr .*"+"2[0-9]{7}")
		says(s.t, s.inside(m, "ss -Hlnt"), `:1972\b`, `:52773\b`)
	}
	equal(s.t, "the database of DB", s.setting(c.dm, "Databases", "DB"), "/irissys/data/db/")
	equal(s.t, "the database of DB on "+c.am2, s.setting(c.am2, "Databases", "ECP-DB"), "/irissys/data/db/,TDMMAIN0001")
	says(s.t, s.inside(c.dm, "cat /etc/systemd/system/iris-iris.service"), "^RequiresMountsFor=/irissys/data$", "^User=irisowner$")
}

func (c *cluster) licences(s *site) {
	for _, m := range c.all {
		equal(s.t, "the key of "+m, s.inside(m, "cat /usr/irissys/mgr/iris.key"), strings.TrimSpace(licence))
		equal(s.t, "the licence servers of "+m, s.inside(m, `sed -n '/^\[LicenseServers\]/,/^\[/p' /usr/irissys/iris.cpf | grep =`), "TDMMAIN0001="+s.address(c.dm)+",4002")
	}
	says(s.t, s.inside(c.dm, "ss -Hlnu"), `:4002\b`)
	says(s.t, s.inside(c.dm, "cat /usr/irissys/mgr/messages.log"), `Client "`+c.am2+`:IRIS" connected`)
}

func (c *cluster) portal(s *site) {
	res, err := http.Get("http://" + s.address(c.dm) + ":52773/csp/sys/UtilHome.csp") //nolint:noctx // ends with the nodes
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		s.t.Errorf("the portal says %s, %v", res.Status, err)
	}
	says(s.t, string(text), "Management Portal")
}

func (c *cluster) data(s *site) {
	s.must("sql", "-role", "DM", "-command", "CREATE TABLE Patients (Name VARCHAR(50), Ward INT)")
	s.must("sql", "-role", "DM", "-command", "INSERT INTO Patients (Name, Ward) VALUES ('Ada', 7)")
	s.must("sql", "-machine", c.am3, "-command", "INSERT INTO Patients (Name, Ward) VALUES ('Grace', 9)")
	says(s.t, s.must("sql", "-machine", c.am2, "-command", "SELECT Name, Ward FROM Patients"), "^Name,Ward$", "^Ada,7$", "^Grace,9$")
	s.must("sql", "-role", "DM", "-namespace", "USER", "-command", "CREATE TABLE Notes (Text VARCHAR(50))")
	s.must("sql", "-role", "DM", "-namespace", "USER", "-command", "INSERT INTO Notes (Text) VALUES ('keep me')")
}

func (c *cluster) unprovision(s *site) {
	dir, address := s.stateDir(), s.address(c.dm)
	id := filepath.Base(dir)
	before := traces(s.t, id, address)
	if len(before) < 20 {
		s.t.Fatalf("three nodes have hardly a trace on this machine: the test looks in the wrong places: %v", before)
	}
	s.wantRefusal(s.icm("unprovision"), 1, "needs -stateDir")
	s.wantRefusal(s.icm("unprovision", "-stateDir", dir, "-cleanUp"), 1, "This destroys 3 nodes of T-MAIN", `Type "yes" to confirm`, "not confirmed")
	equal(s.t, "the traces after a refusal", traces(s.t, id, address), before)
	says(s.t, s.must("unprovision", "-stateDir", dir, "-cleanUp", "-force"), "^Starting destroy of T-MAIN...$", "^...completed destroy of T-MAIN$")
	equal(s.t, "the traces of the nodes", traces(s.t, id, address), nil)
	equal(s.t, "the state directory", s.stateDir(), "")
	if _, err := os.Stat(filepath.Join(s.dir, "instances.json")); err == nil {
		s.t.Error("instances.json is still there")
	}
}
