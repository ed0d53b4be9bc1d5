package tasks

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"icm/agent/kitfile"
	"icm/internal/hint"
	"icm/internal/kind"
	"icm/internal/kitname"
)

// A kit that the controller brings arrives in the directory "incoming", by way
// of icm-agent put, before the node is asked to take it. Its sha256 is known: it
// does not matter then where the archive that is there once came from.

func brought(address string) bool { return strings.HasPrefix(address, kind.FromController) }

func (d Deps) incoming(k kitname.Kit) string { return filepath.Join(d.Home, "incoming", k.Name) }

// dropBrought deletes what arrived and is not needed: it has been taken.
func (d Deps) dropBrought(k kitname.Kit, a kind.Kit) error {
	if !brought(a.URL) {
		return nil
	}
	return removeFiles(d.incoming(k))
}

// takeBrought puts what arrived in its place and proves that it is whole. What
// arrived is deleted last: killed before, this can be done again.
func (d Deps) takeBrought(ctx context.Context, k kitname.Kit, a kind.Kit) error {
	if a.SHA256 == "" {
		return errors.New("cannot take the kit: the controller did not say its SHA-256")
	}
	from := d.incoming(k)
	if _, err := os.Stat(from); errors.Is(err, fs.ErrNotExist) {
		return hint.New(errors.New("cannot take the kit: the controller has not brought it"), "run the command again: it is brought anew")
	}
	path := d.archive(k)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("cannot take the kit: %v", err)
	}
	if err := removeFiles(path, path+".ok"); err != nil {
		return err
	}
	file := kitfile.Source{URL: (&url.URL{Scheme: "file", Path: from}).String()}
	if err := kitfile.Fetch(ctx, file, path, func(int64) {}); err != nil {
		return err
	}
	if err := d.checkArchive(ctx, k, a.SHA256, a.URL); err != nil {
		return err
	}
	return removeFiles(from)
}
