package node

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"icm/internal/secret"
	"icm/plugins/lab/internal/await"
	"icm/plugins/lab/internal/cgroup"
	"icm/plugins/lab/internal/command"
	"icm/plugins/lab/internal/disk"
	"icm/plugins/lab/internal/nspawn"
)

// Access is how a fresh node is entered for the first time.
type Access struct {
	PublicKey string        // an authorized_keys line; may be empty
	Password  secret.Secret // empty: no password login
}

// Host is a name and an address for /etc/hosts.
type Host struct{ Name, Address string }

// gib is what ICM's sizes in GB count.
const gib = 1 << 30

// Make makes the node's directory, volumes and root file system, or completes
// and changes what is there. The node is not started.
func (n *Node) Make(ctx context.Context, want Config, access Access, hosts []Host) error {
	if err := n.Load(); err != nil {
		return err
	}
	if err := os.MkdirAll(n.Dir, 0o700); err != nil {
		return err
	}
	if err := n.settle(ctx); err != nil {
		return err
	}
	if !n.Prepared {
		if err := n.prepare(ctx, want, access); err != nil {
			return fmt.Errorf("cannot prepare node %s: %w", n.Machine, err)
		}
	}
	if err := n.apply(ctx, want); err != nil {
		return err
	}
	return n.writeHosts(hosts)
}

// settle waits while a node that somebody has just started has no process 1
// yet: its files can be reached neither from inside nor from outside then.
func (n *Node) settle(ctx context.Context) error {
	return await.Until(ctx, "node "+n.Machine+" to be on or off", powerLimit, func() (bool, string, error) {
		return n.Leader() != 0 || !n.Running(), "its launcher is at work", nil
	})
}

// prepare makes the root file system from the beginning. What an earlier try
// left is thrown away: a user half made is not worth mending.
func (n *Node) prepare(ctx context.Context, want Config, access Access) error {
	if err := n.PowerCut(ctx); err != nil {
		return err
	}
	n.state = state{Config: want}
	if err := n.save(); err != nil {
		return err
	}
	if err := n.freshRoot(ctx); err != nil {
		return err
	}
	key, err := n.writeIdentity(access)
	if err != nil {
		return err
	}
	if err := n.setup(ctx, access); err != nil {
		return err
	}
	n.HostKey, n.Prepared = key, true
	return n.save()
}

// root says where the root file system is.
func (n *Node) root() nspawn.Root {
	root := nspawn.Root{Dir: filepath.Join(n.Dir, "root")}
	if n.Overlay {
		root.Lower = n.Image
		root.Upper, root.Work = filepath.Join(n.Dir, "upper"), filepath.Join(n.Dir, "work")
	}
	return root
}

// writable is the directory that takes the node's own files.
func (n *Node) writable() string {
	if r := n.root(); n.Overlay {
		return r.Upper
	}
	return n.root().Dir
}

func (n *Node) freshRoot(ctx context.Context) error {
	for _, name := range []string{"root", "upper", "work"} {
		if err := removeTree(filepath.Join(n.Dir, name)); err != nil {
			return err
		}
	}
	if !n.Overlay {
		_, err := command.New("cp", "--archive", "--reflink=auto", n.Image, n.root().Dir).Run(ctx)
		return err
	}
	for _, dir := range []string{n.root().Dir, n.root().Upper, n.root().Work} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
		if err := os.Chmod(dir, 0o755); err != nil { // the upper one is the node's /
			return err
		}
	}
	return nil
}

// apply makes the volumes and the link as wanted.
func (n *Node) apply(ctx context.Context, want Config) error {
	change, err := n.Diff(want)
	if err != nil {
		return err
	}
	if len(change.Add) > 0 && n.Running() {
		return n.cannot("a running node takes no new volume: switch it off first (lab power-cut %s)", n.Machine)
	}
	if !change.Empty() {
		n.Volumes, n.Rate = slices.Clone(want.Volumes), want.Rate
		if err := n.save(); err != nil {
			return err
		}
	}
	if err := n.makeVolumes(ctx); err != nil {
		return err
	}
	if leader := n.Leader(); change.Rate && leader != 0 {
		return n.shape(ctx, leader)
	}
	return nil
}

// makeVolumes makes the files as large as they should be and tells the devices
// that exist. Files smaller than their record are those of a killed program.
func (n *Node) makeVolumes(ctx context.Context) error {
	for _, v := range n.Volumes {
		if _, err := disk.Create(n.image(v), int64(v.GB)*gib); err != nil {
			return err
		}
		device, err := disk.Attach(ctx, n.image(v))
		if err != nil {
			return err
		}
		if err := disk.Refresh(device); err != nil {
			return err
		}
	}
	return nil
}

func (n *Node) group() (cgroup.Group, error) {
	return cgroup.New(filepath.Join(GroupRoot, n.Deployment, n.Machine))
}

// GroupRoot is the control group of all nodes of this machine.
const GroupRoot = "icm-lab"
