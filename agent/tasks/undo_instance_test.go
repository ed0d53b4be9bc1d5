package tasks

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"icm/agent/engine/enginetest"
	"icm/agent/iris"
	"icm/internal/kind"
	"icm/internal/kitname"
	"icm/internal/wire"
)

// step is a task of a change.
type step struct {
	kind string
	args any
}

// undoneInScratch are the kinds that TestInstancesAreAsTheyWereAfterDoAndUndo
// does and undoes.
var undoneInScratch = []string{
	kind.KitFetch, kind.KitUnpack, kind.IRISInstall, kind.IRISLicense, kind.IRISConfigure, kind.IRISUnit,
	kind.IRISHealth, kind.IRISVerify, kind.IRISSnapshot, kind.IRISUpgrade, kind.ECPServe, kind.ECPConnect,
	kind.MirrorArbiter, kind.MirrorWait,
}

func TestInstancesAreAsTheyWereAfterDoAndUndo(t *testing.T) {
	for _, e := range []struct{ old, next, platform string }{
		{"2023.1.0.235.1", "2023.1.1.380.0", "lnxubuntu2204x64"},
		{"2018.2.0.792.0", "2018.2.1.417.0", "lnxrhx64"},
	} {
		t.Run(e.old, func(t *testing.T) {
			if scratch(t) {
				undoneThrough(t, e.old, e.next, e.platform)
			}
		})
	}
}

// undoing is a life in which every step is tried out before it is taken.
type undoing struct {
	*life
	tried map[string]bool
	told  map[string]wire.Diff // by the first plan that names it
}

// try does steps as one change, in this order, undoes them in the opposite one,
// each twice, and compares.
func (u undoing) try(node string, steps ...step) {
	u.t.Helper()
	u.tryBut(never, node, steps...)
}

func (u undoing) tryBut(except func(string) bool, node string, steps ...step) {
	u.t.Helper()
	u.envs = map[string]*enginetest.Env{} // a new change
	before := scratchNode(u.t, u.units.fakeUnits)
	for _, s := range steps {
		u.tried[s.kind] = true
		for what, d := range tellsBeforeAndAfter(u.t, u.kinds[s.kind], u.task(s.kind, s.args)) {
			if _, known := u.told[what]; !known {
				u.told[what] = d
			}
		}
		twice(u.t, u.kinds[s.kind].Do, u.task(s.kind, s.args))
	}
	for _, s := range slices.Backward(steps) {
		if undo := u.kinds[s.kind].Undo; undo != nil {
			twice(u.t, undo, u.task(s.kind, s.args))
		}
	}
	leftByAgent := leavings(u.d)
	for _, diff := range notTheSame(u.t, before, scratchNode(u.t, u.units.fakeUnits), func(name string) bool {
		return leftByAgent(name) || ofLife.MatchString(name) || except(name)
	}) {
		u.t.Errorf("%s, %s: undone, it is not what it was: %s", steps[len(steps)-1].kind, node, diff)
	}
}

// take does a step for good.
func (u undoing) take(k string, args any) {
	u.t.Helper()
	u.envs = map[string]*enginetest.Env{}
	if err := u.kinds[k].Do(u.t.Context(), u.task(k, args)); err != nil {
		u.t.Fatalf("%s: %v", k, err)
	}
}

// both tries a step and takes it.
func (u undoing) both(node string, k string, args any) {
	u.t.Helper()
	u.try(node, step{k, args})
	u.take(k, args)
	u.tryBut(below(u.d.home("iris")), node+", done already", step{k, args}) // where what is kept for undo lies
}

// ofLife is what an instance writes because it lives.
var ofLife = regexp.MustCompile(`^/usr/[a-z]+/mgr/(messages\.log|journal|iris\.ids|standin\.starts|IRIS\.WIJ|iris\.sock|.*\.pid|.*\.lck)`)

