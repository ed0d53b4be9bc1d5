package tasks

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"

	"icm/agent/engine/enginetest"
	"icm/internal/kind"
	"icm/internal/wire"
)

// TestTheLifeOfSharding makes and takes apart a namespace-level sharded
// cluster in two eras, and a node-level one.
func TestTheLifeOfSharding(t *testing.T) {
	for name, live := range map[string]func(*testing.T){
		"namespaces of 2018": func(t *testing.T) { shardLife(t, "2018.2.0.792.0") },
		"namespaces of 2023": func(t *testing.T) { shardLife(t, "2023.1.0.235.1") },
		"nodes":              clusterLife,
		"a mirrored shard":   mirroredShardLife,
		"a mirrored node":    mirroredNodeLife,
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			if scratch(t) {
				live(t)
			}
		})
	}
}

const shardingKey = "FileType=InterSystems License\nFeatures=Sharding\n"

// shardable makes instances of one node that may shard.
func shardable(t *testing.T, l *life, version string, names ...string) []member {
	t.Helper()
	l.secrets["key"] = shardingKey
	sum := sha256.Sum256([]byte(shardingKey))
	var out []member
	for i, name := range names {
		m := newMember(t, l, name, version, 41001+i)
		enable := kind.Sharding{Instance: m.inst, Servers: 10, Seconds: 60}
		if i == 0 {
			err := l.kinds[kind.ShardEnable].Do(t.Context(), l.task(kind.ShardEnable, enable))
			if err == nil || !strings.Contains(err.Error(), "license") {
				t.Errorf("without a licence for sharding: %v", err)
			}
			if look := l.satisfied(kind.ShardEnable, enable); look.Satisfied {
				t.Error("what failed is done")
			}
		}
		license := kind.License{Instance: m.inst, Secret: "key", SHA256: hex.EncodeToString(sum[:])}
		l.do(kind.IRISLicense, license)
		l.do(kind.ShardEnable, enable)
		if in := m.find(); in.Sharding != "enabled" {
			t.Errorf("%s tells that it is %q", name, in.Sharding)
		}
		out = append(out, m)
	}
	return out
}

// sql runs a statement and returns its last line of output.
func (m member) sql(ns, statement string) string {
	m.t.Helper()
	reply, err := m.d.IRIS.Session(m.t.Context(), wire.SessionRequest{Instance: m.inst.Name, Namespace: ns, Language: "sql", Code: statement})
	if err != nil || reply.Failed {
		m.t.Fatalf("%s in %s of %s: %q, %v", statement, ns, m.inst.Name, reply.Out, err)
	}
	return reply.Out[strings.LastIndexByte(reply.Out, '\n')+1:]
}

func (m member) shard(queryOf string) kind.Shard {
	return kind.Shard{Host: "127.0.0.1", Port: m.port, Namespace: "ACME", QueryOf: queryOf}
}

