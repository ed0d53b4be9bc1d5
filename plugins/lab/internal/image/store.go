package image

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"icm/plugins/lab/internal/command"
	"icm/plugins/lab/internal/lockfile"
)

// Store is the cache of images.
type Store struct{ Dir string }

// Source says what an image is made of. With Tarball, Mirror is not used.
type Source struct {
	Tarball string // absolute path; "" is the recipe
	Mirror  string // of Debian packages; "" is the usual one
}

// building marks trees that are not complete.
const building = ".building-"

// key names the image of a source. A tarball is known by its path, size and
// time: reading a gigabyte for every command would be felt.
func (s Source) key() (string, error) {
	if s.Tarball == "" {
		return recipeKey(), nil
	}
	info, err := os.Stat(s.Tarball)
	if err != nil {
		return "", fmt.Errorf("cannot use the image: %w", err)
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("cannot use the image: %s is not a file", s.Tarball)
	}
	return "tarball-" + digest(fmt.Sprint(s.Tarball, info.Size(), info.ModTime().UnixNano())), nil
}

// Lookup returns the directory of the source's image, whether it is there
// already or not.
func (s Store) Lookup(src Source) (dir string, cached bool, err error) {
	key, err := src.key()
	if err != nil {
		return "", false, err
	}
	dir = filepath.Join(s.Dir, key)
	_, err = os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return dir, false, nil
	}
	return dir, err == nil, err
}

// Ensure returns the directory of the source's image, and makes it first if
// need be. Only one program makes images at a time.
func (s Store) Ensure(ctx context.Context, src Source) (string, error) {
	dir, cached, err := s.Lookup(src)
	if err != nil || cached {
		return dir, err
	}
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return "", err
	}
	unlock, err := lockfile.Take(ctx, filepath.Join(s.Dir, ".lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if dir, cached, err = s.Lookup(src); err != nil || cached {
		return dir, err // somebody else made it meanwhile
	}
	if err := s.build(ctx, src, dir); err != nil {
		return "", fmt.Errorf("cannot make the image for the nodes: %w", err)
	}
	return dir, nil
}

func (s Store) build(ctx context.Context, src Source, dir string) error {
	if err := s.sweep(); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(s.Dir, building)
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(tmp) }() // swept next time if this fails
	tree := filepath.Join(tmp, "tree")
	// The mode of the nodes' root directory, whatever our umask.
	if err := errors.Join(os.Mkdir(tree, 0o755), os.Chmod(tree, 0o755), os.Chmod(tmp, 0o755)); err != nil {
		return err
	}
	if err := fill(ctx, src, tree, tmp); err != nil {
		return err
	}
	if err := prepare(tree); err != nil {
		return err
	}
	if err := syncFS(s.Dir); err != nil {
		return err
	}
	return os.Rename(tree, dir)
}

func fill(ctx context.Context, src Source, tree, tmp string) error {
	if src.Tarball != "" {
		_, err := command.New("tar", "--extract", "--numeric-owner", "--xattrs", "--file="+src.Tarball, "--directory="+tree).Run(ctx)
		return err
	}
	build := command.New("mmdebstrap", builderArgs(tree, src.Mirror)...)
	build.Env = append(proxies(os.Environ()), "TMPDIR="+tmp)
	_, err := build.Run(ctx)
	return err
}

// proxies are the settings without which many a site reaches no mirror.
func proxies(env []string) []string {
	var keep []string
	for _, e := range env {
		name, _, _ := strings.Cut(e, "=")
		switch strings.ToLower(name) {
		case "http_proxy", "https_proxy", "no_proxy":
			keep = append(keep, e)
		}
	}
	return keep
}

// sweep removes what killed programs left half-made.
func (s Store) sweep() error {
	left, err := filepath.Glob(filepath.Join(s.Dir, building+"*"))
	for _, dir := range left {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	return err
}

// syncFS makes a tree of thousands of files durable in one call, so that the
// rename that follows cannot be seen without them.
func syncFS(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(unix.Syncfs(int(d.Fd())), d.Close())
}
