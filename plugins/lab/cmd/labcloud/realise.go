package main

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"

	"icm/plugins/lab/internal/lab"
	"icm/plugins/lab/internal/lockfile"
	"icm/plugins/provider"
)

// realise has the lab do all that is wanted, unless somebody else has done the
// event of that number meanwhile.
func (c cloud) realise(ctx context.Context, number int) (*content, error) {
	unlock, err := lockfile.Take(ctx, filepath.Join(c.dir, "work.lock"))
	if err != nil {
		return nil, err
	}
	defer unlock()
	s, err := c.load()
	if err != nil || s.Real >= number {
		return s, err
	}
	if err := s.provision(ctx); err != nil {
		return s, err
	}
	done := s.Instances
	return s, c.update(ctx, func(now *content) error {
		now.Real = s.Wanted
		for id, i := range now.Instances {
			if was := done[id]; was != nil {
				i.Seeded, i.Address = was.Seeded, was.Address
			}
		}
		return nil
	})
}

// provision makes the lab have the instances and nothing else.
func (s *content) provision(ctx context.Context) error {
	l := lab.New("labcloud", lab.DataDir, lab.CacheDir)
	silent := func(provider.Progress) {}
	request := s.request()
	if len(s.Instances) == 0 {
		return l.Unprovision(ctx, request, silent)
	}
	if _, err := l.Provision(ctx, request, silent); err != nil {
		return err
	}
	for _, i := range s.Instances {
		n, err := l.Find(s.Deployment, i.Name)
		if err != nil {
			return err
		}
		if !i.Seeded {
			if err := i.seed(ctx, n); err != nil {
				return err
			}
		}
		i.Seeded, i.Address = true, n.Address()
		if err := i.name(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

// spareGB is the size of a volume before one is attached. The lab's nodes take
// no new volumes while they run, so they have all of them from the start: what
// is attached gives one its name and its size.
const spareGB = 1

// fieldOf are the lab's fields of volumes, by the device that is Amazon's too.
var fieldOf = map[string]string{"xvdb": "Docker", "xvdc": "Data", "xvdd": "WIJ", "xvde": "Journal1", "xvdf": "Journal2"}

// request asks the lab for the instances.
func (s *content) request() provider.Request {
	def := provider.Definition{Name: "instances", Role: "VM"}
	var key string
	for _, id := range slices.Sorted(maps.Keys(s.Instances)) {
		i := s.Instances[id]
		key = i.Data.PublicKey
		fields := map[string]string{"SSHUser": i.Data.User}
		for device, field := range fieldOf {
			fields[field+"DeviceName"], fields[field+"VolumeSize"] = device, strconv.Itoa(max(spareGB, i.Volumes[device].GB))
		}
		def.Nodes = append(def.Nodes, provider.Want{MachineName: i.Name, Fields: fields})
	}
	return provider.Request{Deployment: s.Deployment, PublicKey: key, Definitions: []provider.Definition{def}}
}

// down destroys what is left.
func (c cloud) down(ctx context.Context) error {
	s, err := c.load()
	if err != nil {
		return err
	}
	if len(s.Instances) == 0 {
		return nil
	}
	s.Instances = nil
	if err := s.provision(ctx); err != nil {
		return fmt.Errorf("cannot destroy the nodes of %s: %w", s.Deployment, err)
	}
	return nil
}