func shardLife(t *testing.T, version string) {
	l := newLife(t)
	all := shardable(t, l, version, "M", "A", "B", "Q")
	master, a, b, q := all[0], all[1], all[2], all[3]
	for _, m := range all {
		l.do(kind.IRISNamespace, kind.Namespace{Instance: m.inst, Merge: m.merge, Name: "ACME", Dir: "/irissys/" + m.inst.Name + "/ACME"})
	}
	args := func(shards ...kind.Shard) kind.ShardMaster {
		return kind.ShardMaster{Instance: master.inst, Namespace: "ACME", Shards: shards}
	}
	first := args(a.shard(""))
	l.do(kind.ShardAssign, first)
	l.do(kind.ShardActivate, args())
	l.undo(kind.ShardAssign, first)
	if look := l.satisfied(kind.ShardAssign, first); look.Satisfied {
		t.Error("the shard is assigned after the undo")
	}
	l.envs = map[string]*enginetest.Env{}
	// The query shard stands first and is assigned last.
	shards := args(q.shard(fmt.Sprintf("127.0.0.1:%d", b.port)), a.shard(""), b.shard(""))
	l.do(kind.ShardAssign, shards)
	l.do(kind.ShardActivate, args())
	if in := master.find(); in.Sharding != "master" {
		t.Errorf("the master tells that it is %q", in.Sharding)
	}
	master.sql("ACME", "create table p (id int, shard key (id))")
	for k := range 20 {
		master.sql("ACME", fmt.Sprintf("insert into p (id) values (%d)", k))
	}
	if got := master.sql("ACME", "select count(*) from p"); got != "20" {
		t.Errorf("the master counts %s rows", got)
	}

	// What holds data stays; a query shard holds none.
	gone := args(b.shard(""))
	err := l.kinds[kind.ShardDeassign].Do(t.Context(), l.task(kind.ShardDeassign, gone))
	if err == nil || !strings.Contains(err.Error(), "holds") {
		t.Errorf("a shard with data was deassigned: %v", err)
	}
	query := args(q.shard(fmt.Sprintf("127.0.0.1:%d", b.port)))
	l.do(kind.ShardDeassign, query)
	l.undo(kind.ShardDeassign, query)
	if !l.satisfied(kind.ShardAssign, shards).Satisfied || !l.satisfied(kind.ShardActivate, args()).Satisfied {
		t.Error("the query shard is not back after the undo")
	}
	master.sql("ACME", "delete from p")
	l.envs = map[string]*enginetest.Env{}
	l.do(kind.ShardDeassign, shards)
	for _, m := range all {
		l.do(kind.IRISRemove, kind.Remove{Instance: m.inst})
	}
}

func clusterLife(t *testing.T) {
	l := newLife(t)
	all := shardable(t, l, "2023.1.0.235.1", "ONE", "TWO", "CN")
	one, two, cn := all[0], all[1], all[2]
	address := func(m member) string { return fmt.Sprintf("127.0.0.1:%d", m.port) }
	url := "IRIS://" + address(one) + "/ACMECLUSTER"
	attach := func(m member, role string) kind.ClusterNode {
		return kind.ClusterNode{Instance: m.inst, Role: role, URL: url, Address: address(m)}
	}
	l.do(kind.ClusterInitialize, kind.ClusterInit{Instance: one.inst, Namespace: "ACMECLUSTER", Address: address(one)})
	l.do(kind.ClusterAttach, attach(two, kind.DataNode))
	l.do(kind.ClusterAttach, attach(cn, kind.ComputeNode))
	two.sql("ACMECLUSTER", "create table p (id int, shard)")
	for k := range 10 {
		cn.sql("ACMECLUSTER", fmt.Sprintf("insert into p values (%d)", k))
	}
	for _, m := range all {
		if got := m.sql("ACMECLUSTER", "select count(*) from p"); got != "10" {
			t.Errorf("%s counts %s rows", m.inst.Name, got)
		}
		if in := m.find(); in.Sharding != "node" {
			t.Errorf("%s tells that it is %q", m.inst.Name, in.Sharding)
		}
	}

	// Data leaves a cluster by name and empty only.
	leave := attach(two, kind.DataNode)
	if look := l.satisfied(kind.ClusterDetach, leave); look.Refused == "" || look.Hint == "" {
		t.Errorf("a data node may leave without consent: %+v", look)
	}
	leave.Data = true
	if err := l.kinds[kind.ClusterDetach].Do(t.Context(), l.task(kind.ClusterDetach, leave)); err == nil || !strings.Contains(err.Error(), "holds") {
		t.Errorf("a node with data left: %v", err)
	}
	l.undo(kind.ClusterAttach, attach(cn, kind.ComputeNode))
	if in := cn.find(); in.Sharding != "enabled" {
		t.Errorf("after the undo it tells that it is %q", in.Sharding)
	}
	one.sql("ACMECLUSTER", "delete from p")
	l.do(kind.ClusterDetach, leave)
	if _, err := os.Stat("/usr/two/mgr"); err != nil {
		t.Errorf("the instance that left: %v", err)
	}
	for _, m := range all {
		l.do(kind.IRISRemove, kind.Remove{Instance: m.inst})
	}
}

