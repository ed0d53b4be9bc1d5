//go:build nodes

package nodes

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"icm/labkit/continuity"
)

// shardingLicence is what every instance of a sharded cluster needs.
const shardingLicence = licence + "Features=Sharding\n"

// newShardedSite is a site whose instances may shard.
func newShardedSite(t *testing.T, definitions string, fields map[string]any) *site {
	t.Helper()
	s := newSite(t, definitions, with(with(noVolumes, map[string]any{"LicenseDir": "licence", "LicenseKey": "stand-in.key"}), fields))
	if err := os.Mkdir(filepath.Join(s.dir, "licence"), 0o755); err != nil {
		t.Fatal(err)
	}
	s.write("licence/stand-in.key", shardingLicence)
	return s
}

// rowsWritten is how many rows the scenarios put into their sharded table.
const rowsWritten = 12

// fill makes a sharded table with rows, in turn through some machines.
func (s *site) fill(namespace string, machines ...string) {
	s.t.Helper()
	s.must("sql", "-machine", machines[0], "-namespace", namespace, "-command", "CREATE TABLE People (ID INT, Name VARCHAR(20), SHARD KEY (ID))")
	for n := range rowsWritten {
		s.must("sql", "-machine", machines[n%len(machines)], "-namespace", namespace, "-command", fmt.Sprintf("INSERT INTO People (ID, Name) VALUES (%d, 'x%d')", n, n))
	}
}

// findsAll fails unless every machine finds all rows.
func (s *site) findsAll(namespace string, machines ...string) {
	s.t.Helper()
	for _, m := range machines {
		says(s.t, s.must("sql", "-machine", m, "-namespace", namespace, "-command", "SELECT COUNT(*) FROM People"), "^"+strconv.Itoa(rowsWritten)+"$")
	}
}

// spread fails unless every one of these holds rows of its own.
func (s *site) spread(namespace string, machines ...string) {
	s.t.Helper()
	for _, m := range machines {
		says(s.t, s.must("session", "-machine", m, "-namespace", namespace, "-command", "Write $data(^standinRow)"), "^10$")
	}
}

func TestANamespaceLevelShardedCluster(t *testing.T) {
	t.Parallel()
	s := newShardedSite(t, `[
  {"Role": "DM", "Count": "1"},
  {"Role": "DS", "Count": "2", "StartCount": "2"},
  {"Role": "QS", "Count": "1", "StartCount": "4"}
]`, map[string]any{"Namespace": "DB", "Tag": "SHARDNS"})
	dm, shards := s.machine("DM", 1), []string{s.machine("DS", 2), s.machine("DS", 3)}
	all := append([]string{dm, s.machine("QS", 4)}, shards...)
	s.provision()
	s.bring("IRIS-2023.1.0")
	s.stage("install assigns the shards", func(s *site) {
		s.must("install")
		s.running(version0, all...)
		says(s.t, s.must("plan", "install"), "^Nothing to do")
	})
	s.stage("rows are spread over the shards", func(s *site) {
		s.fill("DB", dm)
		s.findsAll("DB", dm)
		s.spread("DB", shards...)
	})
	s.bring("IRIS-2023.1.1")
	s.stage("upgrade costs one restart of each server", func(s *site) {
		done := s.use("DB", continuity.Budget{Restarts: 1})
		s.must("upgrade")
		done(s)
		s.running(version1, all...)
		s.findsAll("DB", dm)
		says(s.t, s.must("plan", "install"), "^Nothing to do")
	})
	s.step("uninstall takes it off", func(s *site) {
		s.must("uninstall", "-force")
		for _, row := range s.ps() {
			equal(s.t, "the status of "+row["MachineName"], row["Status"], "not installed")
		}
	})
}

func TestANodeLevelShardedCluster(t *testing.T) {
	t.Parallel()
	s := newShardedSite(t, `[
  {"Role": "DATA", "Count": "2"},
  {"Role": "COMPUTE", "Count": "1", "StartCount": "3"}
]`, map[string]any{"Tag": "SHARDNODE"})
	data := []string{s.machine("DATA", 1), s.machine("DATA", 2)}
	all := append([]string{s.machine("COMPUTE", 3)}, data...)
	s.provision()
	s.bring("IRIS-2023.1.0")
	s.stage("install attaches the nodes", func(s *site) {
		s.must("install")
		s.running(version0, all...)
		says(s.t, s.must("plan", "install"), "^Nothing to do")
	})
	s.stage("every node answers for all", func(s *site) {
		s.fill("IRISCLUSTER", all...)
		s.findsAll("IRISCLUSTER", all...)
		s.spread("IRISDM", data...)
	})
	s.bring("IRIS-2023.1.1")
	s.stage("upgrade costs one restart of each server", func(s *site) {
		done := s.use("IRISCLUSTER", continuity.Budget{Restarts: 1})
		s.must("upgrade")
		done(s)
		s.running(version1, all...)
		s.findsAll("IRISCLUSTER", all...)
		says(s.t, s.must("plan", "install"), "^Nothing to do")
	})
	s.step("uninstall takes it off", func(s *site) {
		s.must("uninstall", "-force")
		for _, row := range s.ps() {
			equal(s.t, "the status of "+row["MachineName"], row["Status"], "not installed")
		}
	})
}
