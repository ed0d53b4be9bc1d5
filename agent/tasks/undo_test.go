package tasks

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"icm/agent/engine"
	"icm/agent/engine/enginetest"
	"icm/agent/iris"
	"icm/agent/unit"
	"icm/internal/kind"
	"icm/internal/wire"
)

// A reversible kind leaves a node as it found it when it is done and undone,
// whatever the node was like. Kinds of files and settings are tried here on
// nodes in a directory; those of instances, in a scratch root, by
// TestInstancesAreAsTheyWereAfterDoAndUndo.

// undoCase is a node that is like something, and a kind that is done to it.
type undoCase struct {
	kind, node string
	make       func(t *testing.T) (Deps, *fakeUnits, any)
}

const plainAccounts = "root:x:0:0::/root:/bin/sh\n"

// bareNode has nothing but the system's own accounts.
func bareNode() map[string]string {
	return map[string]string{"etc/passwd": plainAccounts, "etc/group": "root:x:0:\n", "etc/shadow": "root:*:::::::\n", "etc/gshadow": "root:*::\n",
		"etc/login.defs": "SYS_UID_MIN 100\nSYS_UID_MAX 999\nSYS_GID_MIN 100\nSYS_GID_MAX 999\n", "var/lib/icm-agent/x": ""}
}

func undoCases() []undoCase {
	cases := slices.Concat(sshCases(), kernelCases(), tlsCases(), agentCases(), gatewayCases(), releaseCases())
	account := kind.Account{Owner: "irisowner", OwnerUID: 51773, OwnerGroup: "irisowner", User: "irisusr", Group: "irisusr"}
	for node, passwd := range map[string]string{
		"bare": plainAccounts, "uid taken": plainAccounts + "x:x:51773:0::/:/bin/sh\n", "owner there": plainAccounts + "irisowner:x:99:0::/home/o:/bin/zsh\n",
	} {
		cases = append(cases, undoCase{kind.AccountEnsure, node, func(t *testing.T) (Deps, *fakeUnits, any) {
			files := bareNode()
			files["etc/passwd"] = passwd
			d, u := rootDir(t, files)
			return d, u, account
		}})
	}
	for node, there := range map[string]os.FileMode{"bare": 0, "directory there": 0o750, "writable for all": 0o777} {
		cases = append(cases, undoCase{kind.DirEnsure, node, func(t *testing.T) (Deps, *fakeUnits, any) {
			d, u := rootDir(t, map[string]string{"etc/passwd": passwd, "etc/group": groups})
			if there != 0 {
				mustMkdir(t, d.path("/irissys/data/kept"))
				if err := os.Chmod(d.path("/irissys/data"), there); err != nil {
					t.Fatal(err)
				}
			}
			return d, u, kind.Dir{Path: "/irissys/data", Owner: "irisowner", Group: "irisusr", Mode: 0o775}
		}})
	}
	return cases
}

func sshCases() []undoCase {
	var cases []undoCase
	for node, keys := range map[string]string{"no keys": "", "other keys": otherKey + "\n"} {
		for how, config := range map[string]string{"drop-ins": "Include DROPINS\nPasswordAuthentication yes\n", "one file": "PasswordAuthentication yes\n"} {
			cases = append(cases, undoCase{kind.SSHHarden, node + ", " + how, func(t *testing.T) (Deps, *fakeUnits, any) {
				d, u, args := sshRoot(t, config)
				if keys != "" {
					mustMkdir(t, d.path("/home/admin/.ssh"))
					mustWrite(t, d.path(keysFile(args)), keys, 0o640)
				}
				return d, u, args
			}})
		}
	}
	return cases
}

func kernelCases() []undoCase {
	args := kind.Kernel{Sysctl: map[string]string{"vm.swappiness": "5", "kernel.sem": "250 32000 100 128"}, THP: "never", RemoveIPC: "no", MemlockUser: "irisowner"}
	return []undoCase{
		{kind.KernelSet, "settings of its own", func(t *testing.T) (Deps, *fakeUnits, any) {
			d, u := kernelRoot(t)
			// The real ones show again what was written in a form of their own.
			mustWrite(t, d.path("/proc/sys/kernel/sem"), "32000 1024000000 500 32000\n", 0o644)
			mustWrite(t, d.path(thpKnob), "madvise\n", 0o644)
			u.active[logindUnit] = true
			return d, u, args
		}},
		{kind.KernelSet, "nothing set", func(t *testing.T) (Deps, *fakeUnits, any) {
			d, u := rootDir(t, map[string]string{"proc/sys/vm/swappiness": someSysctl, "proc/sys/kernel/sem": "1 2 3 4\n"})
			return d, u, args
		}},
	}
}

