package node

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/crypto/ssh"

	"icm/plugins/lab/internal/rootfs"
)

// hostKeyFile is the only host key of a node, so that the key told to the
// controller is the one that is offered.
const hostKeyFile = "etc/ssh/ssh_host_ed25519_key"

type file struct {
	name string
	text string
	mode fs.FileMode
}

// writeIdentity writes what a node has for itself, and returns the public host
// key.
func (n *Node) writeIdentity(access Access) (hostKey string, err error) {
	private, public, err := newHostKey(n.Machine)
	if err != nil {
		return "", err
	}
	id := make([]byte, 16)
	if _, err := rand.Read(id); err != nil {
		return "", err
	}
	files := []file{
		{"etc/hostname", n.Machine + "\n", 0o644},
		{"etc/machine-id", hex.EncodeToString(id) + "\n", 0o444},
		{hostKeyFile, private, 0o600},
		{hostKeyFile + ".pub", public + "\n", 0o644},
		{"etc/ssh/sshd_config.d/50-icm-lab.conf", sshdConfig(!access.Password.Empty()), 0o644},
		{"etc/sudoers.d/90-icm-lab", n.User + " ALL=(ALL) NOPASSWD: ALL\n", 0o440},
	}
	return public, n.write(append(files, n.volumeFiles()...))
}

// sshdConfig is that of a fresh machine: of a cloud, or, with a password, of a
// site that has just installed it.
func sshdConfig(password bool) string {
	login := "no"
	if password {
		login = "yes"
	}
	return "HostKey /" + hostKeyFile + "\nPasswordAuthentication " + login + "\n"
}

func newHostKey(comment string) (private, public string, err error) {
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", "", err
	}
	block, err := ssh.MarshalPrivateKey(priv, comment)
	if err != nil {
		return "", "", err
	}
	key, err := ssh.NewPublicKey(pub)
	if err != nil {
		return "", "", err
	}
	return string(pem.EncodeToMemory(block)), strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))), nil
}

// volumeFiles tell the node's own scripts which devices it has.
func (n *Node) volumeFiles() []file {
	var list, path strings.Builder
	path.WriteString("[Unit]\nDescription=Writes to this lab node's volumes\n\n[Path]\n")
	for _, v := range n.Volumes {
		fmt.Fprintf(&list, "%s icm-lab-%s-%s\n", v.Device, n.Machine, v.Purpose)
		fmt.Fprintf(&path, "PathChanged=/dev/%s\n", v.Device)
	}
	if len(n.Volumes) == 0 {
		path.WriteString("PathChanged=/etc/icm-lab/volumes\n") // a unit must watch something
	}
	return []file{
		{"etc/icm-lab/volumes", list.String(), 0o644},
		{"etc/systemd/system/icm-lab-disks-changed.path", path.String(), 0o644},
	}
}

// write writes files into the node, through its own eyes while it is running:
// below a mounted overlay nothing may change.
func (n *Node) write(files []file) error {
	return n.inside(func(root *os.Root) error {
		for _, f := range files {
			if err := rootfs.Write(root, f.name, []byte(f.text), f.mode); err != nil {
				return err
			}
		}
		return nil
	})
}

func (n *Node) inside(do func(*os.Root) error) error {
	dir := n.writable()
	if leader := n.Leader(); leader != 0 {
		dir = fmt.Sprintf("/proc/%d/root", leader)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	return errors.Join(do(root), root.Close())
}