func undoneThrough(t *testing.T, old, next, platform string) {
	u := undoing{newLife(t), map[string]bool{}, map[string]wire.Diff{}}
	u.secrets["key"], u.secrets["other"] = someKey, someKey+"Other=1\n"
	kit := func(version string) kind.Kit {
		name := "IRIS-" + version + "-" + platform + ".tar.gz"
		return kind.Kit{URL: "file://" + filepath.Join(scratchKits, name), Name: name, Platform: platform}
	}
	mustMkdir(t, u.d.Home)
	mustMkdir(t, "/etc/icm-agent")
	merge := kitname.Kit{Version: old}.HasMerge()
	inst := kind.Instance{Name: "IRIS", Dir: "/usr/irissys", Owner: "irisowner", Group: "irisusr"}
	install := kind.Install{Instance: "IRIS", Dir: inst.Dir, Kit: kit(old), Version: old, Platform: platform, Security: "Normal", SuperServerPort: 41001,
		Account: kind.Account{Owner: "irisowner", OwnerGroup: "irisowner", User: "irisusr", Group: "irisusr"}}
	configure := kind.Configure{Instance: inst, Merge: merge, PasswordSecret: "hash", PlainSecret: plainFor(merge), OSAuth: true, SystemMode: "TEST",
		Settings: map[string]string{"config.globals": "0,0,128,0,0,0"}}
	start, stop := kind.Start{Instance: inst, Seconds: 60}, kind.Start{Instance: inst, Seconds: 60, Clean: true}

	u.both("bare", kind.KitFetch, kit(old))
	u.both("kit fetched", kind.KitUnpack, kit(old))
	u.both("kit unpacked", kind.IRISInstall, install)
	u.both("no licence key", kind.IRISLicense, license(inst, "key"))
	u.both("another licence key", kind.IRISLicense, license(inst, "other"))
	u.both("installed", kind.IRISUnit, kind.Unit{Instance: inst})
	u.otherUnit(inst)
	first := never
	if !merge { // passwords stay as they were set
		first = func(name string) bool {
			return name == inst.Dir+"/mgr/irissecurity.json" || name == u.d.home("iris/iris.json")
		}
	}
	u.tryBut(first, "installed", step{kind.IRISConfigure, configure})
	u.take(kind.IRISConfigure, configure)
	more := configure
	more.Settings = map[string]string{"config.globals": "0,0,128,0,0,0", "config.gmheap": "90000"}
	u.tryBut(below(u.d.home("iris")), "configured for the next start", step{kind.IRISConfigure, more})
	u.take(kind.IRISStart, start)
	u.try("running", step{kind.IRISHealth, start})
	u.try("running", step{kind.IRISVerify, configure})
	u.provide(inst, merge, newMember(t, u.life, "B", old, 41002).inst)
	u.mirror(inst)

	u.take(kind.KitFetch, kit(next))
	u.take(kind.KitUnpack, kit(next))
	u.take(kind.IRISStop, stop)
	u.tryBut(below(u.d.home("iris")), "down", step{kind.IRISConfigure, more})
	upgrade := install
	upgrade.From, upgrade.Version, upgrade.Kit = old, next, kit(next)
	copied := kind.Snapshot{Instance: inst}
	u.try("down", step{kind.IRISSnapshot, copied})
	u.try("down", step{kind.IRISSnapshot, copied}, step{kind.IRISUpgrade, upgrade})

	for what, want := range map[string]string{iris.UnitName("IRIS"): "runs IRIS, enabled", "[config] globals": "0,0,128,0,0,0", "[config] gmheap": "90000", "version of IRIS": next} {
		if d := u.told[what]; d.After != want || d.Before == "" {
			t.Errorf("the plan says of %s: %+v, want %s", what, d, want)
		}
	}
	if have := slices.Sorted(maps.Keys(u.tried)); !slices.Equal(have, slices.Sorted(slices.Values(undoneInScratch))) {
		t.Errorf("tried were %v, and not %v", have, undoneInScratch)
	}
}

const someKey = "[ConfigFile]\nFileType=InterSystems License\n"

func license(inst kind.Instance, key string) kind.License {
	text := map[string]string{"key": someKey, "other": someKey + "Other=1\n"}[key]
	sum := sha256.Sum256([]byte(text))
	return kind.License{Instance: inst, Secret: key, SHA256: hex.EncodeToString(sum[:])}
}

// otherUnit tries iris.unit where a unit of ours is there that is another one,
// and is not enabled.
func (u undoing) otherUnit(inst kind.Instance) {
	u.t.Helper()
	name := iris.UnitName(inst.Name)
	ours := u.units.files[name]
	u.units.files[name], u.units.enabled[name] = strings.Replace(ours, "Description=", "Description=older ", 1), false
	u.try("another unit there, not enabled", step{kind.IRISUnit, kind.Unit{Instance: inst}})
	u.units.files[name], u.units.enabled[name] = ours, true
}

// provide tries what makes a data server, and client its application server.
func (u undoing) provide(inst kind.Instance, merge bool, client kind.Instance) {
	u.t.Helper()
	dir := "/irissys/data/ACME"
	if err := makeOwned(filepath.Dir(dir), inst.Owner, inst.Group); err != nil {
		u.t.Fatal(err)
	}
	u.take(kind.IRISNamespace, kind.Namespace{Instance: inst, Merge: merge, Name: "ACME", Dir: dir})
	u.try("not a data server", step{kind.ECPServe, kind.ECPServer{Instance: inst, Merge: merge, Clients: 5}})
	u.take(kind.ECPServe, kind.ECPServer{Instance: inst, Merge: merge, Clients: 1})
	u.try("data server for fewer", step{kind.ECPServe, kind.ECPServer{Instance: inst, Merge: merge, Clients: 9}})
	u.try("not an application server", step{kind.ECPConnect, kind.ECPClient{Instance: client, Merge: merge, Server: "DATA", Address: "127.0.0.1", Port: 41001, Namespace: "FAR", RemoteDir: dir}})
}

// mirror tries the kinds of a mirror's member, in a mirror of one.
func (u undoing) mirror(inst kind.Instance) {
	u.t.Helper()
	m := kind.Mirror{Instance: inst, Mirror: "TEST"}
	member := kind.MirrorMember{Mirror: m, Member: "NODE-A", Address: "127.0.0.1"}
	u.take(kind.AgentRun, kind.AgentService{})
	u.take(kind.MirrorCreate, member)
	u.try("no arbiter", step{kind.MirrorArbiter, kind.Arbiter{Mirror: m, Arbiter: "10.0.0.9:2188"}})
	u.take(kind.MirrorArbiter, kind.Arbiter{Mirror: m, Arbiter: "10.0.0.8:2188"})
	u.try("another arbiter", step{kind.MirrorArbiter, kind.Arbiter{Mirror: m, Arbiter: "10.0.0.9:2188"}})
	u.try("primary", step{kind.MirrorWait, kind.MirrorPlace{Mirror: m, Want: kind.WantPrimary, Seconds: 60}})
}