func releaseCases() []undoCase {
	return []undoCase{{kind.IRISRelease, "a service of icm's", func(t *testing.T) (Deps, *fakeUnits, any) {
		d, u := rootDir(t, nil)
		name := iris.UnitName("IRIS")
		u.files[name], u.enabled[name], u.active[name] = unit.Marker+"[Service]\n", true, true
		return d, u, kind.Instance{Name: "IRIS"}
	}}}
}

func tlsCases() []undoCase {
	file := func(name string) kind.SecretFile {
		s := sha256.Sum256([]byte(undoSecrets[name]))
		return kind.SecretFile{Secret: name, SHA256: hex.EncodeToString(s[:])}
	}
	args := kind.TLS{Dir: "/etc/tls/mirror", Owner: "root", Group: "daemon", CA: file("ca"), Certificate: file("certificate"), Key: file("key")}
	return []undoCase{
		{kind.TLSInstall, "bare", func(t *testing.T) (Deps, *fakeUnits, any) {
			d, u := rootDir(t, bareNode())
			return d, u, args
		}},
		{kind.TLSInstall, "other certificates there", func(t *testing.T) (Deps, *fakeUnits, any) {
			d, u := rootDir(t, bareNode())
			mustMkdir(t, d.path(args.Dir))
			for _, f := range tlsFiles(args) {
				mustWrite(t, d.path(args.Dir+"/"+f.name), "another", 0o600)
			}
			return d, u, args
		}},
	}
}

func agentCases() []undoCase {
	agent := func(node, conf string, enabled, active bool) undoCase {
		return undoCase{kind.AgentRun, node, func(t *testing.T) (Deps, *fakeUnits, any) {
			files := map[string]string{"etc/systemd/system/" + agentService: "[Service]\n"}
			if conf != "" {
				files[strings.TrimPrefix(agentConf, "/")] = conf
			}
			d, u := rootDir(t, files)
			u.enabled[agentService], u.active[agentService] = enabled, active
			return d, u, kind.AgentService{Port: listening(t)}
		}}
	}
	return []undoCase{
		agent("never run", "", false, false),
		agent("running on another port", "application_server.port=2190\nother=1\n", true, true),
		agent("enabled and stopped", "", true, false),
	}
}

func gatewayCases() []undoCase {
	gateway := func(ini string) func(t *testing.T) (Deps, *fakeUnits, any) {
		return func(t *testing.T) (Deps, *fakeUnits, any) {
			files := bareNode()
			maps.Copy(files, map[string]string{
				"etc/apache2/apache2.conf": "Listen 80\n", "usr/sbin/apache2": "", "opt/webgateway/bin/CSPa24.so": ""})
			d, u := rootDir(t, files)
			mustWrite(t, d.path("/opt/webgateway/bin/CSP.ini"), ini, 0o640)
			return d, u, kind.GatewayConfig{PasswordSecret: "key", Servers: []kind.GatewayServer{{Name: "DM", Address: "10.0.0.1", Port: 1972}},
				Paths: []kind.GatewayPath{{Path: "/csp/acme", Servers: []string{"DM"}}}}
		}
	}
	// RELOAD is a request to a gateway that runs, which takes it out; none does.
	return []undoCase{
		{kind.GatewayConfigure, "as its kit left it", gateway("[SYSTEM]\nSystem_Manager=127.0.0.1\nRELOAD=1\n")},
		{kind.GatewayConfigure, "with servers of somebody's own", gateway("[SYSTEM_INDEX]\nTHEIRS=Enabled\n[THEIRS]\nIp_Address=10.9.9.9\nTCP_Port=1972\n[SYSTEM]\nRELOAD=1\n")},
		{kind.GatewayCheck, "page there", func(t *testing.T) (Deps, *fakeUnits, any) {
			d, u := rootDir(t, bareNode())
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("a page")) }))
			t.Cleanup(server.Close)
			return d, u, kind.GatewayPage{Port: server.Listener.Addr().(*net.TCPAddr).Port, Path: "/csp/acme", Seconds: 10}
		}},
	}
}

var undoSecrets = map[string]string{"ca": "CA text", "certificate": "certificate text", "key": "key text"}

func TestNodesAreAsTheyWereAfterDoAndUndo(t *testing.T) {
	needRoot(t)
	for _, c := range undoCases() {
		t.Run(c.kind+"/"+c.node, func(t *testing.T) {
			d, u, args := c.make(t)
			mustMkdir(t, d.Home)
			k := Kinds(d)[c.kind]
			before := dirNode(t, d, u)
			task := enginetest.NewEnv(undoSecrets).Task(t, c.kind, args)
			tellsBeforeAndAfter(t, k, task)
			twice(t, k.Do, task)
			if same := len(notTheSame(t, before, dirNode(t, d, u), never)) == 0; same && !slices.Contains(changesNothing, c.kind) {
				t.Error("it did nothing")
			}
			undo := k.Undo
			if undo == nil {
				undo = func(context.Context, *engine.Task) error { return nil }
			}
			twice(t, undo, task)
			for _, diff := range notTheSame(t, before, dirNode(t, d, u), leavings(d)) {
				t.Errorf("undone, it is not what it was: %s", diff)
			}
			// A change that came too late finds nothing to do, and its undo nothing to
			// undo: what another change did stays. What the agent keeps for the undo of
			// the last change is its own.
			first := enginetest.NewEnv(undoSecrets).Task(t, c.kind, args)
			twice(t, k.Do, first)
			between := dirNode(t, d, u)
			second := enginetest.NewEnv(undoSecrets).Task(t, c.kind, args)
			second.ID = "2"
			twice(t, k.Do, second)
			twice(t, undo, second)
			for _, diff := range notTheSame(t, between, dirNode(t, d, u), below(d.Home)) {
				t.Errorf("the undo of a task that found its work done took away another's: %s", diff)
			}
		})
	}
}

