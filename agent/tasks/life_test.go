package tasks

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"icm/agent/engine"
	"icm/agent/engine/enginetest"
	"icm/agent/host"
	"icm/agent/iris"
	"icm/agent/unit"
	"icm/internal/irishash"
	"icm/internal/kind"
	"icm/internal/kitname"
	"icm/internal/secret"
	"icm/internal/wire"
)

// runningUnits is a fakeUnits that really runs what a service says.
type runningUnits struct {
	*fakeUnits
	programs map[string]context.CancelFunc
}

func (u runningUnits) run(name, key string) error {
	c := host.Command{}
	words := strings.Fields(u.setting(name, key))
	c.Path, c.Args, c.Dir = words[0], words[1:], "/"
	if env, err := os.ReadFile(strings.TrimPrefix(u.setting(name, "EnvironmentFile"), "-")); err == nil {
		c.Env = strings.Fields(string(env))
	}
	if who := u.setting(name, "User"); who != "" {
		acc, err := user.Lookup(who)
		if err != nil {
			return err
		}
		uid, _ := strconv.Atoi(acc.Uid)
		gid, _ := strconv.Atoi(acc.Gid)
		c.Credential, c.UID, c.GID = true, uint32(uid), uint32(gid)
	}
	_, err := c.Run(context.Background())
	return err
}

func (u runningUnits) Start(_ context.Context, name string) error {
	if err := u.note("start", name); err != nil || u.active[name] {
		return err
	}
	if name == agentService {
		return u.startAgent()
	}
	if err := u.run(name, "ExecStart"); err != nil {
		return err
	}
	u.active[name] = true
	return nil
}

// startAgent runs the ISCAgent, whose unit is the kit's and stays in the
// foreground.
func (u runningUnits) startAgent() error {
	ctx, end := context.WithCancel(context.Background()) // not the task's: it is not its program
	u.programs[agentService] = end
	u.active[agentService] = true
	go func() { _, _ = host.Command{Path: agentProgram}.Run(ctx) }()
	return nil
}

func (u runningUnits) Status(ctx context.Context, name string) (unit.Status, error) {
	st, err := u.fakeUnits.Status(ctx, name)
	if name == agentService && !exists(agentProgram) {
		st.Load = "not-found"
	}
	return st, err
}

func (u runningUnits) Stop(_ context.Context, name string) error {
	if err := u.note("stop", name); err != nil || !u.active[name] {
		return err
	}
	u.active[name] = false
	if end := u.programs[name]; end != nil {
		end()
		return nil
	}
	return u.run(name, "ExecStop")
}

func (u runningUnits) Remove(ctx context.Context, name string) error {
	if err := u.Stop(ctx, name); err != nil {
		return err
	}
	delete(u.files, name)
	delete(u.enabled, name)
	return nil
}

// life is one node, with what a test asks of it. A step's environment is kept,
// so that it can be undone.
type life struct {
	t       *testing.T
	d       Deps
	kinds   map[string]engine.Kind
	envs    map[string]*enginetest.Env
	secrets map[string]string
	units   runningUnits
}

func (l *life) task(k string, args any) *engine.Task {
	l.t.Helper()
	key := fmt.Sprintf("%s %+v", k, args)
	if l.envs[key] == nil {
		l.envs[key] = enginetest.NewEnv(l.secrets)
	}
	return l.envs[key].Task(l.t, k, args)
}

func (l *life) satisfied(k string, args any) wire.Look {
	l.t.Helper()
	look, err := l.kinds[k].Look(l.t.Context(), l.task(k, args))
	if err != nil {
		l.t.Fatalf("look of %s: %v", k, err)
	}
	return look
}

// do expects work, does it twice, and expects none to be left.
func (l *life) do(k string, args any) {
	l.t.Helper()
	if look := l.satisfied(k, args); look.Satisfied || look.Refused != "" || len(look.Diffs) == 0 {
		l.t.Fatalf("look of %s before: %+v", k, look)
	}
	for range 2 {
		if err := l.kinds[k].Do(l.t.Context(), l.task(k, args)); err != nil {
			l.t.Fatalf("%s: %v", k, err)
		}
	}
	if look := l.satisfied(k, args); !look.Satisfied && k != kind.IRISSnapshot {
		l.t.Fatalf("look of %s after: %+v", k, look)
	}
}

func (l *life) undo(k string, args any) {
	l.t.Helper()
	for range 2 {
		if err := l.kinds[k].Undo(l.t.Context(), l.task(k, args)); err != nil {
			l.t.Fatalf("undo of %s: %v", k, err)
		}
	}
}

