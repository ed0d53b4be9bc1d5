package iris

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"icm/agent/host"
)

// racy is how young a change may be for its time to prove nothing: a file
// changed again within the same tick of the file system's clock looks the same.
const racy = 2 * time.Second

// treeCopy makes one directory tree like another: files, links, owners, modes,
// times, attributes. It stays on the file system of its source: what is
// mounted below is neither copied nor touched.
type treeCopy struct {
	src, dst string
	// live means that the source changes meanwhile: files may vanish.
	live bool
	// content compares bytes instead of sizes and times.
	content bool
	// tell gets the bytes done so far.
	tell func(done int64)

	dev   uint64
	done  int64
	links map[uint64]string // inode of a file with several names → its copy
	dirs  []dirTimes
}

type dirTimes struct {
	path string
	st   fs.FileInfo
}

// run makes dst like src. Run again after having been cut off, it goes on.
func (c *treeCopy) run(ctx context.Context) error {
	st, err := os.Lstat(c.src)
	if err != nil {
		return err
	}
	c.dev, c.links, c.dirs = sysOf(st).Dev, map[uint64]string{}, nil
	if err := c.dir(ctx, "", st); err != nil {
		return err
	}
	// Children change the times of their directories: set those last, deepest first.
	for i := len(c.dirs) - 1; i >= 0; i-- {
		if err := applyMeta(filepath.Join(c.src, c.dirs[i].path), filepath.Join(c.dst, c.dirs[i].path), c.dirs[i].st); err != nil && !c.gone(err) {
			return err
		}
	}
	return host.SyncFS(c.dst)
}

// gone reports whether an error only says that a live source has moved on.
func (c *treeCopy) gone(err error) bool { return c.live && errors.Is(err, fs.ErrNotExist) }

func (c *treeCopy) dir(ctx context.Context, rel string, st fs.FileInfo) error {
	dst := filepath.Join(c.dst, rel)
	if have, err := os.Lstat(dst); err == nil && !have.IsDir() {
		if err := os.Remove(dst); err != nil {
			return err
		}
	}
	// Closed until its contents and its own mode are in place.
	if err := os.Mkdir(dst, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	c.dirs = append(c.dirs, dirTimes{rel, st})
	entries, err := os.ReadDir(filepath.Join(c.src, rel))
	if err != nil {
		if c.gone(err) {
			return nil
		}
		return err
	}
	wanted := map[string]bool{}
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		wanted[e.Name()] = true
		if err := c.entry(ctx, filepath.Join(rel, e.Name())); err != nil && !c.gone(err) {
			return err
		}
	}
	return c.prune(rel, wanted)
}

func (c *treeCopy) entry(ctx context.Context, rel string) error {
	src, dst := filepath.Join(c.src, rel), filepath.Join(c.dst, rel)
	st, err := os.Lstat(src)
	if err != nil {
		return err
	}
	switch {
	case st.IsDir():
		if sysOf(st).Dev != c.dev {
			return nil
		}
		return c.dir(ctx, rel, st)
	case st.Mode().IsRegular():
		return c.file(ctx, src, dst, st)
	case st.Mode()&fs.ModeSymlink != 0:
		return c.symlink(src, dst, st)
	case st.Mode()&fs.ModeSocket != 0:
		return nil // its program makes it anew
	case st.Mode()&fs.ModeNamedPipe != 0:
		if have, err := os.Lstat(dst); err == nil && have.Mode()&fs.ModeNamedPipe != 0 {
			return applyMeta(src, dst, st)
		}
		if err := errors.Join(os.RemoveAll(dst), syscall.Mkfifo(dst, 0o600)); err != nil {
			return err
		}
		return applyMeta(src, dst, st)
	}
	return fmt.Errorf("%s is neither file, directory nor link", src)
}

func (c *treeCopy) symlink(src, dst string, st fs.FileInfo) error {
	to, err := os.Readlink(src)
	if err != nil {
		return err
	}
	if have, err := os.Readlink(dst); err != nil || have != to {
		if err := os.RemoveAll(dst); err != nil {
			return err
		}
		if err := os.Symlink(to, dst); err != nil {
			return err
		}
	}
	return applyMeta(src, dst, st)
}

func (c *treeCopy) file(ctx context.Context, src, dst string, st fs.FileInfo) error {
	sys := sysOf(st)
	if sys.Nlink > 1 {
		if first, ok := c.links[sys.Ino]; ok {
			return relink(first, dst)
		}
		c.links[sys.Ino] = dst
	}
	same, err := c.same(src, dst, st)
	if err != nil {
		return err
	}
	if !same {
		if err := c.replace(ctx, src, dst, st); err != nil {
			return err
		}
	} else if err := applyMeta(src, dst, st); err != nil {
		return err
	}
	c.done += st.Size()
	if c.tell != nil {
		c.tell(c.done)
	}
	return nil
}

// same reports whether the copy of a file need not be made again.
func (c *treeCopy) same(src, dst string, st fs.FileInfo) (bool, error) {
	have, err := os.Lstat(dst)
	if err != nil || !have.Mode().IsRegular() || have.Size() != st.Size() {
		return false, nil //nolint:nilerr // whatever is there is replaced
	}
	if c.content {
		return sameContent(src, dst)
	}
	return have.ModTime().Equal(st.ModTime()), nil
}

// replace copies to a temporary name and renames: a reader of the old file
// keeps it, and a cut leaves the old one.
func (c *treeCopy) replace(ctx context.Context, src, dst string, st fs.FileInfo) error {
	if have, err := os.Lstat(dst); err == nil && have.IsDir() {
		if err := removeTree(dst); err != nil {
			return err
		}
	}
	part := dst + ".icm-part"
	if err := copyFile(ctx, src, part); err != nil {
		return errors.Join(err, removeFile(part))
	}
	if err := applyMeta(src, part, st); err != nil {
		return errors.Join(err, removeFile(part))
	}
	if c.live && time.Since(st.ModTime()) < racy {
		// It may have been written in the tick in which it was read. A time that
		// cannot be the source's makes the next copy look at it again.
		if err := os.Chtimes(part, time.Unix(0, 0), time.Unix(0, 0)); err != nil {
			return errors.Join(err, removeFile(part))
		}
	}
	return os.Rename(part, dst)
}

// prune removes from the copy what the source does not have.
func (c *treeCopy) prune(rel string, wanted map[string]bool) error {
	entries, err := os.ReadDir(filepath.Join(c.dst, rel))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if wanted[e.Name()] {
			continue
		}
		if err := removeTree(filepath.Join(c.dst, rel, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// need returns how many bytes a run would copy.
func (c *treeCopy) need() (int64, error) {
	st, err := os.Lstat(c.src)
	if err != nil {
		return 0, err
	}
	dev, total := sysOf(st).Dev, int64(0)
	err = filepath.WalkDir(c.src, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			if c.gone(err) {
				return nil
			}
			return err
		}
		info, err := d.Info()
		if err != nil {
			if c.gone(err) {
				return nil
			}
			return err
		}
		if info.IsDir() && sysOf(info).Dev != dev {
			return filepath.SkipDir
		}
		rel, err := filepath.Rel(c.src, path)
		if err != nil || !info.Mode().IsRegular() {
			return err
		}
		if have, err := os.Lstat(filepath.Join(c.dst, rel)); err == nil && have.Size() == info.Size() && have.ModTime().Equal(info.ModTime()) {
			return nil
		}
		total += info.Size()
		return nil
	})
	return total, err
}
