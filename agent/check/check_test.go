package check

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"icm/agent/host"
	"icm/agent/unit"
	"icm/internal/hint"
	"icm/internal/wire"
)

type fakeUnits struct{ err error }

func (u fakeUnits) Status(context.Context, string) (unit.Status, error) { return unit.Status{}, u.err }

// good is a node on which everything is well.
func good(t *testing.T) (string, Hooks) {
	t.Helper()
	root := t.TempDir()
	put(t, root, map[string]string{
		"etc/os-release": "ID=rhel\nVERSION_ID=8.6\nPRETTY_NAME=\"Red Hat 8.6\"\n",
		"proc/1/comm":    "systemd\n", "proc/meminfo": "MemTotal: 8388608 kB\n",
		"proc/net/tcp": "", "proc/swaps": "Filename\n/dev/sda2 partition\n",
		"proc/self/mountinfo":                        "20 1 8:1 / / rw - xfs /dev/sda1 rw\n",
		"etc/systemd/logind.conf":                    "[Login]\n#RemoveIPC=yes\nRemoveIPC=no\n",
		"sys/kernel/mm/transparent_hugepage/enabled": "always madvise [never]\n",
	})
	return root, Hooks{Root: root, Units: fakeUnits{}, Now: func() time.Time { return time.Unix(1000, 0) }}
}

