//go:build nodes

package nodes

import (
	"strings"
	"testing"
)

const clusterOfThree = `[
  {"Role": "DM", "Count": "1"},
  {"Role": "AM", "Count": "2", "StartCount": "2"}
]`

func TestMainJobDataServerWithTwoApplicationServers(t *testing.T) {
	s := newSite(t, clusterOfThree, map[string]any{"Namespace": "DB", "Tag": "MAIN", "ISCglobals": "0,0,64,0,0,0", "SystemMode": "TEST"})
	dm, am2, am3 := s.machine("DM", 1), s.machine("AM", 2), s.machine("AM", 3)

	out := s.provision()
	for _, want := range []string{dm, am2, am3, "To destroy: icm unprovision -stateDir ICM-"} {
		if !strings.Contains(out, want) {
			t.Errorf("provision does not say %q", want)
		}
	}
	before := s.read("instances.json")
	s.must("provision", "-stateDir", s.stateDir())
	if after := s.read("instances.json"); after != before {
		t.Errorf("provision again changed instances.json:\n%s\n%s", before, after)
	}
	s.bring("IRIS-2023.1.0")
	s.must("install")
	s.running("2023.1.0.235.1", dm, am2, am3)
	if out := s.must("install"); !strings.Contains(out, "Nothing to do") {
		t.Errorf("install again finds something to do:\n%s", out)
	}

	s.must("sql", "-role", "DM", "-command", "CREATE TABLE Patients (Name VARCHAR(50), Ward INT)")
	s.must("sql", "-role", "DM", "-command", "INSERT INTO Patients (Name, Ward) VALUES ('Ada', 7)")
	if out := s.must("sql", "-machine", am2, "-command", "SELECT Name, Ward FROM Patients"); !strings.Contains(out, "Ada,7") {
		t.Errorf("the application server does not read what the data server has:\n%s", out)
	}

	s.bring("IRIS-2023.1.1")
	s.must("upgrade")
	s.running("2023.1.1.380.0", dm, am2, am3)
	if out := s.must("sql", "-machine", am3, "-command", "SELECT Name, Ward FROM Patients"); !strings.Contains(out, "Ada,7") {
		t.Errorf("data is gone after the upgrade:\n%s", out)
	}

	s.must("uninstall", "-force")
	for machine, row := range s.ps() {
		if row["Status"] != "not installed" {
			t.Errorf("%s after uninstall: %v", machine, row)
		}
	}
}
