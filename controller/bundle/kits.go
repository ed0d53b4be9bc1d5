package bundle

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"

	"icm/controller/kitsource"
	"icm/internal/hint"
)

// Kits finds kits in bundles, for package deploy. Bundles stay open until Close.
type Kits struct {
	Store      *Store
	AllowOlder bool

	open map[string]*Bundle // by path; "" and a kit's name for those of the store
}

// Find returns a kit of a bundle file, or of the newest bundle in the store that
// has it.
func (k *Kits) Find(_ context.Context, file, name string) (kitsource.Source, error) {
	b, err := k.bundle(file, name)
	if err != nil {
		return kitsource.Source{}, err
	}
	src, err := b.Kit(name)
	if err != nil || file == "" {
		return src, err
	}
	// Not before it is known to be of use: who lacks the base of a delta bundle
	// loads that next, and it is older.
	return src, k.Store.See(b, k.AllowOlder)
}

// Names lists the installation kits in a bundle file.
func (k *Kits) Names(_ context.Context, file string) ([]string, error) {
	b, err := k.bundle(file, "")
	if err != nil {
		return nil, err
	}
	var out []string
	for _, f := range b.Manifest.Of(KindKit) {
		out = append(out, path.Base(f.Path))
	}
	return out, nil
}

func (k *Kits) bundle(file, name string) (*Bundle, error) {
	key := file
	if file == "" {
		key = "/" + name
	}
	if b := k.open[key]; b != nil {
		return b, nil
	}
	b, err := k.openBundle(file, name)
	if err != nil {
		return nil, err
	}
	if k.open == nil {
		k.open = map[string]*Bundle{}
	}
	k.open[key] = b
	return b, nil
}

func (k *Kits) openBundle(file, name string) (*Bundle, error) {
	if file == "" {
		return k.loaded(name)
	}
	keys, err := k.Store.Keys()
	if err != nil {
		return nil, err
	}
	b, err := Open(file, keys, k.Store)
	if err != nil {
		return nil, err
	}
	if err := k.Store.refuseOlder(b, k.AllowOlder); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

// loaded is the newest bundle of the store that has a kit.
func (k *Kits) loaded(name string) (*Bundle, error) {
	all, err := k.Store.List()
	for _, b := range slices.Backward(all) {
		if _, ok := b.Manifest.kit(name); !ok {
			continue
		}
		if err := k.Store.refuseOlder(b, k.AllowOlder); err != nil {
			return nil, fmt.Errorf("kit %s is only in an older bundle: %w", name, err)
		}
		return k.Store.Get(b.Digest)
	}
	return nil, errors.Join(err, hint.New(fmt.Errorf("no bundle that was loaded has a kit %s", name), "icm bundle ls shows what is there; icm bundle load FILE brings a bundle, and -bundle FILE uses one as it is"))
}

// Close closes all bundles.
func (k *Kits) Close() error {
	var errs []error
	for _, b := range k.open {
		errs = append(errs, b.Close())
	}
	return errors.Join(errs...)
}
