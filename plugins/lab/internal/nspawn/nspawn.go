package nspawn

import (
	_ "embed" // launch.sh
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"icm/internal/atomicfile"
	"icm/plugins/lab/internal/command"
)

//go:embed launch.sh
var launchScript []byte

// propagation is where systemd-nspawn keeps a directory for each machine
// it started; it stays behind when the container is killed.
const propagation = "/run/systemd/nspawn/propagate"

// Container is one node as systemd-nspawn sees it.
type Container struct {
	Machine string // unique on this machine; also the name of the link
	Dir     string // of the node: the script and the console log are put there
	Root    Root
	Groups  []string // control group directories
	Bridge  string
	Link    string
	MAC     string
	Address string   // with prefix length
	Rate    []string // arguments of tc's tbf; empty for no limit
	Devices []Device
}

// Root is where the node's root file system comes from. With Lower, Dir is
// where the overlay is mounted; without, Dir holds the files.
type Root struct{ Dir, Lower, Upper, Work string }

// Device is a block device of this machine and its name in the node.
type Device struct{ Host, Inside string }

// args builds the command line of systemd-nspawn. A node may do what a machine
// may, run containers for one: all capabilities and system calls. The network
// namespace is the launcher's.
func (c Container) args() []string {
	args := []string{
		"--quiet", "--boot", "--register=no", "--keep-unit",
		"--machine=" + c.Machine,
		"--directory=" + c.Root.Dir,
		"--capability=all", "--system-call-filter=@keyring bpf",
		"--resolv-conf=off", "--timezone=off", "--link-journal=no",
		"--console=read-only",
	}
	for _, d := range c.Devices {
		args = append(args, "--bind="+d.Host+":"+d.Inside)
	}
	return args
}

// env builds the environment of launch.sh. /proc/sys/net is the node's own;
// the rest of /proc/sys is this machine's and stays read-only. The lab locks
// its directories itself.
func (c Container) env() []string {
	return append(command.BaseEnv(),
		"SYSTEMD_NSPAWN_API_VFS_WRITABLE=network",
		"SYSTEMD_NSPAWN_LOCK=0",
		"SYSTEMD_NSPAWN_TMPFS_TMP=0", // kits are unpacked there: disk, not memory
		"LAB_GROUPS="+strings.Join(c.Groups, " "),
		"LAB_ROOT="+c.Root.Dir, "LAB_LOWER="+c.Root.Lower, "LAB_UPPER="+c.Root.Upper, "LAB_WORK="+c.Root.Work,
		"LAB_BRIDGE="+c.Bridge, "LAB_LINK="+c.Link, "LAB_MAC="+c.MAC, "LAB_ADDRESS="+c.Address,
		"LAB_RATE="+strings.Join(c.Rate, " "),
	)
}

// ConsoleLog is the file with the console output of the last start; that of
// the start before has ".1" appended.
func (c Container) ConsoleLog() string { return filepath.Join(c.Dir, "console.log") }

// Start launches the node and does not wait for it. The launcher has a session
// of its own: it outlives the caller and its terminal, and holds the file
// power, and the lock on it, until it ends. ended is closed when the launcher
// ends while the caller still lives.
func (c Container) Start(power *os.File) (ended <-chan struct{}, err error) {
	script := filepath.Join(c.Dir, "launch.sh")
	if err := atomicfile.Write(script, launchScript, 0o700); err != nil {
		return nil, err
	}
	if err := os.Rename(c.ConsoleLog(), c.ConsoleLog()+".1"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	console, err := os.OpenFile(c.ConsoleLog(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer console.Close()
	argv, env := c.launch(script)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = env
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = console, console
	cmd.ExtraFiles = []*os.File{power}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("cannot start the node: %w", err)
	}
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait() // its status is in the console log
		close(done)
	}()
	return done, nil
}

func (c Container) launch(script string) (argv, env []string) {
	return append([]string{"sh", script}, c.args()...), c.env()
}

// CleanUp removes what systemd-nspawn leaves behind when it is killed.
func (c Container) CleanUp() error {
	err := syscall.Rmdir(filepath.Join(propagation, c.Machine))
	if err != nil && !errors.Is(err, syscall.ENOENT) {
		return fmt.Errorf("cannot remove a leftover of systemd-nspawn: %w", err)
	}
	return nil
}
