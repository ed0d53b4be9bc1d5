//go:build nodes

package nodes

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func (c *cluster) ps(s *site) {
	header := []string{"Machine", "IP Address", "Instance", "Kit", "Status", "Health"}
	address := map[string]string{}
	for _, m := range c.all {
		address[m] = s.address(m)
	}
	s.inside(c.dm, "echo health=warn > /usr/irissys/mgr/standin.conf")
	s.must("stop", "-machine", c.am2)
	s.lab("cut", c.am3)
	out := s.must("ps", "-json")
	s.lab("heal", c.am3)
	equal(s.t, "the table", rows(out), [][]string{
		header,
		{c.dm, address[c.dm], "IRIS", version0, "running", "warn"},
		{c.am2, address[c.am2], "IRIS", version0, "down"},
		{c.am3, address[c.am3], "unreachable"},
	})
	row := func(machine, role, instance, kit, status, health string) any {
		return map[string]any{"MachineName": machine, "Role": role, "IPAddress": address[machine], "DNSName": address[machine],
			"ISCInstance": instance, "Kit": kit, "Status": status, "Health": health}
	}
	equal(s.t, "the answer in JSON", s.response(), any([]any{
		row(c.dm, "DM", "IRIS", version0, "running", "warn"),
		row(c.am2, "AM", "IRIS", version0, "down", ""),
		row(c.am3, "AM", "", "", "unreachable", ""),
	}))
	s.wantRefusal(s.icm("ps", "-role", "QM"), 1, "Unrecognized role 'QM'")
	s.inside(c.dm, "rm /usr/irissys/mgr/standin.conf")
	s.must("start")
	s.running(version0, c.all...)
}

func (c *cluster) stopAndStart(s *site) {
	says(s.t, s.must("start"), "^Nothing to do: all instances are running.$")
	data := s.pid(c.dm)
	out := s.must("stop", "-role", "AM")
	says(s.t, out, "^Stopping InterSystems IRIS on "+c.am2+"...$", "^...stopped InterSystems IRIS on "+c.am3+"$")
	equal(s.t, "the data server's process", s.pid(c.dm), data)
	for _, m := range []string{c.am2, c.am3} {
		equal(s.t, "the status of "+m, s.ps()[m]["Status"], "down")
		equal(s.t, "its unit", s.inside(m, "systemctl is-active iris-iris || true"), "inactive")
		says(s.t, s.inside(m, "tail -4 /usr/irissys/mgr/messages.log"), "Journal restore not required at next startup", "Transaction rollback not required at next startup")
	}
	says(s.t, s.must("stop", "-role", "AM"), "^Nothing to do: all instances are down.$")
	out = s.must("start", "-machine", c.am3)
	says(s.t, out, "^Starting InterSystems IRIS on "+c.am3+"...$", "^...started InterSystems IRIS on "+c.am3+"$")
	saysNot(s.t, out, c.am2)
	equal(s.t, "the status of "+c.am2, s.ps()[c.am2]["Status"], "down")

	out = s.must("stop")
	if strings.Index(out, "...stopped InterSystems IRIS on "+c.am3) > strings.Index(out, "Stopping InterSystems IRIS on "+c.dm) {
		s.t.Errorf("the data server stops before an application server:\n%s", out)
	}
	out = s.must("start")
	if strings.Index(out, "...started InterSystems IRIS on "+c.dm) > strings.Index(out, "Starting InterSystems IRIS on "+c.am2) {
		s.t.Errorf("an application server starts before its data server:\n%s", out)
	}
	s.running(version0, c.all...)
	says(s.t, s.must("sql", "-machine", c.am2, "-command", "SELECT Name FROM Patients"), "^Grace$")
}

func (c *cluster) lock(s *site) {
	s.inside(c.am2, "echo stop-delay-ms=4000 > /usr/irissys/mgr/standin.conf")
	s.must("stop", "-machine", c.am2)
	s.must("start", "-machine", c.am2) // reads the delay
	first := s.begin("stop", "-machine", c.am2)
	first.waitFor("Stopping InterSystems IRIS on " + c.am2)
	s.wantRefusal(s.icm("stop", "-role", "DM"), 5, `is locked: held by \w+@.*, pid \d+, since .*: icm stop$`)
	equal(s.t, "the status of the data server", s.ps()[c.dm]["Status"], "running") // looking is free
	if r := first.wait(); r.status != 0 {
		s.t.Errorf("the first icm ended with status %d", r.status)
	}
	s.inside(c.am2, "rm /usr/irissys/mgr/standin.conf")
	s.must("start", "-machine", c.am2)
}