// tellsBeforeAndAfter returns what a plan would say of a task: of everything that
// changes, what it is and what it becomes. A satisfied task says nothing.
func tellsBeforeAndAfter(t *testing.T, k engine.Kind, task *engine.Task) map[string]wire.Diff {
	t.Helper()
	look, err := k.Look(t.Context(), task)
	if err != nil {
		t.Fatal(err)
	}
	if !look.Satisfied && len(look.Diffs) == 0 {
		t.Errorf("the plan does not say what %s changes", task.Kind)
	}
	out := map[string]wire.Diff{}
	for _, d := range look.Diffs {
		if d.What == "" || d.After == "" || d.Before == d.After {
			t.Errorf("the plan does not say what %s changes: %+v", task.Kind, d)
		}
		out[d.What] = d
	}
	return out
}

// TestAPlanTellsEverySubjectBeforeAndAfter is of files, kernel settings, accounts
// and directories; units and keys of the CPF are in the scratch root, volumes
// beside their devices.
func TestAPlanTellsEverySubjectBeforeAndAfter(t *testing.T) {
	needRoot(t)
	told := map[string]wire.Diff{}
	for _, c := range undoCases() {
		if c.kind == kind.SSHHarden || c.node != "bare" && c.node != "settings of its own" {
			continue
		}
		d, _, args := c.make(t)
		mustMkdir(t, d.Home)
		maps.Copy(told, tellsBeforeAndAfter(t, Kinds(d)[c.kind], enginetest.NewEnv(undoSecrets).Task(t, c.kind, args)))
	}
	for _, want := range []wire.Diff{
		{What: sysctlFile, Before: "other settings", After: "kernel.sem = 250 32000 100 128; vm.swappiness = 5"},
		{What: "vm.swappiness", Before: "60", After: "5"},
		{What: "transparent huge pages", Before: "madvise", After: "never"},
		{What: "account irisowner", After: "made, uid 51773, group irisowner"},
		{What: "group irisusr", After: "made"},
		{What: "/irissys/data", After: "irisowner:irisusr 0775"},
		{What: "/etc/tls/mirror/PrivateKeyFile.pem", Before: "not there", After: "from TLSKeyDir"},
	} {
		if told[want.What] != want {
			t.Errorf("the plan says %+v, want %+v", told[want.What], want)
		}
	}
}

// twice runs f as a crash would have it run.
func twice(t *testing.T, f func(context.Context, *engine.Task) error, task *engine.Task) {
	t.Helper()
	for range 2 {
		if err := f(t.Context(), task); err != nil {
			t.Fatalf("%s: %v", task.Kind, err)
		}
	}
}

func never(string) bool { return false }

func below(dir string) func(string) bool {
	return func(name string) bool { return strings.HasPrefix(name, dir+"/") }
}

// leavings are what an undo leaves and nobody minds: the agent's own empty
// directories, and the copies that useradd makes of the files it changes.
func leavings(d Deps) func(string) bool {
	return func(name string) bool {
		switch name {
		case d.path("/etc/passwd-"), d.path("/etc/group-"), d.path("/etc/shadow-"), d.path("/etc/gshadow-"):
			return true
		case d.home("install.lock"): // whoever installs locks it, and it stays
			return true
		}
		entries, err := os.ReadDir(name)
		return strings.HasPrefix(name, d.Home) && err == nil && len(entries) == 0
	}
}

// TestEveryReversibleKindIsDoneAndUndoneInATest is what makes a new kind need a
// case.
func TestEveryReversibleKindIsDoneAndUndoneInATest(t *testing.T) {
	tried := slices.Clone(undoneInScratch)
	for _, c := range undoCases() {
		tried = append(tried, c.kind)
	}
	for name, info := range kind.Table {
		if info.Reversibility == kind.Reversible && !slices.Contains(tried, name) {
			t.Errorf("%s is called reversible, and no test does and undoes it: add it to undoCases, or to the steps of TestInstancesAreAsTheyWereAfterDoAndUndo", name)
		}
	}
}

func mustWrite(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := writeFile(path, text, mode); err != nil {
		t.Fatal(err)
	}
}
