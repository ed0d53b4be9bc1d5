//go:build nodes

package nodes

import (
	"testing"

	"icm/labkit/continuity"
)

// A disaster recovery async has the data and never takes over. ICM's guide knows
// none without a failover pair (4.3.3).
func TestAMirrorWithADisasterRecoveryAsync(t *testing.T) {
	t.Parallel()
	s := newSite(t, `[{"Role": "DM", "Count": "3", "MirrorMap": "primary,backup,async"}]`,
		with(noVolumes, map[string]any{"Namespace": "DB", "Tag": "DR", "Mirror": "true"}))
	dm, backup, dr := s.machine("DM", 1), s.machine("DM", 2), s.machine("DM", 3)
	all := []string{dm, backup, dr}
	s.provision()
	s.bring("IRIS-2023.1.0")
	members := func(s *site, primary, backup string) {
		s.t.Helper()
		out := map[string]string{}
		for m, row := range s.ps() {
			out[m] = row["MirrorStatus"]
		}
		equal(s.t, "the members", out, map[string]string{primary: "PRIMARY", backup: "BACKUP", dr: "CONNECTED"})
	}
	s.stage("install makes a mirror of all", func(s *site) {
		s.must("install")
		s.running(version0, all...)
		members(s, dm, backup)
		says(s.t, s.must("plan", "install"), "^Nothing to do")
	})
	s.step("the async has what is written", func(s *site) {
		s.must("sql", "-machine", dm, "-command", "CREATE TABLE Patients (Name VARCHAR(50))")
		s.must("sql", "-machine", dm, "-command", "INSERT INTO Patients (Name) VALUES ('Ada')")
		s.copyHas(dr, "Ada")
	})
	s.bring("IRIS-2023.1.1")
	s.stage("upgrade replaces the kit under a client", func(s *site) {
		done := s.use("DB", continuity.Budget{Restarts: 1, Failovers: 1})
		s.must("upgrade")
		done(s)
		s.running(version1, all...)
		members(s, backup, dm)
	})
	s.step("a cut link between two members shows, and is mended by itself", func(s *site) {
		s.cutLink(backup, dr, true)
		s.becomes(dr, "Member Type = Disaster Recovery; Status = Waiting")
		s.cutLink(backup, dr, false)
		s.becomes(dr, "Member Type = Disaster Recovery; Status = Connected")
	})
	s.step("uninstall takes it off", func(s *site) {
		s.must("uninstall", "-force")
		for _, row := range s.ps() {
			equal(s.t, "the status of "+row["MachineName"], row["Status"], "not installed")
		}
	})
}
