// Package deployment keeps what the lab knows of each deployment: its subnet
// and the numbers of its nodes, in DATA/DEPLOYMENT/deployment.json. The nodes
// themselves are directories beside that file.
package deployment

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"icm/internal/atomicfile"
	"icm/plugins/lab/internal/network"
	"icm/plugins/lab/internal/node"
)

// format is the number of the file's format.
const format = 1

const fileName = "deployment.json"

// Deployment is one deployment of this lab.
type Deployment struct {
	Format int            `json:"format"`
	ID     string         `json:"id"`
	Subnet network.Subnet `json:"subnet"`
	// Numbers are the numbers of the nodes, from 1; they make the addresses,
	// so one that was given is kept as long as its node exists.
	Numbers map[string]int `json:"numbers"`

	dir string
}

// ErrTooMany means that a deployment has more nodes than a subnet addresses.
var ErrTooMany = fmt.Errorf("a lab deployment has %d nodes at most", network.MaxNodes)

// load reads the deployment in dir. One whose file is not there has never been
// begun in earnest: it has no subnet, and whatever lies there can go.
func load(dir string) (*Deployment, error) {
	d := &Deployment{Format: format, ID: filepath.Base(dir), Numbers: map[string]int{}, Subnet: -1, dir: dir}
	path := filepath.Join(dir, fileName)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return d, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(data, d); err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", path, err)
	}
	if d.Format != format {
		return nil, fmt.Errorf("cannot read %s: it has format %d, this program knows %d", path, d.Format, format)
	}
	if d.Numbers == nil {
		d.Numbers = map[string]int{}
	}
	return d, nil
}

func (d *Deployment) save() error {
	data, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(d.dir, fileName), append(data, '\n'), 0o600)
}

// Dir is the deployment's directory.
func (d *Deployment) Dir() string { return d.dir }

// HasSubnet reports whether a subnet was chosen already.
func (d *Deployment) HasSubnet() bool { return d.Subnet >= 0 }

// Assign gives a number to each machine that has none, in the order given, and
// writes them down before anything is made.
func (d *Deployment) Assign(machines []string) error {
	taken := map[int]bool{}
	for _, number := range d.Numbers {
		taken[number] = true
	}
	next := 1
	for _, m := range machines {
		if d.Numbers[m] != 0 {
			continue
		}
		for taken[next] {
			next++
		}
		if next > network.MaxNodes {
			return ErrTooMany
		}
		d.Numbers[m], taken[next] = next, true
	}
	return d.save()
}

// Forget takes a machine that was destroyed off the list.
func (d *Deployment) Forget(machine string) error {
	delete(d.Numbers, machine)
	return d.save()
}

// Node returns one of the deployment's machines.
func (d *Deployment) Node(machine string) *node.Node {
	return node.New(d.dir, d.ID, machine, d.Subnet, d.Numbers[machine])
}

// Machines are the names of all machines that have a number or a directory,
// by number.
func (d *Deployment) Machines() ([]string, error) {
	names := map[string]bool{}
	for m := range d.Numbers {
		names[m] = true
	}
	entries, err := os.ReadDir(d.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		if e.IsDir() && e.Name()[0] != '.' {
			names[e.Name()] = true
		}
	}
	var list []string
	for m := range names {
		list = append(list, m)
	}
	slices.SortFunc(list, func(a, b string) int {
		if c := d.Numbers[a] - d.Numbers[b]; c != 0 {
			return c
		}
		return slices.Compare([]byte(a), []byte(b))
	})
	return list, nil
}
