package terraform

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/hashicorp/terraform-exec/tfexec"

	"icm/plugins/provider"
)

// Versions of terraform and OpenTofu that work: from the first, and before the
// second.
const (
	oldestVersion = "1.5.0"
	tooNew        = "2.0.0"
)

// find returns the path of the terraform to use.
func find(d *Deployment) (string, error) {
	if path := d.Global.Get("TerraformPath"); path != "" {
		return checkProgram(path)
	}
	for _, name := range []string{"terraform", "tofu"} {
		if path, err := exec.LookPath(name); err == nil {
			return filepath.Abs(path)
		}
	}
	return "", &provider.Error{
		Message: "cannot find terraform: neither terraform nor tofu is on the PATH",
		Hint:    fmt.Sprintf("install Terraform or OpenTofu, %s or later, on this machine, or name the program with TerraformPath", oldestVersion),
		Kind:    provider.KindRefused,
	}
}

func checkProgram(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(path)
	if err == nil && (info.IsDir() || info.Mode()&0o111 == 0) {
		err = errors.New("it is no program")
	}
	if err != nil {
		return "", &provider.Error{
			Message: fmt.Sprintf("cannot use TerraformPath %s: %v", path, rootCause(err)),
			Hint:    "TerraformPath names the program terraform, or tofu, itself",
			Kind:    provider.KindRefused,
		}
	}
	return path, nil
}

// checkVersion asks the program which version it is.
func checkVersion(ctx context.Context, dir, path string) error {
	tf, err := tfexec.NewTerraform(dir, path)
	if err != nil {
		return err
	}
	if err := tf.SetEnv(map[string]string{"HOME": os.Getenv("HOME"), "PATH": os.Getenv("PATH"), "CHECKPOINT_DISABLE": "1"}); err != nil {
		return err
	}
	v, _, err := tf.Version(ctx, true)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return &provider.Error{Message: fmt.Sprintf("cannot use %s: it does not say its version: %s", path, firstLine(err.Error())), Kind: provider.KindRefused,
			Hint: "TerraformPath names the program terraform, or tofu, itself"}
	}
	return versionFits(path, v.String())
}

func versionFits(path, version string) error {
	if !older(version, oldestVersion) && older(version, tooNew) {
		return nil
	}
	return &provider.Error{
		Message: fmt.Sprintf("cannot use %s: it is version %s, and icm works with %s and later, before %s", path, version, oldestVersion, tooNew),
		Hint:    "install another version of Terraform or OpenTofu, or name one with TerraformPath",
		Kind:    provider.KindRefused,
	}
}

// older compares versions by their numbers; what follows a dash does not count.
func older(a, b string) bool {
	for i := range 3 {
		x, y := numberAt(a, i), numberAt(b, i)
		if x != y {
			return x < y
		}
	}
	return false
}

func numberAt(version string, i int) int {
	version, _, _ = strings.Cut(version, "-")
	parts := strings.Split(version, ".")
	if i >= len(parts) {
		return 0
	}
	n, err := strconv.Atoi(parts[i])
	if err != nil {
		return 0
	}
	return n
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}

func rootCause(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}
