package tasks

import (
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// Where a scratch root has the stand-in kits, what its overlay has of its own,
// and this machine's root as it is.
const (
	scratchKits  = "/kits"
	scratchUpper = "/.upper"
	scratchLower = "/.lower"
)

// scratchScript makes a root that may be spoilt: this machine's, under an
// overlay in memory, in namespaces that take everything with them. The shell
// stays as process 1, so that instances that end are waited for.
const scratchScript = `set -e
mount --make-rprivate /
mount -t tmpfs scratch "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" scratch "$1/root"
mount -t proc proc "$1/root/proc"
mount --rbind /dev "$1/root/dev"
mount -t tmpfs run "$1/root/run"
mount -t tmpfs tmp "$1/root/tmp"
mkdir "$1/root/kits" "$1/root/.upper" "$1/root/.lower"
mount --bind "$1/upper" "$1/root/.upper"
mount --bind / "$1/root/.lower"
mount --bind "$2" "$1/root/kits"
cp "$3" "$1/root/scratch.test"
ip link set lo up
test="$4"
chroot "$1/root" /scratch.test -test.run "$test" -test.v -test.timeout 20m &
wait $!
`

var kitsDir string

var makeKits = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "icm-scratch-kits-")
	if err != nil {
		return "", err
	}
	kitsDir = dir
	out, err := exec.Command("go", "run", "icm/labkit/cmd/mkkits", "-o", dir).CombinedOutput()
	if err != nil {
		return dir, &exec.Error{Name: "mkkits: " + string(out), Err: err}
	}
	return dir, nil
})

// scratch runs the test in a scratch root, and returns true there. Outside it
// returns false after that run, whose failure is this one's.
func scratch(t *testing.T) bool {
	t.Helper()
	if os.Getenv("ICM_SCRATCH") == "1" {
		return true
	}
	needRoot(t)
	if testing.Short() {
		t.Skip("takes a minute: without -short")
	}
	kits, err := makeKits()
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", scratchScript, "sh", t.TempDir(), kits, self, "^"+strings.ReplaceAll(t.Name(), "/", "$/^")+"$")
	cmd.Env = append(os.Environ(), "ICM_SCRATCH=1", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWUTS}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("in the scratch root: %v\n%s", err, out)
	} else if testing.Verbose() {
		t.Logf("%s", out)
	}
	return false
}

func TestMain(m *testing.M) {
	code := m.Run()
	if kitsDir != "" {
		_ = os.RemoveAll(kitsDir)
	}
	os.Exit(code)
}
