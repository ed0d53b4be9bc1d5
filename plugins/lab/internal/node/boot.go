package node

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"icm/plugins/lab/internal/await"
)

// bootLimit is how long a node may take to be ready. One takes a second; many
// at once on a small machine share it.
const bootLimit = 2 * time.Minute

// Boot switches the node on if it is off, and waits until it is ready: sshd
// answers and its systemd has nothing left to start. A node that does not get
// there is switched off again, so that the next try is a fresh one.
func (n *Node) Boot(ctx context.Context) error {
	ended, err := n.start(ctx)
	started := err == nil
	if err != nil && !errors.Is(err, ErrRunning) {
		return err
	}
	if err := n.hindrance(); err != nil {
		return err
	}
	err = n.waitReady(ctx, ended)
	if err == nil {
		return nil
	}
	if started {
		err = errors.Join(err, n.PowerCut(context.WithoutCancel(ctx)))
	}
	return err
}

// hindrance tells why a running node can never become ready.
func (n *Node) hindrance() error {
	if n.Frozen() {
		return fmt.Errorf("node %s is frozen: lab thaw %s", n.Machine, n.Machine)
	}
	cut, err := n.Subnet.IsCut(n.Number)
	if err == nil && cut {
		return fmt.Errorf("the link of node %s is cut: lab heal %s", n.Machine, n.Machine)
	}
	return err
}

// Reboot asks the node to restart and waits until it is ready again.
func (n *Node) Reboot(ctx context.Context) error {
	old := n.Leader()
	if old == 0 {
		return fmt.Errorf("node %s is not running", n.Machine)
	}
	if out, err := Command(ctx, old, "systemctl", "reboot").CombinedOutput(); err != nil {
		return fmt.Errorf("cannot reboot node %s: %w: %s", n.Machine, err, strings.TrimSpace(string(out)))
	}
	err := await.Until(ctx, "node "+n.Machine+" to go down", bootLimit, func() (bool, string, error) {
		now := n.Leader()
		return now != old, fmt.Sprintf("process %d is still its first", now), nil
	})
	if err != nil {
		return err
	}
	return n.waitReady(ctx, nil)
}

// waitReady waits for sshd first, which costs nothing to ask. ended is nil for
// a node that was running before.
func (n *Node) waitReady(ctx context.Context, ended <-chan struct{}) error {
	address := net.JoinHostPort(n.Address(), "22")
	alive := func() error {
		select {
		case <-ended:
		default:
			if ended != nil || n.Running() {
				return nil
			}
		}
		return fmt.Errorf("node %s does not start; its console says: %s", n.Machine, n.consoleTail())
	}
	err := await.Until(ctx, "sshd of node "+n.Machine, bootLimit, func() (bool, string, error) {
		if err := alive(); err != nil {
			return false, "", err
		}
		done, seen := banner(ctx, address)
		return done, seen, nil
	})
	if err != nil {
		return err
	}
	return await.Until(ctx, "systemd of node "+n.Machine, bootLimit, func() (bool, string, error) {
		state := n.systemState(ctx)
		return state == "running" || state == "degraded", state, alive()
	})
}

// dialLimit is enough on a bridge of the same machine.
const dialLimit = time.Second

// banner reports whether an SSH server greets at address.
func banner(ctx context.Context, address string) (ok bool, seen string) {
	d := net.Dialer{Timeout: dialLimit}
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return false, err.Error()
	}
	defer conn.Close()
	if err := conn.SetReadDeadline(time.Now().Add(dialLimit)); err != nil {
		return false, err.Error()
	}
	line, err := bufio.NewReader(io.LimitReader(conn, 256)).ReadString('\n')
	if err != nil {
		return false, err.Error()
	}
	return strings.HasPrefix(line, "SSH-"), strings.TrimSpace(line)
}

// systemState is what `systemctl is-system-running` says; its exit status says
// less.
func (n *Node) systemState(ctx context.Context) string {
	leader := n.Leader()
	if leader == 0 {
		return "no process 1"
	}
	out, _ := Command(ctx, leader, "systemctl", "is-system-running").Output()
	return strings.TrimSpace(string(out))
}

// consoleTail is the end of the console log, for an error.
func (n *Node) consoleTail() string {
	const most = 500
	text, err := os.ReadFile(filepath.Join(n.Dir, "console.log"))
	if err != nil {
		return err.Error()
	}
	if len(text) > most {
		text = text[len(text)-most:]
	}
	return strings.Join(strings.Fields(string(text)), " ")
}
