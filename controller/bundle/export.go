package bundle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"

	"icm/internal/hint"
)

// Export writes the files of a bundle that match a pattern below a directory,
// which is made. Each is whole or not there; a file that exists is only replaced
// by force. "" is every file, and then manifest and signature come too, for
// minisign.
func (b *Bundle) Export(ctx context.Context, dir, pattern string, force bool, wrote func(path string)) error {
	files, err := b.matching(pattern)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("cannot export: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("cannot export: %w", err)
	}
	defer root.Close()
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := writeFile(root, f.Path, b.Reader(f), f.mode(), force); err != nil {
			return fmt.Errorf("cannot export: %w", err)
		}
		wrote(filepath.Join(dir, f.Path))
	}
	if pattern != "" {
		return nil
	}
	for name, data := range map[string][]byte{memberManifest: b.text, memberSignature: b.signature} {
		in, err := Bytes(data)()
		if err == nil {
			err = writeFile(root, name, in, 0o644, true)
		}
		if err != nil {
			return fmt.Errorf("cannot export: %w", err)
		}
	}
	return nil
}

func (f File) mode() os.FileMode {
	if f.Executable {
		return 0o755
	}
	return 0o644
}

// matching are the files whose path, or base name, or one of whose directories
// matches.
func (b *Bundle) matching(pattern string) ([]File, error) {
	if pattern == "" {
		return b.Manifest.Files, nil
	}
	if _, err := path.Match(pattern, ""); err != nil {
		return nil, fmt.Errorf("%q is no pattern", pattern)
	}
	var out []File
	for _, f := range b.Manifest.Files {
		names := []string{path.Base(f.Path)}
		for p := f.Path; p != "."; p = path.Dir(p) {
			names = append(names, p)
		}
		if slices.ContainsFunc(names, func(name string) bool { ok, _ := path.Match(pattern, name); return ok }) {
			out = append(out, f)
		}
	}
	if len(out) == 0 {
		return nil, hint.New(fmt.Errorf("nothing in the bundle matches %q", pattern), "icm bundle ls shows what is in it")
	}
	return out, nil
}

// writeFile writes to the side and renames. A root lets nothing out of its
// directory, whatever links lie in it.
func writeFile(root *os.Root, name string, in io.Reader, mode os.FileMode, force bool) (err error) {
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	if _, err := root.Lstat(name); err == nil && !force {
		return hint.New(fmt.Errorf("%s exists already", name), "-force writes over it")
	}
	part := path.Join(path.Dir(name), "."+path.Base(name)+".part")
	if err := root.Remove(part); gone(err) != nil {
		return err
	}
	out, err := root.OpenFile(part, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, gone(root.Remove(part)))
		}
	}()
	_, err = io.Copy(out, in)
	if err == nil {
		err = out.Chmod(mode)
	}
	if err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return err
	}
	return root.Rename(part, name)
}
