//go:build nodes

package nodes

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"icm/labkit/continuity"
)

// mirrored is a deployment around a failover pair whose special nodes have kits
// of their own.
type mirrored struct {
	definitions string // with %[1]s for the ISCAgent's kit, %[2]s for the Web Gateway's
}

// brings copies all kits of a version to the nodes and names them in the files.
func (m mirrored) brings(s *site, version string) {
	s.t.Helper()
	agent, gateway := kit(s.t, "ISCAgent-"+version), kit(s.t, "WebGateway-"+version)
	s.write("definitions.json", m.with(agent, gateway))
	for _, path := range []string{agent, gateway} {
		s.must("scp", "-localPath", path, "-remotePath", "/tmp/")
	}
	s.bring("IRIS-" + version)
}

func (m mirrored) with(agent, gateway string) string {
	return fmt.Sprintf(m.definitions, "file:///tmp/"+filepath.Base(agent), "file:///tmp/"+filepath.Base(gateway))
}

// site writes the files.
func (m mirrored) site(t *testing.T, fields map[string]any) *site {
	t.Helper()
	return newSite(t, m.with(kit(t, "ISCAgent-2023.1.0"), kit(t, "WebGateway-2023.1.0")),
		with(with(noVolumes, map[string]any{"Namespace": "DB", "Mirror": "true", "ISCglobals": "0,0,64,0,0,0"}), fields))
}

// mirror fails unless the instances say that they are this in their mirror.
func (s *site) mirror(want map[string]string) {
	s.t.Helper()
	rows := s.ps()
	for machine, status := range want {
		equal(s.t, "the place of "+machine+" in its mirror", rows[machine]["MirrorStatus"], status)
	}
}

func TestAMirroredClusterIsInstalledUpgradedAndTakenDown(t *testing.T) {
	t.Parallel()
	m := mirrored{`[
  {"Role": "DM", "Count": "2"},
  {"Role": "AM", "Count": "2", "StartCount": "3"},
  {"Role": "AR", "Count": "1", "StartCount": "5", "KitURL": "%[1]s"},
  {"Role": "WS", "Count": "1", "StartCount": "6", "KitURL": "%[2]s", "ApplicationPath": "/acme/"}
]`}
	s := m.site(t, map[string]any{"Tag": "MCLUSTER"})
	dm1, dm2, am3, am4 := s.machine("DM", 1), s.machine("DM", 2), s.machine("AM", 3), s.machine("AM", 4)
	ws := s.machine("WS", 6)
	s.stage("provision makes the nodes", func(s *site) { s.provision() })
	m.brings(s, "2023.1.0")
	s.stage("install makes the mirror before anybody joins it", func(s *site) {
		out := s.must("install")
		says(s.t, strings.ReplaceAll(out, "\n", " "), dm1+"... .*Configuring mirror on "+dm1+".*Configuring mirror on "+dm2+".*Starting InterSystems IRIS on "+am3)
		s.running(version0, dm1, dm2, am3, am4)
		s.mirror(map[string]string{dm1: "PRIMARY", dm2: "BACKUP"})
	})
	s.step("install again changes nothing", func(s *site) {
		says(s.t, s.must("plan", "install"), "^Nothing to do: install would change nothing.$")
	})
	s.step("application servers work on the mirror's data", func(s *site) {
		s.must("sql", "-machine", am3, "-command", "CREATE TABLE Patients (Name VARCHAR(50))")
		s.must("sql", "-machine", am4, "-command", "INSERT INTO Patients (Name) VALUES ('Ada')")
		says(s.t, s.must("sql", "-machine", dm1, "-command", "SELECT Name FROM Patients"), "^Ada$")
	})
	s.step("the web server answers for the application servers", func(s *site) {
		_, text := s.page(ws, "/acme/whoami")
		says(s.t, text, "node ("+am3+"|"+am4+") ")
	})
	s.stage("upgrade keeps the service up", func(s *site) {
		m.brings(s, "2023.1.1")
		says(s.t, s.must("plan", "upgrade"), "^procedure: maintenance, the release stays the same$", "point of no return: failover of "+dm1+", "+dm2+": once a member of version 2023.1.1")
		done := s.use("DB", continuity.Budget{Restarts: 1, Failovers: 1})
		s.must("upgrade", "-canary", am4)
		done(s)
		s.running(version1, dm1, dm2, am3, am4)
		s.mirror(map[string]string{dm1: "BACKUP", dm2: "PRIMARY"})
		says(s.t, s.must("plan", "install"), "^Nothing to do: install would change nothing.$")
	})
	s.stage("uninstall takes all of it off", func(s *site) {
		s.must("uninstall", "-force")
		for _, row := range s.ps() {
			equal(s.t, "the status of "+row["MachineName"], row["Status"], "not installed")
		}
	})
}