// TestTheLifeOfAnInstance goes through everything with stand-in kits.
func TestTheLifeOfAnInstance(t *testing.T) {
	if !scratch(t) {
		return
	}
	for _, era := range []struct{ old, next, platform string }{
		{"2018.2.0.792.0", "2018.2.1.417.0", "lnxrhx64"},
		{"2023.1.0.235.1", "2023.1.1.380.0", "lnxubuntu2204x64"},
		{"2025.1.0.223.0", "", "lnxubuntu2204x64"},
	} {
		t.Run(era.old, func(t *testing.T) { liveThrough(t, scratchKits, era.old, era.next, era.platform) })
	}
}

const somePassword = "canary-77Ab"

func someHash(t *testing.T) string {
	t.Helper()
	hash, err := irishash.Hash(secret.New(somePassword))
	if err != nil {
		t.Fatal(err)
	}
	return hash
}

func liveThrough(t *testing.T, kits, old, next, platform string) {
	const password = somePassword
	for _, args := range [][]string{{"groupadd", "-f", "irisowner"}, {"useradd", "-g", "irisowner", "irisowner"}, {"groupadd", "-f", "irisusr"}, {"useradd", "-g", "irisusr", "irisusr"}} {
		_ = exec.Command(args[0], args[1:]...).Run() // they may be there
	}
	key := "[ConfigFile]\nFileType=InterSystems License\n"
	l := &life{t: t, envs: map[string]*enginetest.Env{}, units: runningUnits{newFakeUnits(t), map[string]context.CancelFunc{}}, secrets: map[string]string{"hash": someHash(t), "plain": password, "key": key}}
	l.d = Deps{Root: "/", Home: "/var/lib/icm-agent", Units: l.units}.withDefaults()
	l.d.IRIS.Poll = 100 * time.Millisecond
	l.kinds = Kinds(l.d)

	kit := func(version string) kind.Kit {
		name := "IRIS-" + version + "-" + platform + ".tar.gz"
		return kind.Kit{URL: "file://" + filepath.Join(kits, name), Name: name, Platform: platform}
	}
	merge := kitname.Kit{Version: old}.HasMerge()
	inst := kind.Instance{Name: "IRIS", Dir: "/usr/irissys", Owner: "irisowner", Group: "irisusr"}
	install := kind.Install{
		Instance: "IRIS", Dir: inst.Dir, Kit: kit(old), Version: old, Platform: platform, Security: "Normal",
		Account: kind.Account{Owner: "irisowner", OwnerGroup: "irisowner", User: "irisusr", Group: "irisusr"},
	}
	for _, dir := range []string{"/irissys/data", "/irissys/journal1", "/irissys/wij"} {
		if err := makeOwned(dir, "irisowner", "irisusr"); err != nil {
			t.Fatal(err)
		}
	}
	configure := kind.Configure{
		Instance: inst, Merge: merge, PasswordSecret: "hash", OSAuth: true, SystemMode: "TEST",
		Settings: map[string]string{"config.globals": "0,0,128,0,0,0", "Journal.CurrentDirectory": "/irissys/journal1/"},
	}
	if !merge {
		configure.PlainSecret = "plain"
	}
	sum := sha256.Sum256([]byte(key))
	license := kind.License{Instance: inst, Secret: "key", SHA256: hex.EncodeToString(sum[:])}
	start := kind.Start{Instance: inst, Seconds: 60}
	stop := kind.Start{Instance: inst, Seconds: 60, Clean: true}
	namespace := kind.Namespace{Instance: inst, Merge: merge, Name: "ACME", Dir: "/irissys/data/ACME"}
	serve := kind.ECPServer{Instance: inst, Merge: merge, Clients: 1}

	// Before anything is there, every look says so.
	for k, args := range map[string]any{kind.IRISConfigure: configure, kind.IRISLicense: license, kind.IRISStart: start, kind.IRISHealth: start, kind.IRISVerify: configure, kind.IRISNamespace: namespace, kind.ECPServe: serve} {
		if look := l.satisfied(k, args); look.Satisfied || len(look.Diffs) == 0 {
			t.Errorf("look of %s on an empty node: %+v", k, look)
		}
	}
	l.do(kind.KitFetch, kit(old))
	l.do(kind.KitUnpack, kit(old))
	l.do(kind.IRISInstall, install)
	l.undo(kind.IRISInstall, install)
	l.do(kind.IRISInstall, install)
	l.do(kind.IRISLicense, license)
	l.do(kind.IRISConfigure, configure)
	l.do(kind.IRISUnit, inst)
	l.do(kind.IRISStart, start)
	for k, args := range map[string]any{kind.IRISHealth: start, kind.IRISVerify: configure, kind.IRISConfigure: configure, kind.IRISUnit: inst, kind.IRISLicense: license} {
		if err := errors.Join(l.doIf(k, args)); err != nil {
			t.Errorf("%s: %v", k, err)
		}
		if look := l.satisfied(k, args); !look.Satisfied {
			t.Errorf("look of %s on a running node: %+v", k, look)
		}
	}
	l.do(kind.IRISNamespace, namespace)
	l.do(kind.ECPServe, serve)
	l.session("ACME", "objectscript", `set ^x=42 write ^x`, "42")
	l.session("ACME", "objectscript", `write ##class(%File).Exists("/no/such")`, "0")
	l.session("%SYS", "sql", "SELECT Name,MSGGateway FROM %SYS.PhoneProviders", "Name,MSGGateway\nAT&T Wireless,txt.att.net")
	if reply, err := l.d.IRIS.Session(t.Context(), wire.SessionRequest{Instance: "IRIS", Namespace: "USER", Code: "wirte 1"}); err != nil || !reply.Failed {
		t.Errorf("a syntax error: %+v, %v", reply, err)
	}
	noPasswordOnNode(t, password, "/etc/icm-agent", "/var/lib/icm-agent", inst.Dir)

	if next != "" {
		l.upgrade(install, kit(next), next, inst, start, stop)
	}
	remove := kind.Remove{Instance: inst}
	l.do(kind.IRISRemove, remove)
	l.do(kind.DataRemove, kind.Data{Instance: "IRIS", Paths: []string{"/irissys/data", "/irissys/journal1", "/irissys/wij"}})
	l.do(kind.KitRemove, kit(old))
	for _, path := range []string{inst.Dir, "/etc/icm-agent/iris-merge.cpf", "/var/lib/icm-agent/iris/iris.json"} {
		if exists(path) {
			t.Errorf("%s is left over", path)
		}
	}
}

