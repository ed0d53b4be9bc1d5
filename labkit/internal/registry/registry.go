// Package registry keeps the list of instances installed on a machine.
package registry

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
)

// Default is where the registry is, unless IRISSYS names another directory.
const Default = "/usr/local/etc/irissys"

// ErrOwnership means somebody else than root (or the user of a registry of
// their own) owns the registry. Nothing in it can be believed then.
//
//lint:ignore ST1005 the exact words of the interface
var ErrOwnership = errors.New("Invalid registry ownership")

// Instance is one line of the registry.
type Instance struct {
	Name      string // upper case
	Dir       string // installation directory, no trailing slash
	CPF       string // relative to Dir
	Owner     string // OS user that owns the instance
	MgrGroup  string // OS group that may start and stop it
	IRISGroup string // OS group of its processes
	Default   bool
}

// Mgr is the instance's manager directory.
func (i Instance) Mgr() string { return filepath.Join(i.Dir, "mgr") }

// CPFPath is the instance's configuration file.
func (i Instance) CPFPath() string { return filepath.Join(i.Dir, i.CPF) }

// Dir is the registry directory in force.
func Dir() string {
	if d := os.Getenv("IRISSYS"); d != "" {
		return d
	}
	return Default
}

// CheckOwner tells whether the registry directory belongs to who it should.
func CheckOwner(dir string) error {
	st, err := os.Stat(dir)
	if err != nil {
		return err
	}
	owner := st.Sys().(*syscall.Stat_t).Uid
	if owner == 0 || dir != Default && int(owner) == os.Getuid() {
		return nil
	}
	return ErrOwnership
}

// Load reads all instances, sorted by name. No registry is no instances.
func Load(dir string) ([]Instance, error) {
	data, err := os.ReadFile(filepath.Join(dir, "iris.reg"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []Instance
	for _, l := range strings.Split(strings.TrimSpace(string(data)), "\n") {
		f := strings.Split(l, "^")
		if len(f) < 7 {
			continue
		}
		out = append(out, Instance{f[0], f[1], f[2], f[3], f[4], f[5], f[6] == "default"})
	}
	sort.Slice(out, func(a, b int) bool { return out[a].Name < out[b].Name })
	return out, nil
}

// Find returns the instance of that name in any case.
func Find(dir, name string) (Instance, bool, error) {
	all, err := Load(dir)
	if err != nil {
		return Instance{}, false, err
	}
	for _, i := range all {
		if strings.EqualFold(i.Name, name) {
			return i, true, nil
		}
	}
	return Instance{}, false, nil
}

// Put adds or replaces an instance.
func Put(dir string, inst Instance) error {
	return update(dir, func(all []Instance) []Instance {
		kept := without(all, inst.Name)
		inst.Default = len(kept) == 0 || inst.Default
		return append(kept, inst)
	})
}

// Delete removes an instance, if it is there.
func Delete(dir, name string) error {
	return update(dir, func(all []Instance) []Instance { return without(all, name) })
}

func without(all []Instance, name string) []Instance {
	var kept []Instance
	for _, i := range all {
		if !strings.EqualFold(i.Name, name) {
			kept = append(kept, i)
		}
	}
	return kept
}

// update changes the registry under a lock, so that two installers at once
// lose nothing.
func update(dir string, change func([]Instance) []Instance) error {
	lock, err := os.OpenFile(filepath.Join(dir, ".iris.reg.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("cannot lock registry: %w", err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("cannot lock registry: %w", err)
	}
	all, err := Load(dir)
	if err != nil {
		return fmt.Errorf("cannot read registry: %w", err)
	}
	var b strings.Builder
	for _, i := range change(all) {
		mark := ""
		if i.Default {
			mark = "default"
		}
		b.WriteString(strings.Join([]string{i.Name, i.Dir, i.CPF, i.Owner, i.MgrGroup, i.IRISGroup, mark}, "^") + "\n")
	}
	tmp := filepath.Join(dir, ".iris.reg.new")
	if err := os.WriteFile(tmp, []byte(b.String()), 0o644); err != nil {
		return fmt.Errorf("cannot write registry: %w", err)
	}
	return os.Rename(tmp, filepath.Join(dir, "iris.reg"))
}