// pair makes a mirror of two instances, the first of them its primary.
func pair(l *life, a, b member) {
	l.do(kind.AgentRun, kind.AgentService{})
	me := func(m member) kind.MirrorMember {
		return kind.MirrorMember{Mirror: kind.Mirror{Instance: m.inst, Mirror: "TEST"}, Member: "NODE-" + m.inst.Name, Address: "127.0.0.1"}
	}
	l.do(kind.MirrorCreate, me(a))
	l.do(kind.MirrorJoin, kind.JoiningMember{MirrorMember: me(b), Type: kind.Failover, Seconds: 60,
		First: kind.FirstMember{Member: "NODE-" + a.inst.Name, Instance: a.inst.Name, Address: "127.0.0.1"}})
}

// failover stops the primary and waits until the other one has taken over.
func failover(t *testing.T, l *life, from, to member) {
	t.Helper()
	place := kind.MirrorPlace{Mirror: kind.Mirror{Instance: to.inst, Mirror: "TEST"}, Want: kind.WantBackup, Seconds: 60}
	if err := l.kinds[kind.MirrorWait].Do(t.Context(), l.task(kind.MirrorWait, place)); err != nil {
		t.Fatal(err)
	}
	l.do(kind.IRISStop, kind.Start{Instance: from.inst, Seconds: 60, Clean: true})
	place.Want = kind.WantPrimary
	if err := l.kinds[kind.MirrorWait].Do(t.Context(), l.task(kind.MirrorWait, place)); err != nil {
		t.Fatal(err)
	}
}

// mirroredShardLife: the rows of a shard are there after its failover, and the
// shard is the same one whichever member is the primary.
func mirroredShardLife(t *testing.T) {
	l := newLife(t)
	all := shardable(t, l, "2023.1.0.235.1", "M", "A", "B")
	master, a, b := all[0], all[1], all[2]
	pair(l, a, b)
	for _, m := range []member{a, b} {
		l.do(kind.MirrorDatabase, kind.MirroredDatabase{Mirror: kind.Mirror{Instance: m.inst, Mirror: "TEST"}, Name: "ACME", Dir: "/irissys/" + m.inst.Name + "/ACME"})
	}
	l.do(kind.IRISNamespace, kind.Namespace{Instance: master.inst, Merge: true, Name: "ACME", Dir: "/irissys/M/ACME"})
	assigned := func(m, other member) kind.ShardMaster {
		s := m.shard("")
		s.Mirror, s.BackupHost, s.BackupPort = "TEST", "127.0.0.1", other.port
		return kind.ShardMaster{Instance: master.inst, Namespace: "ACME", Shards: []kind.Shard{s}}
	}
	l.do(kind.ShardAssign, assigned(a, b))
	l.do(kind.ShardActivate, kind.ShardMaster{Instance: master.inst, Namespace: "ACME"})
	master.sql("ACME", "create table p (id int, shard key (id))")
	master.sql("ACME", "insert into p (id) values (1)")
	failover(t, l, a, b)
	master.sql("ACME", "insert into p (id) values (2)")
	if got := master.sql("ACME", "select count(*) from p"); got != "2" {
		t.Errorf("after the failover the master counts %s rows", got)
	}
	if look := l.satisfied(kind.ShardAssign, assigned(b, a)); !look.Satisfied {
		t.Errorf("after the failover the shard is another one: %+v", look)
	}
}

