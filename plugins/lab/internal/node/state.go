package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"icm/internal/atomicfile"
	"icm/plugins/lab/internal/network"
)

// format is the number of the state file's format.
const format = 1

// Config is what a node is made of.
type Config struct {
	User    string   `json:"user"`
	Home    string   `json:"home"`    // directory of home directories
	Image   string   `json:"image"`   // the tree it starts from
	Overlay bool     `json:"overlay"` // false: it has a copy of the tree
	Rate    string   `json:"rate,omitempty"`
	Volumes []Volume `json:"volumes"`
}

// Volume is a block device of the node.
type Volume struct {
	Purpose string `json:"purpose"` // "data"
	Device  string `json:"device"`  // name under /dev in the node: "xvdc"
	GB      int    `json:"gb"`
}

// state is the node's own file. There is no secret in it.
type state struct {
	Format int `json:"format"`
	Config
	// Prepared is true when the root file system is complete.
	Prepared bool `json:"prepared"`
	// HostKey is the authorized_keys style line of its SSH host key.
	HostKey string `json:"host_key,omitempty"`
}

// Node is one machine of the lab.
type Node struct {
	Dir        string
	Deployment string
	Machine    string
	Subnet     network.Subnet
	Number     int // in the deployment, from 1
	state
}

// New returns the machine of a deployment whose directory is dir. Nothing is
// read or made.
func New(dir, deployment, machine string, subnet network.Subnet, number int) *Node {
	return &Node{Dir: filepath.Join(dir, machine), Deployment: deployment, Machine: machine, Subnet: subnet, Number: number}
}

func (n *Node) file() string { return filepath.Join(n.Dir, "node.json") }

// Load reads what is written about the node. A node that is not there yet is
// no error: Prepared is false then.
func (n *Node) Load() error {
	data, err := os.ReadFile(n.file())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var s state
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("cannot read %s: %w", n.file(), err)
	}
	if s.Format != format {
		return fmt.Errorf("cannot read %s: it has format %d, this program knows %d", n.file(), s.Format, format)
	}
	n.state = s
	return nil
}

func (n *Node) save() error {
	n.Format = format
	data, err := json.MarshalIndent(n.state, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.Write(n.file(), append(data, '\n'), 0o600)
}

// Address is the node's address without prefix length.
func (n *Node) Address() string { return n.Subnet.Node(n.Number).Addr().String() }

// VolumePaths are the devices by purpose, as paths in the node.
func (n *Node) VolumePaths() map[string]string {
	paths := map[string]string{}
	for _, v := range n.Volumes {
		paths[v.Purpose] = "/dev/" + v.Device
	}
	return paths
}

func (n *Node) image(v Volume) string { return filepath.Join(n.Dir, v.Purpose+".img") }
