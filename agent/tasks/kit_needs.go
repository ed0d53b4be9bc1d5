package tasks

import (
	"context"
	"net/url"
	"path/filepath"

	"icm/agent/host"
	"icm/agent/kitfile"
	"icm/internal/kitname"
	"icm/internal/wire"
)

// What becomes of a packed kit, as multiples of its size, and the size of one
// whose server does not tell. Real ones have 1.1 GB packed and somewhat less
// than three times that unpacked, and installed.
const (
	unpackedFactor  = 3
	installedFactor = 3
	usualSize       = 1100 << 20
)

// KitNeeds finds out before anything is changed whether the kit of a request
// can be had, and what space it is going to need on this node.
func (d Deps) KitNeeds(ctx context.Context, req wire.CheckRequest) ([]wire.SpaceNeed, error) {
	k, err := kitname.Parse(req.KitName)
	if err != nil {
		return nil, err
	}
	mark, here := d.fetched(k, req.KitSHA256)
	here = here && (brought(req.KitURL) || mark.From == origin(req.KitURL, mark))
	size := mark.Size
	switch {
	case here:
	case brought(req.KitURL):
		size = req.KitSize
	default:
		size, err = kitfile.Probe(ctx, kitfile.Source{URL: req.KitURL, Withheld: req.KitLogin})
		if err != nil {
			return nil, err
		}
		if size == kitfile.UnknownSize {
			size = usualSize
		}
	}
	var needs []wire.SpaceNeed
	add := func(path, what string, bytes int64) {
		needs = append(needs, wire.SpaceNeed{Path: path, Bytes: bytes, For: what})
	}
	if !here && !linkable(req.KitURL, filepath.Dir(d.archive(k))) {
		add(filepath.Dir(d.archive(k)), "the kit", size)
	}
	if !d.isUnpacked(k, "") {
		add(d.kits(), "the unpacked kit", unpackedFactor*size)
	}
	if req.InstallDir != "" {
		add(req.InstallDir, "the installation", installedFactor*size)
	}
	return needs, nil
}

// linkable reports whether a kit need not be copied to have it in dir.
func linkable(address, dir string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "file" {
		return false
	}
	a, okA := host.FileSystemOf(u.Path)
	b, okB := host.FileSystemOf(dir)
	return okA && okB && a == b
}
