package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"icm/internal/atomicfile"
)

// maxPut bounds a file that is taken, in bytes. Kits have some 2 GB.
const maxPut = 64 << 30

// put takes a file of a known size and sha256 from standard input and puts it
// into the directory "incoming", under its name only when it is whole.
func put(ctx context.Context, w world, name, size, sum string) error {
	want, err := strconv.ParseInt(size, 10, 64)
	if err != nil || want < 0 || want > maxPut {
		return fmt.Errorf("cannot take %q: %q is not a size up to %d bytes", name, size, int64(maxPut))
	}
	if name == "" || name != filepath.Base(name) || strings.HasPrefix(name, ".") || strings.ContainsAny(name, "/\x00\n") {
		return fmt.Errorf("cannot take %q: it is not a plain file name", name)
	}
	if raw, err := hex.DecodeString(sum); err != nil || len(raw) != sha256.Size {
		return fmt.Errorf("cannot take %q: %q is not a sha256", name, sum)
	}
	dir := filepath.Join(w.home(), "incoming")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("cannot take %q: %w", name, err)
	}
	if err := take(ctx, w.In, filepath.Join(dir, name), want, strings.ToLower(sum)); err != nil {
		return fmt.Errorf("cannot take %q: %w", name, err)
	}
	return nil
}

// take writes to a file of its own and renames: two transfers of one name, such
// as one that lost its line and the one that came after it, do not write into
// each other's.
func take(ctx context.Context, in io.Reader, path string, size int64, sum string) (err error) {
	if err := sweep(path); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), partPrefix(path)+"*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, gone(os.Remove(f.Name())))
		}
	}()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return errors.Join(err, f.Close())
	}
	err = copyVerified(ctx, f, in, size, sum)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return atomicfile.SyncDir(filepath.Dir(path))
}

func partPrefix(path string) string { return "." + filepath.Base(path) + ".part-" }

// sweep removes what broken transfers of a file left: parts that nobody has
// locked. One that is just being made may be lost by that, which its transfer
// notices when it renames.
func sweep(path string) error {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), partPrefix(path)) {
			continue
		}
		part := filepath.Join(filepath.Dir(path), e.Name())
		f, err := os.Open(part)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			err = gone(os.Remove(part))
		}
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	return nil
}

func gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// copyVerified copies exactly size bytes and compares their sha256. One byte
// more than announced is an error, and is not written.
func copyVerified(ctx context.Context, out io.Writer, in io.Reader, size int64, sum string) error {
	hash := sha256.New()
	n, err := io.Copy(io.MultiWriter(out, hash), io.LimitReader(ctxReader{ctx, in}, size))
	if err != nil {
		return err
	}
	if n < size {
		return fmt.Errorf("%d of %d bytes came: %w", n, size, io.ErrUnexpectedEOF)
	}
	if extra, _ := in.Read(make([]byte, 1)); extra > 0 {
		return fmt.Errorf("more than the %d bytes announced came", size)
	}
	if got := hex.EncodeToString(hash.Sum(nil)); got != sum {
		return fmt.Errorf("its sha256 is %s, not %s", got, sum)
	}
	return nil
}

// ctxReader stops reading when ctx ends, between two reads.
type ctxReader struct {
	ctx context.Context
	in  io.Reader
}

func (r ctxReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.in.Read(p)
}
