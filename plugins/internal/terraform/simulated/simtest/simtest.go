// Package simtest gives tests the simulated clouds, and the real terraform.
package simtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"icm/plugins/internal/terraform/simulated"
)

// built is the providers' program, built once for a test program.
var built struct {
	sync.Once
	path string
	err  error
}

// Mirror makes a mirror with clouds of the test's own.
func Mirror(t testing.TB) simulated.Mirror {
	t.Helper()
	Terraform(t)
	built.Do(build)
	if built.err != nil {
		t.Fatal(built.err)
	}
	m, err := simulated.NewMirror(filepath.Join(t.TempDir(), "mirror"), built.path)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Close removes the program; TestMain calls it at the end.
func Close() {
	if built.path != "" {
		_ = os.RemoveAll(filepath.Dir(built.path))
	}
}

func build() {
	dir, err := os.MkdirTemp("", "icm-simulated-")
	if err != nil {
		built.err = err
		return
	}
	built.path = filepath.Join(dir, "terraform-provider-simulated")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", built.path, "icm/plugins/internal/terraform/simulated/cmd/terraform-provider-simulated")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		built.err = fmt.Errorf("cannot build the simulated providers: %w: %s", err, out)
	}
}

// Terraform is the path of terraform or tofu. A test that needs it fails
// without it, and says where to get one.
func Terraform(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"terraform", "tofu"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("this test runs the real Terraform, and neither terraform nor tofu is on the PATH: run `make deps`, which builds OpenTofu into build/tofu, and put that directory on the PATH")
	return ""
}
