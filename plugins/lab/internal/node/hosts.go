package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"icm/plugins/lab/internal/rootfs"
)

const (
	hostsFile  = "etc/hosts"
	hostsBegin = "# The nodes of this lab. Lines below are kept by the provider.\n"
	hostsEnd   = "# End of the nodes of this lab.\n"
	hostsBase  = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"
)

// writeHosts brings the node's /etc/hosts up to date. Lines that others have
// added stay.
func (n *Node) writeHosts(hosts []Host) error {
	return n.inside(func(root *os.Root) error {
		old, err := root.ReadFile(hostsFile)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		text := mergeHosts(string(old), hosts)
		if text == string(old) {
			return nil
		}
		return rootfs.Write(root, hostsFile, []byte(text), 0o644)
	})
}

// mergeHosts replaces our block in a hosts file, or begins a new file with it.
func mergeHosts(old string, hosts []Host) string {
	var block strings.Builder
	block.WriteString(hostsBegin)
	for _, h := range hosts {
		names := h.Name
		if lower := strings.ToLower(h.Name); lower != h.Name {
			names += " " + lower
		}
		fmt.Fprintf(&block, "%s %s\n", h.Address, names)
	}
	block.WriteString(hostsEnd)
	if old == "" {
		return hostsBase + block.String()
	}
	before, rest, found := strings.Cut(old, hostsBegin)
	_, after, closed := strings.Cut(rest, hostsEnd)
	if !found || !closed {
		return old + block.String()
	}
	return before + block.String() + after
}
