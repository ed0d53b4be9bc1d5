package server

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"icm/agent/engine"
	"icm/internal/wire"
)

// knock, when set, makes the test program be one who connects: it says hello at
// the socket that it names and prints what came of it.
const knock = "ICM_TEST_KNOCK"

func TestMain(m *testing.M) {
	path := os.Getenv(knock)
	if path == "" {
		os.Exit(m.Run())
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		_, _ = io.WriteString(os.Stdout, "no way: "+err.Error())
		return
	}
	if _, err := wire.NewClient(conn, "test"); err != nil {
		_, _ = io.WriteString(os.Stdout, "sent away")
		return
	}
	_, _ = io.WriteString(os.Stdout, "let in")
}

func TestOnlyRootAndMembersOfTheGroupComeIn(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("connecting as somebody else needs root")
	}
	const group, other, nobody = 54321, 54322, 65534
	dir, err := os.MkdirTemp("", "icm-peer-") // t.TempDir is closed to others
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	program := copyOfMe(t, dir)
	path := filepath.Join(dir, "sock")
	l, err := Listen(path, group)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	eng, err := engine.Open(t.TempDir(), nil, log)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- (&Server{Engine: eng, Log: log, Group: group}).Serve(ctx, l) }()
	for _, row := range []struct {
		who    string
		uid    uint32
		gid    uint32
		groups []uint32
		open   bool // the socket's mode lets everybody knock
		want   string
	}{
		{"root", 0, 0, nil, false, "let in"},
		{"a member by its first group", nobody, group, nil, false, "let in"},
		{"a member by another group", nobody, nobody, []uint32{other, group}, false, "let in"},
		{"a stranger", nobody, nobody, []uint32{other}, false, "no way: "},
		{"a stranger at a socket that somebody opened to all", nobody, nobody, []uint32{other}, true, "sent away"},
	} {
		mode := os.FileMode(0o660)
		if row.open {
			mode = 0o666
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(ctx, program)
		cmd.Env = []string{knock + "=" + path}
		cmd.Dir = "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: row.uid, Gid: row.gid, Groups: row.groups}}
		out, err := cmd.Output()
		if err != nil || !strings.HasPrefix(string(out), row.want) {
			t.Errorf("%s is %q, %v; want %q", row.who, out, err, row.want)
		}
	}
	stop()
	if err := errors.Join(<-ended, eng.Close()); err != nil {
		t.Error(err)
	}
}

// copyOfMe puts the test program where others may run it.
func copyOfMe(t *testing.T, dir string) string {
	t.Helper()
	data, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "knock")
	if err := errors.Join(os.WriteFile(path, data, 0o755), os.Chmod(path, 0o755), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTheGroupsAreThoseThatTheProcessHas(t *testing.T) {
	got, err := groupsOf(int32(os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.Getgroups()
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(want) {
		t.Errorf("the groups are %v, not %v", got, want)
	}
}
