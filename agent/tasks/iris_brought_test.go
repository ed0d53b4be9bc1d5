package tasks

import (
	"context"
	"slices"
	"strings"
	"testing"

	"icm/agent/engine/enginetest"
	"icm/agent/host"
	"icm/agent/iris"
	"icm/internal/kind"
)

// withKit is a node on which a kit has put what all instances share; list is
// what `iris qlist` prints.
func withKit(t *testing.T, list string) (Deps, *fakeUnits) {
	t.Helper()
	d, u := rootDir(t, map[string]string{
		"etc/passwd": "root:x:0:0::/root:/bin/sh\niscagent:x:991:991::/:/sbin/nologin\n",
		"etc/group":  "root:x:0:\niscagent:x:991:\n", "etc/shadow": "root:*:::::::\niscagent:!:::::::\n", "etc/gshadow": "root:*::\niscagent:!::\n",
		"etc/init.d/ISCAgent": "#!/bin/sh\n", "etc/iscagent/iscagent.conf": "", "etc/systemd/system/ISCAgent.service": "[Unit]\n",
		"usr/local/etc/irissys/iris.reg": "", "list": list, "etc/init.d/other": "",
	})
	must(t, writeFile(d.path("/usr/bin/iris"), "#!/bin/sh\ncat "+d.path("/list")+"\n", 0o755))
	u.active[agentService], u.enabled[agentService] = true, true
	return d, u
}

// everything is what a kit brings to a node that has nothing.
func everything() []string {
	return append(slices.Clone(sharedByKits), "/usr/local/etc", "account "+agentAccount)
}

func TestWhatIsMissingBeforeTheFirstInstallationIsWhatTheKitBrings(t *testing.T) {
	bare, _ := rootDir(t, map[string]string{"etc/passwd": "root:x:0:0::/root:/bin/sh\n"})
	got, err := bare.absent()
	slices.Sort(got)
	want := everything()
	slices.Sort(want)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("a bare node misses %v, %v; want %v", got, err, want)
	}
	full, _ := withKit(t, "")
	if got, err := full.absent(); err != nil || len(got) > 0 {
		t.Errorf("a node with an instance misses %v, %v", got, err)
	}
}

func TestWhatAKitBroughtGoesWithTheLastInstance(t *testing.T) {
	needRoot(t)
	const other = "OTHER^/usr/other^2023.1.0.235.1^down^iris.cpf^1972^52773^62972^ok^IRIS^^^/usr/other^\n"
	for _, row := range []struct {
		what    string
		list    string
		brought []string
		goes    bool
	}{
		{"the last instance goes, and the first came with icm", "", everything(), true},
		{"another instance is left", other, everything(), false},
		{"all of it was there before icm", "", nil, false},
	} {
		d, u := withKit(t, row.list)
		task := enginetest.NewTask(t, kind.IRISRemove, kind.Remove{})
		must(t, d.removeBrought(context.Background(), task, iris.Record{Name: "IRIS", Brought: row.brought}))
		for _, path := range append(slices.Clone(sharedByKits), "/usr/local/etc") {
			if exists(d.path(path)) == row.goes {
				t.Errorf("%s: %s is gone: %v", row.what, path, !row.goes)
			}
		}
		_, account, err := host.FindAccount(d.Root, agentAccount)
		_, group, errGroup := host.FindGroup(d.Root, agentAccount)
		if err != nil || errGroup != nil || account == row.goes || group == row.goes {
			t.Errorf("%s: the account is there: %v, its group: %v, %v, %v", row.what, account, group, err, errGroup)
		}
		if stopped := !u.active[agentService] && !u.enabled[agentService]; stopped != row.goes {
			t.Errorf("%s: the ISCAgent is stopped and disabled: %v", row.what, stopped)
		}
		if !exists(d.path("/etc/init.d/other")) {
			t.Errorf("%s: somebody else's file is gone", row.what)
		}
	}
}

func TestWhatWasThereBeforeStaysAlthoughTheRestGoes(t *testing.T) {
	d, u := withKit(t, "")
	task := enginetest.NewTask(t, kind.IRISRemove, kind.Remove{})
	must(t, d.removeBrought(context.Background(), task, iris.Record{Name: "IRIS", Brought: []string{"/usr/bin/iris", "/usr/local/etc/irissys"}}))
	for path, want := range map[string]bool{"/usr/bin/iris": false, "/usr/local/etc/irissys": false, "/usr/local/etc": true, "/etc/iscagent": true, "/etc/systemd/system/ISCAgent.service": true} {
		if exists(d.path(path)) != want {
			t.Errorf("%s is there: %v", path, !want)
		}
	}
	if calls := strings.Join(u.calls, " "); strings.Contains(calls, "stop") || strings.Contains(calls, "disable") {
		t.Errorf("an ISCAgent that is not the kit's was touched: %s", calls)
	}
}