func (c *cluster) changeField(s *site) {
	s.write("definitions.json", `[
	  {"Role": "DM", "Count": "1"},
	  {"Role": "AM", "Count": "2", "StartCount": "2", "ISCglobals": "0,0,96,0,0,0"}
	]`)
	plan := s.must("plan", "install")
	says(s.t, plan, `\[config\] globals: 0,0,64,0,0,0 -> 0,0,96,0,0,0`, "Stop IRIS for its new configuration")
	saysNot(s.t, plan, c.dm, "kit.fetch", "iris.install", "password")
	before := map[string]string{}
	for _, m := range c.all {
		before[m] = s.pid(m)
	}
	out := s.must("install")
	saysNot(s.t, out, c.dm+"...", "Downloading kit", "Installing kit")
	for _, m := range []string{c.am2, c.am3} {
		says(s.t, out, "^Stopping InterSystems IRIS on "+m+"...$", "^...started InterSystems IRIS on "+m+"$")
		equal(s.t, "globals on "+m, s.setting(m, "config", "globals"), "0,0,96,0,0,0")
		if s.pid(m) == before[m] {
			s.t.Errorf("the instance of %s was not started again", m)
		}
	}
	equal(s.t, "globals on "+c.dm, s.setting(c.dm, "config", "globals"), "0,0,64,0,0,0")
	equal(s.t, "the data server's process", s.pid(c.dm), before[c.dm])
	says(s.t, s.must("plan", "install"), "^Nothing to do")
	says(s.t, s.must("sql", "-machine", c.am2, "-command", "SELECT Name FROM Patients"), "^Ada$")
}

func (c *cluster) reboot(s *site) {
	volumes := s.volumesOf(c.dm)
	s.lab("reboot", c.dm)
	eventually(s.t, "the instance of "+c.dm+" to come up by itself", time.Minute, func() (bool, string) {
		row := s.ps()[c.dm]
		return row["Status"] == "running" && row["Health"] == "ok", row["Status"]
	})
	equal(s.t, "the volumes", s.volumesOf(c.dm), volumes)
	equal(s.t, "the unit", s.inside(c.dm, "systemctl is-active iris-iris"), "active")
	says(s.t, s.inside(c.dm, "systemctl show -p After iris-iris"), "irissys-data.mount")
	saysNot(s.t, s.inside(c.dm, "cat /usr/irissys/mgr/messages.log"), "shutdown was abnormal")
	says(s.t, s.must("sql", "-machine", c.am2, "-command", "SELECT Name FROM Patients"), "^Ada$")
	says(s.t, s.must("plan", "provision"), "^Nothing to do")
	says(s.t, s.must("plan", "install"), "^Nothing to do")
}

// digests are the data of namespace DB and of USER, of instances that are
// stopped for it.
func (c *cluster) digests(s *site) [2]string {
	s.must("stop")
	out := [2]string{s.digest(c.dm, "/irissys/data/db"), s.digest(c.dm, "/usr/irissys/mgr/user")}
	s.must("start")
	return out
}

// oneByOne fails unless the nodes are upgraded in this order, each one done
// before the next is stopped.
func oneByOne(t *testing.T, out string, machines ...string) {
	t.Helper()
	var seen []string
	for _, m := range regexp.MustCompile(`(?m)^(Stopping|\.\.\.started) InterSystems IRIS on (.*?)(\.\.\.)?$`).FindAllStringSubmatch(out, -1) {
		seen = append(seen, m[1]+" "+m[2])
	}
	var want []string
	for _, m := range machines {
		want = append(want, "Stopping "+m, "...started "+m)
	}
	equal(t, "the order", seen, want)
}

