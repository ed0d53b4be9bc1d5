package image

import (
	"archive/tar"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheRecipe(t *testing.T) {
	args := strings.Join(builderArgs("/target", "http://mirror.example/debian"), " ")
	for _, want := range []string{"--variant=minbase", "openssh-server", "xfsprogs", " bookworm /target http://mirror.example/debian"} {
		if !strings.Contains(args, want) {
			t.Errorf("mmdebstrap %s\nlacks %q", args, want)
		}
	}
}

func TestATarballBecomesAnImageOnce(t *testing.T) {
	dir := t.TempDir()
	tarball := writeTar(t, dir, "usr/lib/systemd/systemd", "usr/sbin/sshd", "usr/bin/sudo", "usr/sbin/useradd",
		"etc/ssh/ssh_host_rsa_key", "etc/machine-id", "etc/ssh/sshd_config")
	store := Store{filepath.Join(dir, "cache")}
	image, err := store.Ensure(t.Context(), Source{Tarball: tarball})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{
		"etc/ssh/sshd_config":                                           true,
		"etc/ssh/ssh_host_rsa_key":                                      false,
		"etc/machine-id":                                                false,
		"usr/lib/icm-lab/disks":                                         true,
		"etc/systemd/system/systemd-udevd.service":                      true,
		"etc/systemd/system/icm-lab-disks.service":                      true,
		"etc/systemd/system/sysinit.target.wants/icm-lab-disks.service": true,
	} {
		if _, err := os.Lstat(filepath.Join(image, name)); (err == nil) != want {
			t.Errorf("%s is there: %v, want %v", name, err == nil, want)
		}
	}
	mark := filepath.Join(image, "mark")
	if err := os.WriteFile(mark, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := store.Ensure(t.Context(), Source{Tarball: tarball})
	if err != nil || again != image {
		t.Fatalf("the second Ensure = %s, %v; want %s", again, err, image)
	}
	if _, err := os.Stat(mark); err != nil {
		t.Errorf("the image was made twice: %v", err)
	}
}

func TestATarballThatCannotBecomeANodeIsRefusedAndLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	store := Store{filepath.Join(dir, "cache")}
	_, err := store.Ensure(t.Context(), Source{Tarball: writeTar(t, dir, "usr/lib/systemd/systemd")})
	if err == nil || !strings.Contains(err.Error(), "in the image") {
		t.Fatalf("Ensure = %v, want it to say what is missing", err)
	}
	left, err := os.ReadDir(store.Dir)
	if err != nil || len(left) != 1 || left[0].Name() != ".lock" {
		t.Errorf("left behind: %v, %v; want only the lock", left, err)
	}
}

func TestAHalfMadeImageIsSweptAway(t *testing.T) {
	dir := t.TempDir()
	store := Store{dir}
	if err := os.MkdirAll(filepath.Join(dir, building+"123", "tree", "usr"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := store.sweep(); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestTheScriptsOfANodeAreShell(t *testing.T) {
	for _, name := range []string{"disks", "controlgroups"} {
		out, err := exec.Command("sh", "-n", filepath.Join("tree/usr/lib/icm-lab", name)).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v: %s", name, err, out)
		}
	}
}

func writeTar(t *testing.T, dir string, names ...string) string {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "image.tar"))
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(f)
	for _, name := range names {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}
