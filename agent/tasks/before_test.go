package tasks

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"strings"
	"testing"

	"icm/agent/engine"
	"icm/agent/engine/enginetest"
	"icm/internal/kind"
	"icm/internal/wire"
)

// inChange is a task of a change of its own, with notes of its own.
func inChange(t *testing.T, change, kindName string, args any, env engine.Env) *engine.Task {
	t.Helper()
	data, err := json.Marshal(args)
	if err != nil {
		t.Fatal(err)
	}
	return engine.NewTask(wire.Task{ID: "1", Kind: kindName, Args: data}, change, env)
}

// aNode is a root with accounts and kernel settings.
func aNode(t *testing.T) Deps {
	t.Helper()
	d, _ := rootDir(t, map[string]string{
		"proc/sys/vm/swappiness": "60\n", "proc/sys/vm/dirty_ratio": "20\n",
		"etc/sysctl.d/90-icm.conf": "vm.swappiness = 42\n",
		"etc/passwd":               "root:x:0:0::/root:/bin/sh\n", "etc/group": "root:x:0:\n",
		"etc/shadow": "root:*:::::::\n", "etc/gshadow": "root:*::\n",
		"home/u/.ssh/authorized_keys": "ssh-rsa AAAA theirs\n",
		"var/lib/icm-agent/x":         "",
	})
	return d
}

// ofOthers is a snapshot without the agent's own files and without what tools
// for accounts leave beside theirs.
func ofOthers(t *testing.T, d Deps) map[string]string {
	t.Helper()
	all := snapshot(t, d.Root)
	maps.DeleteFunc(all, func(path, _ string) bool {
		return strings.HasPrefix(path, "/var/lib/icm-agent/") || strings.HasSuffix(path, "-") || strings.HasSuffix(path, ".lock")
	})
	for path, text := range all {
		all[path] = strings.TrimSpace(text)
	}
	return all
}

