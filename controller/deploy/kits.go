package deploy

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"icm/controller/kitsource"
	"icm/controller/state"
	"icm/internal/hint"
	"icm/internal/kind"
	"icm/internal/kitname"
)

// Kits are those in bundles, which the controller brings to the nodes itself.
type Kits interface {
	// Find returns a kit of a bundle: of the file, or of what was loaded when
	// bundle is "".
	Find(ctx context.Context, bundle, name string) (kitsource.Source, error)
	// Names lists the installation kits in a bundle file.
	Names(ctx context.Context, bundle string) ([]string, error)
}

// kitRecord is an event of an operation: which kit it worked with, and where
// from.
type kitRecord struct {
	Kit    string           `json:"kit"`
	SHA256 string           `json:"kit_sha256"`
	Size   int64            `json:"kit_size"`
	From   string           `json:"kit_from"`              // "local:…" or "bundle:…"
	File   string           `json:"bundle_file,omitempty"` // where the bundle is a file
	Bundle kitsource.Bundle `json:"bundle,omitzero"`
}

// ownKit is a kit that the controller has.
type ownKit struct {
	kitsource.Source
	record kitRecord
}

// kitAddress is where a node's kit comes from: KitURL, or with -bundle the kit
// of that name in the bundle, or the only one in it.
func (j *Job) kitAddress(address string, names []string) (string, error) {
	if j.Bundle == "" || strings.HasPrefix(address, kitname.Bundle) {
		return address, nil
	}
	if name := path.Base(address); slices.Contains(names, name) {
		return kitname.Bundle + name, nil
	}
	switch len(names) {
	case 0:
		return "", refuse("there is no installation kit in "+j.short(j.Bundle), "icm bundle ls "+j.short(j.Bundle)+" shows what is in it")
	case 1:
		return kitname.Bundle + names[0], nil
	}
	return "", refuse("there are several kits in "+j.short(j.Bundle), "choose one with -kitURL: bundle:"+strings.Join(names, " or bundle:"))
}

// findKits finds the kits that the controller brings, and tells the settings of
// their nodes how large they are and what their sha256 is.
func (j *Job) findKits(ctx context.Context, s *site) error {
	if !s.verb.needsKit() {
		return nil
	}
	names, err := j.bundleKits(ctx)
	if err != nil {
		return err
	}
	found := map[string]ownKit{} // by address
	for _, node := range slices.Sorted(maps.Keys(s.settings)) {
		n, _ := s.topo.Node(node)
		if !installs(n) {
			continue
		}
		set := s.settings[node]
		if err := j.findKit(ctx, s, &set, kitFields(n).Get("KitURL"), fitting(names, n.Role), found); err != nil {
			return err
		}
		s.settings[node] = set
	}
	return nil
}

// fitting are the kits that nodes of a role are installed from.
func fitting(names []string, role string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		k, err := kitname.Parse(name)
		return err != nil || fits(k, role) != nil
	})
}

func (j *Job) bundleKits(ctx context.Context) ([]string, error) {
	if j.Bundle == "" {
		return nil, nil
	}
	return j.Kits.Names(ctx, j.Bundle)
}

func (j *Job) findKit(ctx context.Context, s *site, set *settings, address string, names []string, found map[string]ownKit) error {
	address, err := j.kitAddress(address, names)
	if err != nil {
		return err
	}
	k, err := kitname.ParseURL(address)
	if err != nil {
		return err
	}
	if err := fits(k, set.Role); err != nil {
		return err
	}
	if _, local := k.File(); !local && !k.InBundle() {
		return nil // the node fetches it
	}
	own, ok := found[address]
	if !ok {
		if own, err = j.openKit(ctx, k, j.Bundle); err != nil {
			return err
		}
		found[address] = own
		s.kits[own.SHA256] = own
	}
	if want := set.Kit.SHA256; want != "" && want != own.SHA256 {
		return refuse(fmt.Sprintf("the sha256 of %s is %s, and KitSHA256 says %s", address, own.SHA256, want), "take the right kit, or correct KitSHA256")
	}
	set.KitInfo = k
	set.Kit = kind.Kit{URL: kind.FromController + k.Name, Name: k.Name, SHA256: own.SHA256, Size: own.Size}
	return nil
}

// openKit finds a kit that the controller has, in the bundle file when there is
// one.
func (j *Job) openKit(ctx context.Context, k kitname.Kit, bundle string) (ownKit, error) {
	own := ownKit{record: kitRecord{Kit: k.Name, From: k.URL}}
	var err error
	if file, local := k.File(); local {
		file = j.path(file)
		own.record.From = kitname.Local + file
		own.Source, err = kitsource.File(ctx, file)
	} else if j.Kits == nil {
		err = fmt.Errorf("this icm has no bundles")
	} else {
		own.record.File = bundle
		own.Source, err = j.Kits.Find(ctx, bundle, k.Name)
	}
	own.record.SHA256, own.record.Size, own.record.Bundle = own.SHA256, own.Size, own.Source.Bundle
	return own, err
}

// recordKits records what the nodes of a plan are installed from.
func (pr *prepared) recordKits(op *state.Operation) error {
	for _, sum := range slices.Sorted(maps.Keys(pr.site.kits)) {
		if err := op.Event(pr.site.kits[sum].record); err != nil {
			return err
		}
	}
	return nil
}

// recordedKits finds the kits again that an operation was begun with. What
// cannot be found any more is missed only where a node still needs it.
func (j *Job) recordedKits(ctx context.Context, s *site, rec *state.Recorded) {
	for _, ev := range rec.Events {
		var r kitRecord
		if err := json.Unmarshal(ev.Data, &r); err != nil || r.From == "" {
			continue
		}
		if _, there := s.kits[r.SHA256]; there {
			continue
		}
		k, err := kitname.ParseURL(r.From)
		if err != nil {
			continue
		}
		own, err := j.openKit(ctx, k, r.File)
		if err != nil {
			j.warn("the kit that this operation was begun with is not there any more: %v", err)
			continue
		}
		s.kits[own.SHA256] = own
	}
}

// noKit is the error of a kit that is not at hand when a node needs it.
func noKit(k kind.Kit) error {
	return hint.New(fmt.Errorf("kit %s with sha256 %s is not on this machine", k.Name, k.SHA256), "give it with -kit FILE or -bundle FILE")
}