func put(t *testing.T, root string, files map[string]string) {
	t.Helper()
	for path, text := range files {
		path = filepath.Join(root, path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o755)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAGoodNodePassesEverything(t *testing.T) {
	root, h := good(t)
	put(t, root, map[string]string{"usr/bin/tar": "", "etc/httpd/conf/httpd.conf": "", "usr/sbin/httpd": "", "usr/irissys/mgr/iris.key": "ExpirationDate=1970-01-01\n"})
	req := wire.CheckRequest{Now: time.Unix(1001, 0), Memory: 1 << 30, KitName: "IRIS-2023.1.0.235.1-lnxrh8x64.tar.gz", Commands: []string{"tar"},
		Space: []wire.SpaceNeed{{Path: "/irissys/data/not/there", Bytes: 1, For: "the kit"}}, Ports: []wire.PortNeed{{Port: 1972, For: "superserver"}}, AgentPort: 2188, Apache: true, InstallDir: "/usr/irissys"}
	reply := Run(context.Background(), req, h)
	if len(reply.Findings) < 15 {
		t.Errorf("only %d findings", len(reply.Findings))
	}
	for _, f := range reply.Findings {
		if f.Result != pass || f.Text == "" {
			t.Errorf("%+v", f)
		}
	}
}

func TestEachTroubleIsFoundByItsOwnCheckWithAHint(t *testing.T) {
	now := time.Unix(1000, 0)
	rows := []struct {
		check, result, says string
		files               map[string]string
		req                 wire.CheckRequest
	}{
		{"clock", warn, "3s behind", nil, wire.CheckRequest{Now: now.Add(3 * time.Second)}},
		{"clock", fail, "1m1s ahead of", nil, wire.CheckRequest{Now: now.Add(-61 * time.Second)}},
		{"systemd", fail, `"init"`, map[string]string{"proc/1/comm": "init\n"}, wire.CheckRequest{}},
		{"platform", warn, "lnxubuntu2204x64", nil, wire.CheckRequest{KitName: "IRIS-2023.1.0.235.1-lnxubuntu2204x64.tar.gz"}},
		{"platform", fail, "arm64", nil, wire.CheckRequest{KitName: "IRIS-2023.1.0.235.1-lnxrh8arm64.tar.gz"}},
		{"platform", warn, "does not say", nil, wire.CheckRequest{KitName: "kit.tar.gz"}},
		{"memory", fail, "8.0 GiB of memory, 16.0 GiB is needed", nil, wire.CheckRequest{Memory: 16 << 30}},
		{"space", fail, "the kit needs", nil, wire.CheckRequest{Space: []wire.SpaceNeed{{Path: "/x", Bytes: 1 << 60, For: "the kit"}}}},
		{"licence", fail, "/usr/irissys/mgr/iris.key expired on 1969-12-31", map[string]string{"usr/irissys/mgr/iris.key": "ExpirationDate=12/31/1969\n"}, wire.CheckRequest{InstallDir: "/usr/irissys"}},
		{"apache", fail, "no Apache", nil, wire.CheckRequest{Apache: true}},
		{"apache", fail, "no Apache", map[string]string{"etc/httpd/conf/httpd.conf": ""}, wire.CheckRequest{Apache: true}},
		{"command", fail, "missing: arping", nil, wire.CheckRequest{Commands: []string{"arping"}}},
		{"removeipc", warn, "RemoveIPC is on", map[string]string{"etc/systemd/logind.conf.d/x.conf": "RemoveIPC=yes\n"}, wire.CheckRequest{}},
		{"selinux", warn, "enforces", map[string]string{"sys/fs/selinux/enforce": "1"}, wire.CheckRequest{}},
		{"thp", warn, "stall", map[string]string{"sys/kernel/mm/transparent_hugepage/enabled": "[always] madvise never\n"}, wire.CheckRequest{}},
		{"swap", warn, "no swap", map[string]string{"proc/swaps": "Filename\n"}, wire.CheckRequest{}},
		{"tmp", warn, "noexec", map[string]string{"proc/self/mountinfo": "20 1 8:1 / / rw - xfs /dev/sda1 rw\n21 20 0:5 / /tmp rw,noexec - tmpfs tmpfs rw\n"}, wire.CheckRequest{}},
		{"nosuid", warn, "mounted nosuid", map[string]string{"proc/self/mountinfo": "20 1 8:1 / / rw,nosuid - xfs /dev/sda1 rw\n"}, wire.CheckRequest{Space: []wire.SpaceNeed{{Path: "/irissys"}}}},
	}
	for _, row := range rows {
		t.Run(row.check+" "+row.says, func(t *testing.T) {
			root, h := good(t)
			put(t, root, row.files)
			found := false
			for _, f := range Run(context.Background(), row.req, h).Findings {
				if f.Check == row.check && f.Result == row.result && strings.Contains(f.Text, row.says) {
					found = true
				} else if f.Result != pass {
					t.Errorf("also found: %+v", f)
				}
			}
			if !found {
				t.Errorf("not found: %s %s %q", row.check, row.result, row.says)
			}
		})
	}
}

func TestAPortIsFreeOurOwnOrTaken(t *testing.T) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	n := node{Hooks: Hooks{Root: "/"}, req: wire.CheckRequest{Instance: "IRIS", Ports: []wire.PortNeed{{Port: port, For: "superserver"}}}}
	if f := checkPorts(context.Background(), n); f[0].Result != fail || !strings.Contains(f[0].Text, "is taken by") {
		t.Errorf("somebody else's: %+v", f)
	}
	n.Owns = func(_ context.Context, instance string, pid int) bool {
		return instance == "IRIS" && pid == os.Getpid()
	}
	if f := checkPorts(context.Background(), n); f[0].Result != pass || !strings.Contains(f[0].Text, "IRIS itself") {
		t.Errorf("our own: %+v", f)
	}
	n.req.AgentPort = port
	if f := checkAgentPort(context.Background(), n); f[0].Result != fail || !strings.Contains(f[0].Text, "is taken by") {
		t.Errorf("somebody at the ISCAgent's port: %+v", f)
	}
	if f := checkReach(context.Background(), node{req: wire.CheckRequest{Reach: []string{l.Addr().String(), "127.0.0.1:1"}}}); f[0].Result != pass || f[1].Result != fail {
		t.Errorf("reach: %+v", f)
	}
}

func TestTheDocsListEveryCheck(t *testing.T) {
	data, err := os.ReadFile("../../docs/safety.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(data), "\n## Preflight checks\n")
	for _, c := range all() {
		if !strings.Contains(section, "| "+c.Name+" | "+c.Looks+" |") {
			t.Errorf("docs/safety.md does not say: %s looks at %s", c.Name, c.Looks)
		}
	}
	if rows := strings.Count(section, "\n| "); rows != len(all())+1 {
		t.Errorf("docs/safety.md lists %d checks, there are %d", rows-1, len(all()))
	}
}

func TestWhatIsNeededOnOneFileSystemAddsUp(t *testing.T) {
	root, h := good(t)
	free, err := host.FreeSpace(root)
	if err != nil {
		t.Fatal(err)
	}
	most := free * 2 / 3
	needs := []wire.SpaceNeed{{Path: "/var/kits", Bytes: most, For: "the kit"}, {Path: "/usr/irissys", Bytes: most, For: "the installation"}}
	for _, c := range []struct {
		needs  []wire.SpaceNeed
		result string
		says   string
	}{
		{needs[:1], pass, "/var/kits has"},
		{needs, fail, "the kit and the installation needs"},
	} {
		n := node{Hooks: h, req: wire.CheckRequest{Space: c.needs}}
		if f := checkSpace(t.Context(), n); len(f) != 1 || f[0].Result != c.result || !strings.Contains(f[0].Text, c.says) {
			t.Errorf("%+v, want one that says %s %q", f, c.result, c.says)
		}
	}
}

func TestAKitThatCannotBeHadFailsWithItsHint(t *testing.T) {
	_, h := good(t)
	no := hint.New(errors.New("cannot fetch the kit: there is no file /tmp/kit on the node"), "icm scp")
	h.Kit = func(context.Context, wire.CheckRequest) ([]wire.SpaceNeed, error) { return nil, no }
	req := wire.CheckRequest{KitURL: "file:///tmp/kit", KitName: "IRIS-2023.1.0.235.1-lnxrh8x64.tar.gz"}
	for _, f := range Run(t.Context(), req, h).Findings {
		if f.Check == "kit" && (f.Result != fail || f.Hint != "icm scp" || !strings.Contains(f.Text, "no file /tmp/kit")) {
			t.Errorf("%+v", f)
		}
	}
	h.Kit = func(context.Context, wire.CheckRequest) ([]wire.SpaceNeed, error) {
		return []wire.SpaceNeed{{Path: "/x", Bytes: 1 << 60, For: "the unpacked kit"}}, nil
	}
	found := failedText(Run(t.Context(), req, h))
	if !strings.Contains(found, "the unpacked kit needs") {
		t.Errorf("the space that the kit needs is not looked for: %q", found)
	}
}

// failedText joins what failed.
func failedText(r wire.CheckReply) string {
	var out []string
	for _, f := range r.Findings {
		if f.Result == fail {
			out = append(out, f.Text)
		}
	}
	return strings.Join(out, "\n")
}
