// Package e2e installs the built kits into a private copy of this machine.
package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

func TestKitsInstallStartKeepDataAndUpgrade(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, for mount and network namespaces")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	kits := t.TempDir()
	if out, err := exec.CommandContext(ctx, "go", "run", "icm/labkit/cmd/mkkits", "-o", kits).CombinedOutput(); err != nil {
		t.Fatalf("cannot build kits: %v\n%s", err, out)
	}
	outside, _ := filepath.Abs("testdata/outside.sh")
	inside, _ := filepath.Abs("testdata/inside.sh")
	cmd := exec.CommandContext(ctx, "unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "sh", outside, t.TempDir(), kits, inside)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}