func (c *cluster) upgrade(s *site) {
	data := c.digests(s)
	for _, to := range []struct{ kit, version string }{{"IRIS-2023.1.1", version1}, {"IRIS-2025.1", version2025}} {
		s.bring(to.kit)
		out := s.must("upgrade")
		oneByOne(s.t, out, c.am2, c.am3, c.dm)
		s.running(to.version, c.all...)
		for _, m := range c.all {
			equal(s.t, "copies and kits on "+m, s.inside(m, `ls -d /usr/irissys?* /usr/.?*irissys* /var/lib/icm-agent-kits/* /var/lib/icm-agent/kits/* 2>/dev/null | cat; find / -xdev -name '*snapshot*' -newer /etc/hostname -not -path '/proc/*' 2>/dev/null`), "")
			equal(s.t, "the licence of "+m, s.inside(m, "cat /usr/irissys/mgr/iris.key"), strings.TrimSpace(licence))
		}
		equal(s.t, "globals on "+c.am2, s.setting(c.am2, "config", "globals"), "0,0,96,0,0,0")
		says(s.t, s.must("sql", "-machine", c.am3, "-command", "SELECT Name, Ward FROM Patients"), "^Ada,7$", "^Grace,9$")
		says(s.t, s.must("upgrade"), "^Nothing to do: all these nodes have the version of the kit.$")
	}
	equal(s.t, "the data of DB and USER", c.digests(s), data)
	says(s.t, s.must("plan", "install"), "^Nothing to do")
	s.wantNowhere(c.all...)
}

func (c *cluster) olderKit(s *site) {
	s.bring("IRIS-2023.1.1")
	pid := s.pid(c.am2)
	s.wantRefusal(s.icm("upgrade"), 3, "nothing was changed", "node "+c.am2+": has version "+version2025+", which is newer than the kit's "+version1)
	s.wantRefusal(s.icm("install"), 3, "node "+c.dm+": instance IRIS has version "+version2025+", which is newer than the kit's "+version1)
	equal(s.t, "the process of "+c.am2, s.pid(c.am2), pid)
	s.bring("IRIS-2025.1")
}

func (c *cluster) uninstall(s *site) {
	s.wantRefusal(s.icm("uninstall"), 1, "This uninstalls IRIS from 3 nodes", "not confirmed")
	s.running(version2025, c.all...)
	out := s.must("uninstall", "-role", "AM", "-force")
	says(s.t, out, "^Uninstalling InterSystems IRIS on "+c.am2+"...$", "^...uninstalled InterSystems IRIS on "+c.am3+"$")
	s.running(version2025, c.dm)
	s.must("uninstall", "-force")
	s.must("ps", "-json")
	for _, row := range s.ps() {
		equal(s.t, "the status of "+row["MachineName"], row["Status"], "not installed")
	}
	for _, m := range c.all {
		if diff := difference(c.before[m], s.left(m)); diff != "" {
			s.t.Errorf("%s is not as it was before IRIS came:\n%s", m, diff)
		}
		says(s.t, s.inside(m, "ls /irissys/*"), "IRIS.WIJ")
	}
	says(s.t, s.inside(c.dm, "ls /irissys/data/db"), "IRIS.DAT")
	says(s.t, s.must("uninstall", "-force"), "^Nothing to do: no instance is installed on these nodes.$")
	says(s.t, s.must("plan", "provision"), "^Nothing to do")
}

func (c *cluster) reinstall(s *site) {
	s.must("install")
	s.running(version2025, c.all...)
	says(s.t, s.must("sql", "-machine", c.am2, "-command", "SELECT Name, Ward FROM Patients"), "^Ada,7$", "^Grace,9$")
}

func (c *cluster) removeData(s *site) {
	s.wantRefusal(s.icm("uninstall", "-force", "-removeData", "T-DM-MAIN-0009"), 3, "T-DM-MAIN-0009")
	s.running(version2025, c.all...)
	out := s.icm("uninstall", "-removeData", c.dm)
	s.wantRefusal(out, 1, "The data of "+c.dm+" is deleted", "not confirmed")
	s.must("uninstall", "-force", "-removeData", c.dm)
	equal(s.t, "the data of "+c.dm, s.inside(c.dm, "find /irissys -mindepth 2"), "")
	says(s.t, s.volumesOf(c.dm), "data xfs T-data active enabled")
	for _, m := range []string{c.am2, c.am3} {
		says(s.t, s.inside(m, "find /irissys -mindepth 2"), "IRIS.WIJ")
		says(s.t, s.inside(m, "ls "+filepath.Join("/irissys", "journal1")), "2[0-9]{7}")
	}
}