func sameFiles(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	for path := range want {
		if got[path] != want[path] {
			t.Errorf("%s: %s is %q, it was %q", what, path, got[path], want[path])
		}
	}
	for path := range got {
		if _, ok := want[path]; !ok {
			t.Errorf("%s: %s was not there", what, path)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var account = kind.Account{Owner: "irisowner", OwnerGroup: "irisowner", User: "irisusr", Group: "irisusr"}

func swappiness(value string) kind.Kernel {
	return kind.Kernel{Sysctl: map[string]string{"vm.swappiness": value}, RemoveIPC: "no"}
}

// severalChanges is what icm did to the node over the years.
func severalChanges(t *testing.T, d Deps) {
	t.Helper()
	ctx := context.Background()
	table := Kinds(d)
	for change, k := range []kind.Kernel{swappiness("5"), swappiness("7"), {Sysctl: map[string]string{"vm.dirty_ratio": "10", "vm.swappiness": "7"}, MemlockUser: "irisowner"}} {
		must(t, table[kind.KernelSet].Do(ctx, inChange(t, string(rune('a'+change)), kind.KernelSet, k, enginetest.NewEnv(nil))))
	}
	for _, change := range []string{"a", "b"} { // the second finds them there
		must(t, table[kind.AccountEnsure].Do(ctx, inChange(t, change, kind.AccountEnsure, account, enginetest.NewEnv(nil))))
	}
}

var leaving = kind.Restore{Kinds: []string{kind.KernelSet, kind.AccountEnsure}}

func TestANodeIsAsItWasAfterSeveralChangesAndOneRestore(t *testing.T) {
	needRoot(t)
	d, ctx := aNode(t), context.Background()
	before := ofOthers(t, d)
	severalChanges(t, d)
	restore := Kinds(d)[kind.NodeRestore]
	task := enginetest.NewTask(t, kind.NodeRestore, leaving)
	if l, err := restore.Look(ctx, task); err != nil || l.Satisfied || len(l.Diffs) == 0 {
		t.Errorf("before it the look says %+v, %v", l, err)
	}
	for range 2 { // the second is a rerun
		must(t, restore.Do(ctx, task))
		sameFiles(t, "after the restore", ofOthers(t, d), before)
		if l, err := restore.Look(ctx, task); err != nil || !l.Satisfied {
			t.Errorf("after it the look says %+v, %v", l, err)
		}
	}
}

func TestARestoreThatFailsInTheMiddleGoesOnWhereItStopped(t *testing.T) {
	needRoot(t)
	d, ctx := aNode(t), context.Background()
	before := ofOthers(t, d)
	severalChanges(t, d)
	table := Kinds(d)
	undo := table[kind.KernelSet].Undo
	calls, luck := 0, errors.New("no luck")
	broken := maps.Clone(table)
	broken[kind.KernelSet] = engine.Kind{Undo: func(ctx context.Context, t *engine.Task) error {
		if calls++; calls == 2 {
			return luck
		}
		return undo(ctx, t)
	}}
	task := enginetest.NewTask(t, kind.NodeRestore, leaving)
	if err := d.doRestore(ctx, task, broken); !errors.Is(err, luck) {
		t.Fatalf("the restore says %v", err)
	}
	must(t, table[kind.NodeRestore].Do(ctx, task))
	sameFiles(t, "after both", ofOthers(t, d), before)
}

// TestAnUndoneChangeIsNotRestoredASecondTime: its own undo has brought back
// what was there, and perhaps somebody has changed that since.
func TestAnUndoneChangeIsNotRestoredASecondTime(t *testing.T) {
	d, ctx := aNode(t), context.Background()
	k := Kinds(d)[kind.KernelSet]
	task := inChange(t, "a", kind.KernelSet, swappiness("5"), enginetest.NewEnv(nil))
	must(t, k.Do(ctx, task))
	must(t, k.Undo(ctx, task))
	must(t, os.WriteFile(d.path("/proc/sys/vm/swappiness"), []byte("33\n"), 0o600))
	must(t, Kinds(d)[kind.NodeRestore].Do(ctx, enginetest.NewTask(t, kind.NodeRestore, leaving)))
	if got := d.current(setting{Path: "/proc/sys/vm/swappiness"}); got != "33" {
		t.Errorf("the restore set it to %s", got)
	}
}

// dying is an environment whose journal the agent does not reach any more.
type dying struct{ *enginetest.Env }

var errDied = errors.New("the agent died")

func (dying) Note(string, json.RawMessage) error { return errDied }

func TestADeathBetweenTheNoteAndTheJournalLosesNothing(t *testing.T) {
	d, ctx := aNode(t), context.Background()
	before := ofOthers(t, d)
	k := Kinds(d)[kind.KernelSet]
	if err := k.Do(ctx, inChange(t, "a", kind.KernelSet, swappiness("5"), dying{enginetest.NewEnv(nil)})); !errors.Is(err, errDied) {
		t.Fatalf("it says %v", err)
	}
	sameFiles(t, "nothing may happen that is not in the journal", ofOthers(t, d), before)
	must(t, k.Do(ctx, inChange(t, "a", kind.KernelSet, swappiness("5"), enginetest.NewEnv(nil)))) // run again
	if list, err := d.readBefore(kind.KernelSet); err != nil || len(list) != 1 {
		t.Errorf("the same task is remembered %d times, %v", len(list), err)
	}
	must(t, Kinds(d)[kind.NodeRestore].Do(ctx, enginetest.NewTask(t, kind.NodeRestore, leaving)))
	sameFiles(t, "after the restore", ofOthers(t, d), before)
}

func TestADamagedMemoryIsAnErrorAndNotAnEmptyOne(t *testing.T) {
	d := aNode(t)
	must(t, writeFile(d.beforeFile(kind.KernelSet), "{", 0o600))
	_, err := Kinds(d)[kind.NodeRestore].Look(context.Background(), enginetest.NewTask(t, kind.NodeRestore, leaving))
	if err == nil || !strings.Contains(err.Error(), "cannot read what was here before") {
		t.Errorf("the look says %v", err)
	}
}
