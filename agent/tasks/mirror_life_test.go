package tasks

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"icm/agent/engine/enginetest"
	"icm/agent/iris"
	"icm/internal/kind"
	"icm/internal/kitname"
	"icm/internal/wire"
)

// member is one instance of a mirror whose members share a scratch root.
type member struct {
	*life
	inst  kind.Instance
	merge bool
	port  int
}

// newMember installs and starts an instance.
func newMember(t *testing.T, l *life, name, version string, port int) member {
	t.Helper()
	platform := "lnxubuntu2204x64"
	if strings.HasPrefix(version, "2018") {
		platform = "lnxrhx64"
	}
	dir := "/usr/" + strings.ToLower(name)
	kitName := "IRIS-" + version + "-" + platform + ".tar.gz"
	kit := kind.Kit{URL: "file://" + scratchKits + "/" + kitName, Name: kitName, Platform: platform}
	m := member{life: l, port: port, merge: kitname.Kit{Version: version}.HasMerge(),
		inst: kind.Instance{Name: name, Dir: dir, Owner: "irisowner", Group: "irisusr"}}
	for _, step := range []struct {
		kind string
		args any
	}{
		{kind.KitFetch, kit}, {kind.KitUnpack, kit},
		{kind.IRISInstall, kind.Install{Instance: name, Dir: dir, Kit: kit, Version: version, Platform: platform, Security: "Normal", SuperServerPort: port,
			Account: kind.Account{Owner: "irisowner", OwnerGroup: "irisowner", User: "irisusr", Group: "irisusr"}}},
		{kind.IRISConfigure, kind.Configure{Instance: m.inst, Merge: m.merge, OSAuth: true, PasswordSecret: "hash", PlainSecret: plainFor(m.merge)}},
		{kind.IRISUnit, kind.Unit{Instance: m.inst}},
		{kind.IRISStart, kind.Start{Instance: m.inst, Seconds: 60}},
	} {
		if look := l.satisfied(step.kind, step.args); look.Satisfied {
			continue
		}
		if err := l.kinds[step.kind].Do(t.Context(), l.task(step.kind, step.args)); err != nil {
			t.Fatalf("%s of %s: %v", step.kind, name, err)
		}
	}
	return m
}

func plainFor(merge bool) string {
	if merge {
		return ""
	}
	return "plain"
}

func (m member) find() wire.Instance {
	m.t.Helper()
	in, err := m.d.IRIS.Find(m.t.Context(), m.inst.Name)
	if err != nil {
		m.t.Fatal(err)
	}
	return m.d.IRIS.Tell(m.t.Context(), []wire.Instance{in})[0]
}

func (m member) run(ns, code, want string) {
	m.t.Helper()
	reply, err := m.d.IRIS.Session(m.t.Context(), wire.SessionRequest{Instance: m.inst.Name, Namespace: ns, Code: code})
	if err != nil || reply.Failed || reply.Out != want {
		m.t.Errorf("%s in %s: %q (failed %v), %v; want %q", code, m.inst.Name, reply.Out, reply.Failed, err, want)
	}
}

func newLife(t *testing.T) *life {
	t.Helper()
	for _, args := range [][]string{{"groupadd", "-f", "irisowner"}, {"useradd", "-g", "irisowner", "irisowner"}, {"groupadd", "-f", "irisusr"}, {"useradd", "-g", "irisusr", "irisusr"}} {
		_ = exec.Command(args[0], args[1:]...).Run() // they may be there
	}
	l := &life{t: t, envs: map[string]*enginetest.Env{}, units: runningUnits{newFakeUnits(t), map[string]context.CancelFunc{}}, secrets: map[string]string{"hash": someHash(t), "plain": somePassword}}
	l.d = Deps{Root: "/", Home: "/var/lib/icm-agent", Units: l.units}.withDefaults()
	l.d.IRIS.Poll = 100 * time.Millisecond
	l.kinds = Kinds(l.d)
	return l
}

// TestTheLifeOfAMirror makes a mirror of two failover members and an async, lets
// the backup take over, and takes the mirror apart, in two eras.
func TestTheLifeOfAMirror(t *testing.T) {
	for _, version := range []string{"2018.2.0.792.0", "2023.1.0.235.1"} {
		t.Run(version, func(t *testing.T) {
			if scratch(t) {
				mirrorLife(t, version)
			}
		})
	}
}

