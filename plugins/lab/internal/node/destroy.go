package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"icm/plugins/lab/internal/disk"
	"icm/plugins/lab/internal/nspawn"
)

// Destroy switches the node off and removes it, whatever state it was left
// in. Nothing of it needs to be readable.
func (n *Node) Destroy(ctx context.Context) error {
	if err := n.PowerCut(ctx); err != nil {
		return err
	}
	if err := disk.DetachAll(ctx, n.Dir); err != nil {
		return err
	}
	if err := n.removeLink(ctx); err != nil {
		return err
	}
	group, err := n.group()
	if err != nil {
		return err
	}
	if err := group.Remove(ctx); err != nil {
		return err
	}
	return removeTree(n.Dir)
}

// removeLink removes what has the link's name. A node that got no number has
// no link.
func (n *Node) removeLink(ctx context.Context) error {
	if n.Number == 0 {
		return nil
	}
	err := nspawn.Container{Machine: n.Subnet.Link(n.Number)}.CleanUp()
	return errors.Join(err, n.Subnet.RemoveLink(ctx, n.Number))
}

// removeTree removes a directory in which nothing is mounted. The lab mounts
// nothing there where others can see it; should somebody else have, then what
// is in that mount is not ours.
func removeTree(dir string) error {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(mounts)) {
		if f := strings.Fields(line); len(f) > 4 && (f[4] == dir || strings.HasPrefix(f[4], dir+"/")) {
			return fmt.Errorf("cannot remove %s: something is mounted at %s", dir, f[4])
		}
	}
	return os.RemoveAll(dir)
}