func (l *life) doIf(k string, args any) error {
	if k == kind.IRISHealth || k == kind.IRISVerify {
		return l.kinds[k].Do(l.t.Context(), l.task(k, args))
	}
	return nil
}

func (l *life) session(ns, language, code, want string) {
	l.t.Helper()
	reply, err := l.d.IRIS.Session(l.t.Context(), wire.SessionRequest{Instance: "iris", Namespace: ns, Language: language, Code: code})
	if err != nil || reply.Failed || !strings.HasPrefix(reply.Out+"\n", want+"\n") {
		l.t.Errorf("%s: %q (failed %v), %v; want %q", code, reply.Out, reply.Failed, err, want)
	}
}

// upgrade upgrades, takes it back, and upgrades again.
func (l *life) upgrade(a kind.Install, next kind.Kit, version string, inst kind.Instance, start, stop kind.Start) {
	l.t.Helper()
	old := a.Version
	a.From, a.Version, a.Kit = old, version, next
	l.do(kind.KitFetch, next)
	l.do(kind.KitUnpack, next)
	for round := range 2 {
		l.envs = map[string]*enginetest.Env{} // a new change
		l.do(kind.IRISSnapshot, kind.Snapshot{Instance: inst, Warm: true})
		l.do(kind.IRISStop, stop)
		l.do(kind.IRISSnapshot, kind.Snapshot{Instance: inst})
		if err := l.kinds[kind.IRISUpgrade].Do(l.t.Context(), l.task(kind.IRISUpgrade, a)); err != nil {
			l.t.Fatal(err)
		}
		l.do(kind.IRISStart, start)
		l.version(version)
		if round == 1 {
			break
		}
		l.undo(kind.IRISStart, start)
		l.undo(kind.IRISUpgrade, a)
		l.undo(kind.IRISSnapshot, kind.Snapshot{Instance: inst})
		l.undo(kind.IRISStop, stop)
		l.version(old)
		l.session("ACME", "objectscript", "write ^x", "42")
	}
	l.session("ACME", "objectscript", "write ^x", "42")
	l.do(kind.IRISDiscard, kind.Snapshot{Instance: inst})
	older := a
	older.Version, older.From = old, version
	if look := l.satisfied(kind.IRISUpgrade, older); look.Refused == "" {
		l.t.Errorf("an older version over a newer one: %+v", look)
	}
	l.do(kind.KitRemove, next)
}

func (l *life) version(want string) {
	l.t.Helper()
	in, err := l.d.IRIS.Find(l.t.Context(), "IRIS")
	if err != nil || !iris.SameVersion(in.Version, want) || !iris.Running(in) {
		l.t.Fatalf("instance is %+v, %v; want %s, running", in, err, want)
	}
}

func noPasswordOnNode(t *testing.T, password string, dirs ...string) {
	t.Helper()
	for _, dir := range dirs {
		out, err := exec.Command("grep", "-rlF", password, dir).Output()
		if err == nil {
			t.Errorf("the password is in %s", out)
		}
	}
}
