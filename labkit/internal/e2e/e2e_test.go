// Package e2e installs the built kits into a private copy of this machine.
package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// kits builds all kits, once for all tests.
var kits = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "standin-kits")
	if err != nil {
		return "", err
	}
	out, err := exec.Command("go", "run", "icm/labkit/cmd/mkkits", "-o", dir).CombinedOutput()
	if err != nil {
		return "", &buildError{err, out}
	}
	return dir, nil
})

type buildError struct {
	err error
	out []byte
}

func (e *buildError) Error() string { return e.err.Error() + "\n" + string(e.out) }

func TestMain(m *testing.M) {
	status := m.Run()
	if dir, err := kits(); err == nil {
		os.RemoveAll(dir)
	}
	os.Exit(status)
}

// inside runs a script in a private root, network and process namespace.
func inside(t *testing.T, script string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, for mount and network namespaces")
	}
	dir, err := kits()
	if err != nil {
		t.Fatalf("cannot build kits: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	outside, _ := filepath.Abs("testdata/outside.sh")
	path, _ := filepath.Abs("testdata/" + script)
	common, _ := filepath.Abs("testdata/common.sh")
	cmd := exec.CommandContext(ctx, "unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "sh", outside, t.TempDir(), dir, path, common)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

func TestKitsInstallStartKeepDataAndUpgrade(t *testing.T) { inside(t, "inside.sh") }

func TestAPageComesThroughApacheFromTheRightServer(t *testing.T) {
	if _, err := exec.LookPath("apxs"); err != nil {
		t.Skip("needs apache2-dev and apache2-bin, which scripts/deps installs")
	}
	inside(t, "gateway.sh")
}
