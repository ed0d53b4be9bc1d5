package deployment

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"icm/plugins/lab/internal/lockfile"
	"icm/plugins/lab/internal/network"
)

// Store is the directory of all deployments of this machine.
type Store struct{ Dir string }

const lockName = ".lock"

// List returns the deployments that have a directory.
func (s Store) List() ([]*Deployment, error) {
	entries, err := os.ReadDir(s.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []*Deployment
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		d, err := load(filepath.Join(s.Dir, e.Name()))
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, nil
}

// Look returns a deployment as it is now, without locking it. One that does
// not exist has no machines.
func (s Store) Look(id string) (*Deployment, error) { return load(filepath.Join(s.Dir, id)) }

// Open makes a deployment's directory if need be, and locks it against other
// programs until unlock is called.
func (s Store) Open(ctx context.Context, id string) (d *Deployment, unlock func(), err error) {
	dir := filepath.Join(s.Dir, id)
	for {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, nil, err
		}
		unlock, err = lockfile.Take(ctx, filepath.Join(dir, lockName))
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed since, by an unprovision of the same deployment
		}
		if err != nil {
			return nil, nil, err
		}
		d, err = load(dir)
		if err != nil {
			unlock()
			return nil, nil, err
		}
		return d, unlock, nil
	}
}

// ChooseSubnet gives the deployment a subnet unless it has one. No other
// deployment and no interface of this machine uses it.
func (s Store) ChooseSubnet(ctx context.Context, d *Deployment) error {
	if d.HasSubnet() {
		return nil
	}
	unlock, err := lockfile.Take(ctx, filepath.Join(s.Dir, lockName))
	if err != nil {
		return err
	}
	defer unlock()
	others, err := s.List()
	if err != nil {
		return err
	}
	taken := map[network.Subnet]bool{}
	for _, o := range others {
		taken[o.Subnet] = true
	}
	var failed error
	d.Subnet, err = network.Choose(d.ID, func(n network.Subnet) bool {
		used, err := n.InUse()
		failed = errors.Join(failed, err)
		return used || taken[n]
	})
	if err := errors.Join(err, failed); err != nil {
		return err
	}
	return d.save()
}

// Remove removes the deployment's directory, and the store's own when that was
// the last one. The deployment is locked; its nodes are destroyed.
func (s Store) Remove(ctx context.Context, d *Deployment) error {
	if err := os.RemoveAll(d.dir); err != nil {
		return err
	}
	lock := filepath.Join(s.Dir, lockName)
	unlock, err := lockfile.Take(ctx, lock)
	if err != nil {
		return err
	}
	defer unlock()
	entries, err := os.ReadDir(s.Dir)
	if err != nil || len(entries) > 1 {
		return err
	}
	if err := os.Remove(lock); err != nil {
		return err
	}
	// Another program may be putting a deployment there at this moment.
	if err := os.Remove(s.Dir); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}
