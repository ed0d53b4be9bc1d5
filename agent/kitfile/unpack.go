package kitfile

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

const installer = "irisinstall_silent"

// Limits bound what an archive may become: a kit has about 30,000 files and
// unpacks to some 4 GB.
type Limits struct {
	Bytes int64
	Files int
}

// KitLimits are the limits for kits.
var KitLimits = Limits{Bytes: 32 << 30, Files: 1_000_000}

// isInstaller reports whether an entry is an installer, in the archive's top
// directory or in one below it.
func isInstaller(name string) bool {
	name = path.Clean(name)
	_, below, _ := strings.Cut(name, "/")
	return slices.Contains(installers, name) || slices.Contains(installers, below)
}

// Unpack unpacks an archive into dst, which must not exist. Nothing is written
// outside of dst, whatever the archive says: no absolute names, no "..", no
// links that point out, no devices. On an error dst may be left half-made.
func Unpack(ctx context.Context, archive, dst string, limits Limits, progress func(done int64)) error {
	f, err := os.Open(archive)
	if err != nil {
		return fmt.Errorf("cannot unpack the kit: %v", err)
	}
	defer f.Close()
	if err := os.Mkdir(dst, 0o755); err != nil {
		return fmt.Errorf("cannot unpack the kit: %v", err)
	}
	root, err := os.OpenRoot(dst)
	if err != nil {
		return fmt.Errorf("cannot unpack the kit: %v", err)
	}
	defer root.Close()
	z, err := gzip.NewReader(ctxReader{ctx, f})
	if err != nil {
		return damaged(err)
	}
	u := unpacker{root: root, left: limits, progress: progress}
	if err := u.all(tar.NewReader(z)); err != nil {
		return err
	}
	if err := copyContext(ctx, io.Discard, z); err != nil {
		return damaged(err)
	}
	return u.setTimes()
}

type unpacker struct {
	root     *os.Root
	left     Limits
	done     int64
	progress func(int64)
	dirs     []*tar.Header
}

func (u *unpacker) all(t *tar.Reader) error {
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return damaged(err)
		}
		if u.left.Files--; u.left.Files < 0 {
			return errors.New("cannot unpack the kit: it holds more files than any kit does")
		}
		if h.Size < 0 || h.Size > u.left.Bytes {
			return errors.New("cannot unpack the kit: it is larger than any kit is")
		}
		u.left.Bytes -= h.Size
		if err := u.entry(t, h); err != nil {
			return err
		}
	}
}

// entry makes one file. os.Root refuses every way out, also through links that
// the archive itself made; the checks here say it in better words.
func (u *unpacker) entry(t *tar.Reader, h *tar.Header) error {
	if h.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	name, err := local(h.Name)
	if err != nil {
		return err
	}
	if name == "." {
		return nil
	}
	if err := u.root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return refuse(h.Name, err)
	}
	if err := u.realParents(name); err != nil {
		return refuse(h.Name, err)
	}
	switch h.Typeflag {
	case tar.TypeDir:
		if err := u.root.MkdirAll(name, 0o755); err != nil {
			return refuse(h.Name, err)
		}
		u.dirs = append(u.dirs, h)
		return nil
	case tar.TypeReg:
		return u.file(t, h, name)
	case tar.TypeSymlink:
		return u.symlink(h, name)
	case tar.TypeLink:
		to, err := local(h.Linkname)
		if err == nil {
			err = u.root.Link(to, name)
		}
		if err != nil {
			return refuse(h.Name, err)
		}
		return nil
	}
	return refuse(h.Name, errors.New("it is neither file, directory nor link"))
}

// realParents refuses names that lead through a link: what a relative link in
// such a place points to cannot be told from its text.
func (u *unpacker) realParents(name string) error {
	for dir := filepath.Dir(name); dir != "."; dir = filepath.Dir(dir) {
		st, err := u.root.Lstat(dir)
		if err != nil {
			return err
		}
		if !st.IsDir() {
			return fmt.Errorf("it leads through the link %s", dir)
		}
	}
	return nil
}

func (u *unpacker) file(t *tar.Reader, h *tar.Header, name string) error {
	f, err := u.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return refuse(h.Name, err)
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{f}, t, make([]byte, 256<<10))
	if err == nil {
		err = f.Chmod(mode(h))
	}
	if err = errors.Join(err, f.Close()); err != nil {
		if errors.Is(err, syscall.ENOSPC) {
			return fmt.Errorf("cannot unpack the kit: the disk is full after %d MB", u.done>>20)
		}
		return damaged(err)
	}
	u.done += h.Size
	u.progress(u.done)
	return u.root.Chtimes(name, h.ModTime, h.ModTime)
}

func (u *unpacker) symlink(h *tar.Header, name string) error {
	to := filepath.FromSlash(h.Linkname)
	if filepath.IsAbs(to) || !filepath.IsLocal(filepath.Join(filepath.Dir(name), to)) {
		return refuse(h.Name, errors.New("it is a link that points out of the kit"))
	}
	if err := u.root.Symlink(to, name); err != nil {
		return refuse(h.Name, err)
	}
	return nil
}

// setTimes comes last, because files change the times of their directories.
func (u *unpacker) setTimes() error {
	for i := len(u.dirs) - 1; i >= 0; i-- {
		name, err := local(u.dirs[i].Name)
		if err != nil {
			return err
		}
		if t := u.dirs[i].ModTime; t.After(time.Unix(0, 0)) {
			if err := u.root.Chtimes(name, t, t); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return refuse(u.dirs[i].Name, err)
			}
		}
	}
	return nil
}

// mode keeps what may be executed and lets everybody read, as the installer
// wants it; setuid means nothing in a kit and is dropped.
func mode(h *tar.Header) fs.FileMode { return h.FileInfo().Mode().Perm()&^0o022 | 0o644 }

// local cleans an archive's name and refuses those that lead out.
func local(name string) (string, error) {
	clean := filepath.Clean(filepath.FromSlash(name))
	if strings.ContainsRune(name, 0) || filepath.IsAbs(name) || !filepath.IsLocal(clean) {
		return "", refuse(name, errors.New("the name leads out of the kit"))
	}
	return clean, nil
}

func refuse(name string, err error) error {
	return fmt.Errorf("cannot unpack the kit: %q: %v", name, err)
}

// installers are the programs by which kits are installed: of IRIS, of the
// ISCAgent, of the Web Gateway.
var installers = []string{installer, "agentinstall", "install/GatewayInstall"}

func anyInstaller() string { return strings.Join(installers, " and no ") }

// FindInstaller returns the directory that holds the installer: dir itself or
// one directly in it. Some kits unpack flat.
func FindInstaller(dir string) (string, error) {
	if holdsInstaller(dir) {
		return dir, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", fmt.Errorf("cannot find the installer: %v", err)
	}
	for _, e := range entries {
		if sub := filepath.Join(dir, e.Name()); e.IsDir() && holdsInstaller(sub) {
			return sub, nil
		}
	}
	return "", fmt.Errorf("cannot find the installer: there is no %s in the kit", anyInstaller())
}

func holdsInstaller(dir string) bool {
	return slices.ContainsFunc(installers, func(name string) bool { return isFile(filepath.Join(dir, name)) })
}

func isFile(path string) bool {
	st, err := os.Lstat(path)
	return err == nil && st.Mode().IsRegular()
}
