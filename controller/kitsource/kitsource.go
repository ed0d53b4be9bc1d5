package kitsource

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

	"icm/internal/hint"
	"icm/internal/kitname"
)

// Content is a kit that is open. ReadAt may be called by many goroutines at once.
type Content interface {
	io.ReaderAt
	io.Closer
}

// Source is a kit on the controller's disk.
type Source struct {
	Name   string // base name: IRIS-2023.1.0.235.1-lnxrh8x64.tar.gz
	Size   int64  // bytes
	SHA256 string // of the whole kit, lower-case hex
	// Bundle is what the kit lies in; zero for a file of its own.
	Bundle Bundle

	open func() (Content, error)
}

// Bundle names a bundle for those who keep records.
type Bundle struct {
	Name   string `json:"name"`
	Issued string `json:"issued"` // RFC 3339
	Digest string `json:"digest"` // sha256 of its signed manifest, hex
	Key    string `json:"key"`    // id of the key that signed it
}

// New makes a source of something that can be opened again and again.
func New(name string, size int64, sum string, open func() (Content, error)) Source {
	return Source{Name: name, Size: size, SHA256: sum, open: open}
}

// Open opens the kit. What is read from a file is not compared with the sha256
// on the way: whoever receives the kit does that. A bundle gives no byte that
// its manifest does not vouch for.
func (s Source) Open() (Content, error) {
	if s.open == nil {
		return nil, fmt.Errorf("cannot open kit %s: it has no source", s.Name)
	}
	c, err := s.open()
	if err != nil {
		return nil, fmt.Errorf("cannot open kit %s: %w", s.Name, err)
	}
	return c, nil
}

// Reader reads a source from its beginning to its end.
func (s Source) Reader() (io.ReadCloser, error) {
	c, err := s.Open()
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.NewSectionReader(c, 0, s.Size), c}, nil
}

// File makes a source of a kit that is a file of its own. It reads the file once,
// for its sha256. A name that is no kit's is refused: the name tells version
// and platform.
func File(ctx context.Context, path string) (Source, error) {
	s := Source{Name: filepath.Base(path)}
	if _, err := kitname.Parse(s.Name); err != nil {
		return s, err
	}
	f, err := os.Open(path)
	if err != nil {
		return s, unreadable(path, err)
	}
	defer f.Close()
	before, err := f.Stat()
	if err != nil {
		return s, unreadable(path, err)
	}
	if !before.Mode().IsRegular() {
		return s, fmt.Errorf("cannot use kit %s: it is not a file", path)
	}
	h := sha256.New()
	if s.Size, err = io.Copy(h, ctxReader{ctx, f}); err != nil {
		return s, unreadable(path, err)
	}
	s.SHA256 = hex.EncodeToString(h.Sum(nil))
	s.open = func() (Content, error) { return unchanged(path, before) }
	return s, nil
}

// unchanged opens a file that must be the one whose sha256 is known.
func unchanged(path string, before fs.FileInfo) (Content, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	now, err := f.Stat()
	if err == nil && (!os.SameFile(before, now) || now.Size() != before.Size() || !now.ModTime().Equal(before.ModTime())) {
		err = fmt.Errorf("%s was changed while it was in use", path)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func unreadable(path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return hint.New(fmt.Errorf("there is no kit %s on this machine", path), "the name is that of a file beside icm; file:/// in KitURL names one on the nodes")
	}
	return fmt.Errorf("cannot read kit %s: %w", path, err)
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