func mirrorLife(t *testing.T, version string) {
	l := newLife(t)
	a, b, c := newMember(t, l, "A", version, 41001), newMember(t, l, "B", version, 41002), newMember(t, l, "C", version, 41003)
	of := func(m member) kind.Mirror { return kind.Mirror{Instance: m.inst, Mirror: "TEST"} }
	me := func(m member) kind.MirrorMember {
		return kind.MirrorMember{Mirror: of(m), Member: "NODE-" + m.inst.Name, Address: "127.0.0.1"}
	}
	create := me(a)
	first := kind.FirstMember{Member: "NODE-A", Instance: "A", Address: "127.0.0.1"}
	joinB := kind.JoiningMember{MirrorMember: me(b), Type: kind.Failover, First: first, Seconds: 60}
	joinC := kind.JoiningMember{MirrorMember: me(c), Type: kind.DRAsync, First: first, Seconds: 60}

	// Without its agent nobody becomes a member.
	if err := l.kinds[kind.MirrorCreate].Do(t.Context(), l.task(kind.MirrorCreate, create)); err == nil || !strings.Contains(err.Error(), "ISCAgent") {
		t.Errorf("without an ISCAgent: %v", err)
	}
	l.do(kind.AgentRun, kind.AgentService{})
	l.do(kind.MirrorCreate, create)
	l.undo(kind.MirrorCreate, create)
	if in := a.find(); in.MirrorType != "" && in.MirrorType != "Not Member" {
		t.Errorf("after the undo it is %+v", in)
	}
	l.envs = map[string]*enginetest.Env{}
	l.do(kind.MirrorCreate, create)
	database := func(m member) kind.MirroredDatabase {
		return kind.MirroredDatabase{Mirror: of(m), Name: "ACME", Dir: "/irissys/" + m.inst.Name + "/ACME"}
	}
	l.do(kind.MirrorDatabase, database(a))
	a.run("ACME", "set ^x=1", "")
	for _, j := range []struct {
		m    member
		args kind.JoiningMember
		want string
	}{{b, joinB, kind.WantBackup}, {c, joinC, kind.WantAsync}} {
		l.do(kind.MirrorJoin, j.args)
		l.do(kind.MirrorDatabase, database(j.m))
		if err := l.kinds[kind.MirrorWait].Do(t.Context(), l.task(kind.MirrorWait, kind.MirrorPlace{Mirror: of(j.m), Want: j.want, Seconds: 60})); err != nil {
			t.Error(err)
		}
		j.m.run("ACME", "write ^x", "1")
		if in := j.m.find(); in.Mirror == nil || !in.Mirror.CaughtUp || in.Mirror.Name != "TEST" || in.Mirror.Member != "NODE-"+j.m.inst.Name {
			t.Errorf("%s tells of itself %+v", j.m.inst.Name, in.Mirror)
		}
	}

	// The backup takes over when the primary is stopped.
	stopA := kind.Start{Instance: a.inst, Seconds: 60, Clean: true}
	takeover := kind.MirrorPlace{Mirror: of(b), Seconds: 60}
	if look := l.satisfied(kind.MirrorTakeover, takeover); look.Satisfied || len(look.Diffs) == 0 {
		t.Errorf("look of a takeover that has not happened: %+v", look)
	}
	l.do(kind.IRISStop, stopA)
	if err := l.kinds[kind.MirrorTakeover].Do(t.Context(), l.task(kind.MirrorTakeover, takeover)); err != nil {
		t.Fatal(err)
	}
	b.run("ACME", "set ^x=2", "")
	l.do(kind.IRISStart, kind.Start{Instance: a.inst, Seconds: 60})
	if err := l.kinds[kind.MirrorWait].Do(t.Context(), l.task(kind.MirrorWait, kind.MirrorPlace{Mirror: of(a), Want: kind.WantBackup, Seconds: 60})); err != nil {
		t.Fatal(err)
	}
	a.run("ACME", "write ^x", "2")

	// A primary does not leave, the others may; who joined can be taken back.
	if look := l.satisfied(kind.MirrorLeave, of(b)); look.Refused == "" {
		t.Errorf("the primary may leave: %+v", look)
	}
	l.do(kind.MirrorLeave, of(a))
	a.run("ACME", "write ^x", "2")
	l.undo(kind.MirrorJoin, joinC)
	if in := c.find(); iris.MembershipOf(in).Mirror != "" || in.Mirror != nil {
		t.Errorf("after the undo of joining: %+v", in)
	}
	for _, m := range []member{a, b, c} {
		l.do(kind.IRISRemove, kind.Remove{Instance: m.inst})
		l.do(kind.DataRemove, kind.Data{Instance: m.inst.Name, Paths: []string{"/irissys/" + m.inst.Name + "/ACME"}})
	}
	if exists(agentProgram) {
		t.Error("the ISCAgent is left over")
	}
}

func TestNamesThatAreNoneAreRefused(t *testing.T) {
	for _, m := range []string{"", "lower", "A_B", `A")`, "ABCDEFGHIJKLMNOP"} {
		if err := checkNames(kind.Mirror{Mirror: m}); err == nil {
			t.Errorf("the mirror %q was accepted", m)
		}
	}
	for _, m := range []string{"", `A",.x)`, strings.Repeat("A", 33), "A B"} {
		if err := checkNames(kind.Mirror{Mirror: "M"}, m); err == nil {
			t.Errorf("the member %q was accepted", m)
		}
	}
	if err := checkNames(kind.Mirror{Mirror: "MIRROR1"}, "ACME-DM-TEST-0001"); err != nil {
		t.Error(fmt.Errorf("good names: %w", err))
	}
}
