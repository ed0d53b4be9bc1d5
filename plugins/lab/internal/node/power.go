package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"icm/plugins/lab/internal/await"
	"icm/plugins/lab/internal/disk"
	"icm/plugins/lab/internal/network"
	"icm/plugins/lab/internal/nspawn"
)

// ErrRunning means that the node is switched on already.
var ErrRunning = errors.New("the node is running")

// powerLimit is how long a node may take to be dead.
const powerLimit = time.Minute

// takePower locks the file that stands for the node's power. The launcher
// inherits it, so that there is never a second one, not even in the moment
// when the first has not entered its control group yet.
func (n *Node) takePower() (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(n.Dir, "power.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = ErrRunning
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Running reports whether anything of the node runs.
func (n *Node) Running() bool {
	if pids, err := n.processes(); err != nil || len(pids) > 0 {
		return true
	}
	// A child that is just being started has our open files, and with them this
	// lock, until it becomes its program. To whoever switches the node on next
	// it would seem to run.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	f, err := n.takePower()
	if err != nil {
		return errors.Is(err, ErrRunning)
	}
	_ = f.Close()
	return false
}

func (n *Node) processes() ([]int, error) {
	group, err := n.group()
	if err != nil {
		return nil, err
	}
	return group.Processes()
}

// Leader is the id of the node's process 1 on this machine, 0 when there is
// none.
func (n *Node) Leader() int {
	pids, err := n.processes()
	if err != nil {
		return 0
	}
	return nspawn.Leader(pids)
}

// Frozen reports whether the node has been frozen.
func (n *Node) Frozen() bool {
	group, err := n.group()
	return err == nil && group.Frozen()
}

// start switches the node on. Its bridge must be up.
func (n *Node) start(ctx context.Context) (ended <-chan struct{}, err error) {
	power, err := n.takePower()
	if err != nil {
		return nil, err
	}
	defer power.Close() // the launcher has its own by now
	if err := n.write(n.volumeFiles()); err != nil {
		return nil, err
	}
	container, err := n.container(ctx)
	if err != nil {
		return nil, err
	}
	return container.Start(power)
}

// container describes the node to systemd-nspawn, and makes what it needs of
// this machine.
func (n *Node) container(ctx context.Context) (nspawn.Container, error) {
	var c nspawn.Container
	group, err := n.group()
	if err != nil {
		return c, err
	}
	if err := group.Create(); err != nil {
		return c, err
	}
	rate, err := network.ParseRate(n.Rate)
	if err != nil {
		return c, err
	}
	link := n.Subnet.Link(n.Number)
	c = nspawn.Container{
		Machine: link, Dir: n.Dir, Root: n.root(), Groups: group.Dirs(),
		Bridge: n.Subnet.Bridge(), Link: link, MAC: n.Subnet.MAC(n.Number), Address: n.Subnet.Node(n.Number).String(),
	}
	if rate > 0 {
		c.Rate = rate.TokenBucket()
	}
	for _, v := range n.Volumes {
		device, err := disk.Attach(ctx, n.image(v))
		if err != nil {
			return c, err
		}
		c.Devices = append(c.Devices, nspawn.Device{Host: device, Inside: "/dev/" + v.Device})
	}
	return c, nil
}

// PowerCut kills everything in the node at the same moment, as if its plug
// were pulled. A node that is off stays so.
func (n *Node) PowerCut(ctx context.Context) error {
	group, err := n.group()
	if err != nil {
		return err
	}
	return await.Until(ctx, "node "+n.Machine+" to be off", powerLimit, func() (bool, string, error) {
		if err := group.Kill(ctx); err != nil {
			return false, "", err
		}
		return !n.dirExists() || !n.Running(), "its launcher is alive", nil
	})
}

func (n *Node) dirExists() bool {
	_, err := os.Stat(n.Dir)
	return err == nil
}

// Freeze stops all processes of the node where they are, as a machine hangs.
func (n *Node) Freeze() error {
	group, err := n.group()
	if err != nil {
		return err
	}
	return group.Freeze()
}

// Thaw lets a frozen node go on.
func (n *Node) Thaw() error {
	group, err := n.group()
	if err != nil {
		return err
	}
	return group.Thaw()
}

// Shape limits the node's link until it is switched off. The rate of the
// definition holds again from the next start on.
func (n *Node) Shape(ctx context.Context, rate network.Rate) error {
	leader := n.Leader()
	if leader == 0 {
		return fmt.Errorf("node %s is not running", n.Machine)
	}
	return n.Subnet.Shape(ctx, n.Number, leader, rate)
}

func (n *Node) shape(ctx context.Context, leader int) error {
	rate, err := network.ParseRate(n.Rate)
	if err != nil {
		return err
	}
	return n.Subnet.Shape(ctx, n.Number, leader, rate)
}

// Command builds a call of a program inside the node, as its root, without
// SSH. The caller connects its streams and runs it.
func Command(ctx context.Context, leader int, argv ...string) *exec.Cmd {
	enter := []string{"--target", strconv.Itoa(leader),
		"--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd", "--"}
	cmd := exec.CommandContext(ctx, "nsenter", append(enter, argv...)...)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "HOME=/root", "TERM=linux"}
	cmd.WaitDelay = time.Second
	return cmd
}
