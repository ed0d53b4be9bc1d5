package kitfile

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"icm/internal/hint"
)

const chunk = 4 << 20

// ctxReader ends reading when ctx ends.
type ctxReader struct {
	ctx context.Context
	r   io.Reader
}

func (c ctxReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

func copyContext(ctx context.Context, w io.Writer, r io.Reader) error {
	_, err := io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{ctxReader{ctx, r}}, make([]byte, chunk))
	return err
}

// Sum returns the SHA-256 of a file in lower-case hex.
func Sum(ctx context.Context, path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if err := copyContext(ctx, h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Check proves that an archive is whole and returns its SHA-256: the sum is the
// one wanted, if one is; the compressed stream ends with the right checksum;
// what is in it is a tar archive with an installer.
func Check(ctx context.Context, path, want string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	damage := walk(ctx, io.TeeReader(f, h))
	if err := copyContext(ctx, h, f); err != nil { // what the walk left
		return "", err
	}
	got := hex.EncodeToString(h.Sum(nil))
	if want != "" && !strings.EqualFold(want, got) {
		return got, &hint.Error{
			Err:  fmt.Errorf("cannot use the kit: its SHA-256 is %s, but %s is expected", got, strings.ToLower(want)),
			Hint: "the file was damaged on its way or is another one; fetch it again, or correct the checksum",
		}
	}
	return got, damage
}

// walk reads an archive to its end.
func walk(ctx context.Context, r io.Reader) error {
	z, err := gzip.NewReader(ctxReader{ctx, r})
	if err != nil {
		return damaged(err)
	}
	t, found := tar.NewReader(z), false
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return damaged(err)
		}
		found = found || isInstaller(h.Name)
	}
	// tar ends before the stream does; the checksum is at the stream's end.
	if err := copyContext(ctx, io.Discard, z); err != nil {
		return damaged(err)
	}
	if !found {
		return &hint.Error{
			Err:  errors.New("cannot use the kit: there is no " + anyInstaller() + " in it"),
			Hint: "KitURL must name an installation kit for Linux, a gzipped tar file",
		}
	}
	return nil
}

func damaged(err error) error {
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return &hint.Error{
			Err:  errors.New("cannot use the kit: the file is cut off before its end"),
			Hint: "fetch it again; when it comes from a file address, copy it to the node again",
		}
	case errors.Is(err, gzip.ErrHeader):
		return &hint.Error{
			Err:  errors.New("cannot use the kit: it is not a gzipped file"),
			Hint: "a login page of the web server looks like that too: open KitURL in a browser",
		}
	case errors.Is(err, gzip.ErrChecksum):
		return errors.New("cannot use the kit: its contents do not match its own checksum")
	}
	return fmt.Errorf("cannot use the kit: it is damaged: %v", err)
}
