package instance

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// shardable is a machine whose instance runs with sharding enabled.
func shardable(t *testing.T, n *network) *machine {
	t.Helper()
	h := newMachine(t, n, era)
	h.start()
	h.refused("", "$SYSTEM.Sharding.EnableSharding()", "license")
	must(t, os.WriteFile(filepath.Join(h.reg.Mgr(), "iris.key"), []byte("FileType=InterSystems License\nFeatures=Sharding\n"), 0o644))
	h.ok("", "$SYSTEM.License.Upgrade()")
	h.ok("", "$SYSTEM.Sharding.EnableSharding()")
	h.refused("", `$SYSTEM.Cluster.Initialize()`, "must be restarted")
	h.stop()
	h.start()
	return h
}

func (h *machine) port() string { return h.i.get("Startup", "DefaultPort") }

// sql runs a statement and returns its first value.
func (h *machine) sql(ns, stmt string) string {
	h.t.Helper()
	r, err := h.i.execSQL(ns, stmt)
	if err != nil {
		h.t.Fatalf("%s: %s: %v", h.addr, stmt, err)
	}
	if len(r.rows) == 0 {
		return ""
	}
	return r.rows[0][0]
}

func TestRowsAreSpreadOverAssignedShards(t *testing.T) {
	t.Parallel()
	n := &network{cut: map[[2]string]bool{}}
	master, one, two, query := shardable(t, n), shardable(t, n), shardable(t, n), shardable(t, n)
	plain := newMachine(t, n, era)
	plain.start()
	assign := func(h *machine, more string) string {
		return fmt.Sprintf(`$SYSTEM.Sharding.AssignShard("USER","%s",%s,"USER"%s)`, h.addr, h.port(), more)
	}
	master.refused("", assign(plain, ""), "sharding is not enabled")
	master.refused("", `$SYSTEM.Sharding.ActivateNewShards("USER")`, "No shard is assigned")
	master.ok("", assign(one, ""))
	master.ok("", assign(two, ""))
	master.refused("", assign(two, ""), "assigned already")
	master.refused("", assign(query, `,"","","","","nowhere:1"`), "Data shard nowhere:1 is not assigned")
	master.ok("", assign(query, fmt.Sprintf(`,"","","","","%s:%s"`, one.addr, one.port())))
	if _, err := master.i.execSQL("USER", "create table p (id int, name varchar(20), shard key (id))"); err == nil {
		t.Error("a sharded table without active shards")
	}
	master.ok("", `$SYSTEM.Sharding.VerifyShards("USER")`)
	master.ok("", `$SYSTEM.Sharding.ActivateNewShards("USER")`)
	master.sql("USER", "create table p (id int, name varchar(20), shard key (id))")
	for k := range 40 {
		master.sql("USER", fmt.Sprintf("insert into p (id,name) values (%d,'x%d')", k, k))
	}
	for range 3 { // query shards take turns
		if got := master.sql("USER", "select count(*) from p"); got != "40" {
			t.Errorf("the master counts %s rows", got)
		}
	}
	if got := master.sql("USER", "select name from p where id = 7"); got != "x7" {
		t.Errorf("row 7 is %q", got)
	}
	for _, h := range []*machine{one, two} {
		if count, err := h.i.countRows("USER"); err != nil || count == 0 || count == 40 {
			t.Errorf("%s has %d rows of 40, %v", h.addr, count, err)
		}
	}
	deassign := fmt.Sprintf(`$SYSTEM.Sharding.DeassignShard("USER","%s",%s,"USER")`, two.addr, two.port())
	master.refused("", deassign, "holds")
	master.sql("USER", "delete from p")
	master.ok("", deassign)
}

func TestAnyNodeOfAClusterAnswersForAll(t *testing.T) {
	t.Parallel()
	n := &network{cut: map[[2]string]bool{}}
	first, data, compute := shardable(t, n), shardable(t, n), shardable(t, n)
	first.ok("", fmt.Sprintf(`$SYSTEM.Cluster.Initialize(,,,,"%s")`, first.addr))
	url := fmt.Sprintf("IRIS://%s:%s/IRISCLUSTER", first.addr, first.port())
	data.refused("", `$SYSTEM.Cluster.AttachAsDataNode("`+first.addr+`")`, "is not IRIS://")
	data.ok("", fmt.Sprintf(`$SYSTEM.Cluster.AttachAsDataNode("%s","%s")`, url, data.addr))
	compute.ok("", fmt.Sprintf(`$SYSTEM.Cluster.AttachAsComputeNode("IRIS://%s:%s","%s")`, data.addr, data.port(), compute.addr))
	data.sql("IRISCLUSTER", "create table p (id int, name varchar(20), shard)")
	for k, h := range []*machine{first, data, compute, first, data, compute, first, data, compute, first, data, compute} {
		h.sql("IRISCLUSTER", fmt.Sprintf("insert into p values (%d,'x')", k))
	}
	for _, h := range []*machine{first, data, compute} {
		if got := h.sql("IRISCLUSTER", "select count(*) from p"); got != "12" {
			t.Errorf("%s counts %s rows", h.addr, got)
		}
	}
	for _, h := range []*machine{first, data} {
		if count, _ := h.i.countRows("IRISDM"); count == 0 || count == 12 {
			t.Errorf("%s has %d rows of 12", h.addr, count)
		}
	}
	if got := first.run("%SYS", "do $SYSTEM.Cluster.ListNodes()"); len(got) == 0 {
		t.Error("no nodes are listed")
	}
	data.refused("", "$SYSTEM.Cluster.Detach()", "holds")
	compute.ok("", "$SYSTEM.Cluster.Detach()")
	data.sql("IRISCLUSTER", "delete from p")
	data.ok("", "$SYSTEM.Cluster.Detach()")
}