// mirroredNodeLife: a mirror is one data node of a cluster.
func mirroredNodeLife(t *testing.T) {
	l := newLife(t)
	all := shardable(t, l, "2023.1.0.235.1", "ONE", "TWO", "CN")
	one, two, cn := all[0], all[1], all[2]
	pair(l, one, two)
	address := func(m member) string { return fmt.Sprintf("127.0.0.1:%d", m.port) }
	l.do(kind.ClusterInitialize, kind.ClusterInit{Instance: one.inst, Mirrored: true, Address: address(one)})
	url := "IRIS://" + address(one) + "/IRISCLUSTER"
	backup := kind.ClusterNode{Instance: two.inst, Role: kind.DataNode, URL: url, Address: address(two), MirrorRole: "backup"}
	l.do(kind.ClusterAttach, backup)
	l.do(kind.ClusterAttach, kind.ClusterNode{Instance: cn.inst, Role: kind.ComputeNode, URL: url, Address: address(cn)})
	cn.sql("IRISCLUSTER", "create table p (id int, shard)")
	cn.sql("IRISCLUSTER", "insert into p values (1)")
	failover(t, l, one, two)
	for _, m := range []member{cn, two} {
		if got := m.sql("IRISCLUSTER", "select count(*) from p"); got != "1" {
			t.Errorf("after the failover %s counts %s rows", m.inst.Name, got)
		}
	}
	// A backup comes and goes with its primary.
	backup.Data = true
	if look := l.satisfied(kind.ClusterDetach, backup); !look.Satisfied {
		t.Errorf("a backup may leave alone: %+v", look)
	}
}

func TestNamesThatAreNoneOfShardsAndNodesAreRefused(t *testing.T) {
	d := Deps{Root: t.TempDir(), Home: t.TempDir()}
	kinds := Kinds(d)
	good := kind.Shard{Host: "10.0.0.1", Port: 1972, Namespace: "ACME"}
	bad := func(change func(*kind.Shard)) kind.ShardMaster {
		s := good
		change(&s)
		return kind.ShardMaster{Namespace: "ACME", Shards: []kind.Shard{s}}
	}
	for name, c := range map[string]struct {
		kind string
		args any
		says string
	}{
		"namespace":       {kind.ShardActivate, kind.ShardMaster{Namespace: "A\"\nhalt"}, "name of a namespace"},
		"shard namespace": {kind.ShardAssign, bad(func(s *kind.Shard) { s.Namespace = "" }), "name of a namespace"},
		"host":            {kind.ShardAssign, bad(func(s *kind.Shard) { s.Host = "a\nb" }), "host of a shard"},
		"backup":          {kind.ShardAssign, bad(func(s *kind.Shard) { s.BackupHost = "a b" }), "host of a shard"},
		"mirror":          {kind.ShardDeassign, bad(func(s *kind.Shard) { s.Mirror = "x" }), "name of a mirror"},
		"data shard":      {kind.ShardAssign, bad(func(s *kind.Shard) { s.QueryOf = "10.0.0.1" }), "host:port"},
		"cluster":         {kind.ClusterInitialize, kind.ClusterInit{Namespace: "1"}, "name of a namespace"},
		"address":         {kind.ClusterInitialize, kind.ClusterInit{Address: "10.0.0.1"}, "host:port"},
		"url":             {kind.ClusterAttach, kind.ClusterNode{Role: kind.DataNode, URL: "http://x:1"}, "IRIS://host:port"},
		"role":            {kind.ClusterAttach, kind.ClusterNode{URL: "IRIS://x:1", Role: "DM"}, "cannot be a node"},
		"mirror role":     {kind.ClusterDetach, kind.ClusterNode{URL: "IRIS://x:1", Role: kind.DataNode, MirrorRole: "async"}, "primary, backup or drasync"},
	} {
		task := enginetest.NewTask(t, c.kind, c.args)
		_, lookErr := kinds[c.kind].Look(t.Context(), task)
		for half, err := range map[string]error{"look": lookErr, "do": kinds[c.kind].Do(t.Context(), task)} {
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s of a wrong %s: %v, want %q", half, name, err, c.says)
			}
		}
	}
}
