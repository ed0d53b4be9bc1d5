package tasks

import (
	"context"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"icm/agent/engine/enginetest"
	"icm/agent/host"
	"icm/internal/kind"
)

// rootDir is a node's root that has these files, path → text.
func rootDir(t *testing.T, files map[string]string) (Deps, *fakeUnits) {
	t.Helper()
	root := t.TempDir()
	for path, text := range files {
		if err := writeFile(filepath.Join(root, path), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	u := newFakeUnits(t)
	return Deps{Root: root, Home: filepath.Join(root, "var/lib/icm-agent"), Units: u}.withDefaults(), u
}

// snapshot is every file below a directory with its mode and text.
func snapshot(t *testing.T, root string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.Type().IsRegular() {
			data, err := os.ReadFile(path)
			all[strings.TrimPrefix(path, root)] = string(data)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

const someSysctl = "60\n"

func kernelRoot(t *testing.T) (Deps, *fakeUnits) {
	return rootDir(t, map[string]string{
		"proc/sys/vm/swappiness":                      someSysctl,
		"proc/sys/kernel/sem":                         "32000\t1024000000\t500\t32000\n",
		"sys/kernel/mm/transparent_hugepage/enabled":  "always [madvise] never\n",
		"etc/sysctl.d/90-icm.conf":                    "vm.swappiness = 42\n",
		"etc/systemd/logind.conf.d/50-elsewhere.conf": "[Login]\n",
	})
}

func TestKernelSettingsHoldNowAndAfterABootAndCanBeTakenBack(t *testing.T) {
	d, u := kernelRoot(t)
	u.active[logindUnit] = true
	args := kind.Kernel{Sysctl: map[string]string{"vm.swappiness": "5", "kernel.sem": "32000 1024000000 500 32000"}, THP: "never", RemoveIPC: "no", MemlockUser: "irisowner"}
	before := snapshot(t, d.Root)
	k := kernelSet(d)
	task := enginetest.NewTask(t, kind.KernelSet, args)

	l, err := k.Look(context.Background(), task)
	if err != nil || l.Satisfied {
		t.Fatalf("look = %+v, %v", l, err)
	}
	found := false
	for _, diff := range l.Diffs {
		found = found || diff.What == "vm.swappiness" && diff.Before == "60" && diff.After == "5"
		if diff.What == "kernel.sem" {
			t.Errorf("a setting that differs in white space only is to be changed: %+v", diff)
		}
	}
	if !found {
		t.Errorf("the look does not say what happens to vm.swappiness: %+v", l.Diffs)
	}
	for range 2 { // the second is a rerun after a crash
		if err := k.Do(context.Background(), task); err != nil {
			t.Fatal(err)
		}
	}
	after := snapshot(t, d.Root)
	for path, want := range map[string]string{
		"/proc/sys/vm/swappiness":                     "5",
		"/sys/kernel/mm/transparent_hugepage/enabled": "never",
		sysctlFile: "vm.swappiness = 5",
		thpFile:    "w " + thpKnob + " - - - - never",
		limitsFile: "irisowner - memlock unlimited",
		logindFile: "RemoveIPC=no",
	} {
		if !strings.Contains(after[path], want) {
			t.Errorf("%s says %q, want %q", path, after[path], want)
		}
	}
	if len(u.calls) == 0 || u.calls[len(u.calls)-1] != "reload "+logindUnit {
		t.Errorf("logind was not told: %v", u.calls)
	}
	if err := k.Undo(context.Background(), task); err != nil {
		t.Fatal(err)
	}
	back := snapshot(t, d.Root)
	// The real file would show the choice in brackets again.
	delete(back, "/sys/kernel/mm/transparent_hugepage/enabled")
	delete(before, "/sys/kernel/mm/transparent_hugepage/enabled")
	for path := range back {
		if strings.TrimSpace(back[path]) != strings.TrimSpace(before[path]) {
			t.Errorf("undo leaves %s as %q, it was %q", path, back[path], before[path])
		}
	}
	for dir, want := range map[string]bool{filepath.Dir(logindFile): true, filepath.Dir(sysctlFile): true, filepath.Dir(limitsFile): false, filepath.Dir(thpFile): false} {
		if exists(d.path(dir)) != want {
			t.Errorf("after the undo %s is there: %v", dir, !want)
		}
	}
}

func TestWhatASharedKernelDoesNotAllowIsLoggedAndNoFailure(t *testing.T) {
	d, _ := rootDir(t, nil)
	env := enginetest.NewEnv(nil)
	task := env.Task(t, kind.KernelSet, kind.Kernel{Sysctl: map[string]string{"vm.swappiness": "5"}})
	if err := kernelSet(d).Do(context.Background(), task); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Join(env.Lines(), "\n"); !strings.Contains(lines, "vm.swappiness cannot be set here") {
		t.Errorf("the log says %q", lines)
	}
	if l, err := kernelSet(d).Look(context.Background(), task); err != nil || !l.Satisfied {
		t.Errorf("look = %+v, %v: it would be tried for ever", l, err)
	}
}

func TestAKernelSettingThatIsNoneIsRefused(t *testing.T) {
	d, _ := kernelRoot(t)
	for _, args := range []kind.Kernel{
		{Sysctl: map[string]string{"../../etc/passwd": "x"}},
		{Sysctl: map[string]string{"vm.swappiness": "5\nkernel.core_pattern = |/x"}},
		{THP: "sometimes"}, {RemoveIPC: "maybe"}, {MemlockUser: "a b"},
	} {
		if err := kernelSet(d).Do(context.Background(), enginetest.NewTask(t, kind.KernelSet, args)); err == nil {
			t.Errorf("%+v was accepted", args)
		}
	}
}

const passwd = "root:x:0:0::/root:/bin/sh\nirisowner:x:1234:1234::/:/bin/bash\n"
const groups = "root:x:0:\nirisusr:x:4321:\n"

func TestADirectoryGetsItsOwnerAndModeAndUndoGivesThemBack(t *testing.T) {
	needRoot(t)
	for _, there := range []bool{true, false} {
		d, _ := rootDir(t, map[string]string{"etc/passwd": passwd, "etc/group": groups})
		if there {
			mustMkdir(t, d.path("/irissys/data/kept"))
		}
		args := kind.Dir{Path: "/irissys/data", Owner: "irisowner", Group: "irisusr", Mode: 0o775}
		task := enginetest.NewTask(t, kind.DirEnsure, args)
		k := dirEnsure(d)
		if l, err := k.Look(context.Background(), task); err != nil || l.Satisfied || len(l.Diffs) != 1 {
			t.Fatalf("look = %+v, %v", l, err)
		}
		for range 2 {
			if err := k.Do(context.Background(), task); err != nil {
				t.Fatal(err)
			}
		}
		info, err := os.Stat(d.path(args.Path))
		if err != nil {
			t.Fatal(err)
		}
		if uid, gid := owner(info); uid != 1234 || gid != 4321 || info.Mode().Perm() != 0o775 {
			t.Errorf("it belongs to %d:%d with %v", uid, gid, info.Mode())
		}
		if l, err := k.Look(context.Background(), task); err != nil || !l.Satisfied {
			t.Errorf("look = %+v, %v", l, err)
		}
		if err := k.Undo(context.Background(), task); err != nil {
			t.Fatal(err)
		}
		if there {
			info, err := os.Stat(d.path(args.Path))
			if err != nil || info.Mode().Perm() != 0o755 || !exists(d.path("/irissys/data/kept")) {
				t.Errorf("undo leaves %v, %v", info, err)
			}
		} else if exists(d.path("/irissys")) {
			t.Error("undo leaves directories that were made")
		}
	}
}

func TestADirectoryIsNeverMadeWritableForEverybody(t *testing.T) {
	d, _ := rootDir(t, map[string]string{"etc/passwd": passwd, "etc/group": groups})
	for _, mode := range []uint32{0o777, 0o777 | 0o1000, 0o702, 0} {
		task := enginetest.NewTask(t, kind.DirEnsure, kind.Dir{Path: "/x", Owner: "irisowner", Group: "irisusr", Mode: mode})
		if err := dirEnsure(d).Do(context.Background(), task); err == nil || exists(d.path("/x")) {
			t.Errorf("mode %#o was accepted", mode)
		}
	}
}

func TestARerunRemembersAccountsThatWereMadeBeforeTheAgentWasKilled(t *testing.T) {
	needRoot(t)
	d, _ := rootDir(t, map[string]string{"etc/passwd": "root:x:0:0::/root:/bin/sh\n", "etc/group": "root:x:0:\n", "etc/shadow": "root:*:::::::\n", "etc/gshadow": "root:*::\n", "var/lib/icm-agent/x": ""})
	env := enginetest.NewEnv(nil)
	task := env.Task(t, kind.AccountEnsure, kind.Account{Owner: "irisowner", OwnerGroup: "irisowner", User: "irisusr", Group: "irisusr"})
	killed := accountsMade{Users: []string{"irisowner", "irisusr"}, Groups: []string{"irisusr", "irisowner"}}
	if err := task.Note("made", killed); err != nil {
		t.Fatal(err)
	}
	if _, err := host.AddGroup(d.Root, "irisusr").Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := accountEnsure(d).Do(context.Background(), task); err != nil {
			t.Fatal(err)
		}
		text, _, err := readFile(d.home(AccountsFile))
		if want := "group irisusr\ngroup irisowner\nuser irisowner\nuser irisusr\n"; err != nil || text != want {
			t.Errorf("it remembers %q, %v, want %q", text, err, want)
		}
	}
}

// useradd writes one file after the other: a power cut between them leaves an
// account that is nowhere but in the first.
func TestAnAccountThatIsHalfMadeIsMadeWhole(t *testing.T) {
	needRoot(t)
	bare := map[string]string{"etc/passwd": "root:x:0:0::/root:/bin/sh\n", "etc/group": "root:x:0:\n", "etc/shadow": "root:*:::::::\n", "etc/gshadow": "root:*::\n",
		"etc/login.defs": "SYS_UID_MIN 100\nSYS_UID_MAX 999\nSYS_GID_MIN 100\nSYS_GID_MAX 999\n", "var/lib/icm-agent/x": ""}
	d, _ := rootDir(t, bare)
	env := enginetest.NewEnv(nil)
	task := env.Task(t, kind.AccountEnsure, kind.Account{Owner: "irisowner", OwnerUID: 51773, OwnerGroup: "irisowner", User: "irisusr", Group: "irisusr"})
	do := func() map[string]string {
		if err := accountEnsure(d).Do(context.Background(), task); err != nil {
			t.Fatal(err)
		}
		out := map[string]string{}
		for _, name := range []string{"passwd", "group", "shadow", "gshadow"} {
			text, _, err := readFile(d.path("/etc/" + name))
			if err != nil {
				t.Fatal(err)
			}
			out[name] = strings.Join(slices.Sorted(strings.Lines(text)), "")
		}
		return out
	}
	whole := do()
	for _, lost := range [][]string{{"shadow", "group", "gshadow"}, {"group", "gshadow"}, {"gshadow"}} {
		for _, name := range lost {
			if err := writeFile(d.path("/etc/"+name), bare["etc/"+name], 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if slices.Contains(lost, "group") { // the accounts come after their groups
			for _, g := range []string{"irisusr", "irisowner"} {
				if _, err := host.AddGroup(d.Root, g).Run(context.Background()); err != nil {
					t.Fatal(err)
				}
			}
		} else if err := writeFile(d.path("/etc/passwd"), bare["etc/passwd"], 0o644); err != nil {
			t.Fatal(err)
		}
		if got := do(); !maps.Equal(got, whole) {
			t.Errorf("without %v it makes\n%v, want\n%v", lost, got, whole)
		}
	}
}

func TestAccountsAreMadeWhereMissingAndOnlyThoseAreDeleted(t *testing.T) {
	needRoot(t)
	rows := []struct {
		name, passwd, group string
		uid                 uint32
		left                []string
	}{
		{"nothing there", "root:x:0:0::/root:/bin/sh\n", "root:x:0:\n", 51773, []string{"root"}},
		{"uid taken", "root:x:0:0::/root:/bin/sh\nx:x:51773:0::/:/bin/sh\n", "root:x:0:\n", 0, []string{"root", "x"}},
		{"owner there", "root:x:0:0::/root:/bin/sh\nirisowner:x:99:0::/home/o:/bin/zsh\n", "root:x:0:\n", 99, []string{"root", "irisowner"}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			d, _ := rootDir(t, map[string]string{"etc/passwd": row.passwd, "etc/group": row.group, "etc/shadow": "root:*:::::::\n", "etc/gshadow": "root:*::\n", "etc/login.defs": "SYS_UID_MIN 100\nSYS_UID_MAX 999\nSYS_GID_MIN 100\nSYS_GID_MAX 999\n", "var/lib/icm-agent/x": ""})
			args := kind.Account{Owner: "irisowner", OwnerUID: 51773, OwnerGroup: "irisowner", User: "irisusr", Group: "irisusr"}
			task := enginetest.NewTask(t, kind.AccountEnsure, args)
			k := accountEnsure(d)
			if l, err := k.Look(context.Background(), task); err != nil || l.Satisfied {
				t.Fatalf("look = %+v, %v", l, err)
			}
			for range 2 {
				if err := k.Do(context.Background(), task); err != nil {
					t.Fatal(err)
				}
			}
			a, found, err := host.FindAccount(d.Root, "irisowner")
			if err != nil || !found || row.uid != 0 && a.UID != row.uid || a.UID == 0 {
				t.Errorf("owner is %+v, %v", a, err)
			}
			if row.name == "owner there" && a.Shell != "/bin/zsh" {
				t.Errorf("an account that was there was changed: %+v", a)
			}
			shadow, _, err := readFile(d.path("/etc/shadow"))
			if err != nil || !strings.Contains(shadow, "irisusr:!") {
				t.Errorf("the password is not locked: %q, %v", shadow, err)
			}
			for range 2 {
				if err := k.Undo(context.Background(), task); err != nil {
					t.Fatal(err)
				}
			}
			all, err := host.Accounts(d.Root)
			var names []string
			for _, a := range all {
				names = append(names, a.Name)
			}
			if err != nil || strings.Join(names, " ") != strings.Join(row.left, " ") {
				t.Errorf("undo leaves %v, want %v (%v)", names, row.left, err)
			}
		})
	}
}
