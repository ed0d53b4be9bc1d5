package bundle

import (
	"archive/tar"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"icm/controller/signing"
)

// Input is a file that goes into a bundle. It is read twice.
type Input struct {
	File // without Size, SHA256 and Chunks
	Open func() (io.ReadCloser, error)
}

// BuildOptions say what goes into a bundle.
type BuildOptions struct {
	Name   string
	Issued time.Time
	Icm    string // build of this icm
	Inputs []Input
	Key    signing.Private
	// Base makes a delta bundle: chunks that the base has are left out.
	Base *Bundle
	// SBOM makes the bill of materials, when all the other files are known.
	SBOM func(*Manifest) ([]byte, error)
	// Moved is told how many bytes were read, of all there are to read.
	Moved func(done int64)
}

// Built is what a bundle became.
type Built struct {
	Manifest *Manifest
	Digest   string
	Chunks   int   // that are in the file
	Left     int   // that the base has
	Size     int64 // of the bundle, bytes
}

// Build writes a bundle. The same options and inputs give the same bytes.
// Inputs are read once for the manifest, which comes first, and again for the
// chunks: nothing is kept in memory or beside the output.
func Build(ctx context.Context, out io.Writer, o BuildOptions) (*Built, error) {
	b := &builder{ctx: ctx, o: o, inputs: slices.Clone(o.Inputs)}
	m, err := b.manifest()
	if err != nil {
		return nil, fmt.Errorf("cannot build the bundle: %w", err)
	}
	text, err := m.encode()
	if err == nil {
		_, err = Parse(text)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot build the bundle: %w", err)
	}
	count := &countWriter{w: out}
	b.out = tar.NewWriter(count)
	if err := b.write(m, text); err != nil {
		return nil, fmt.Errorf("cannot build the bundle: %w", err)
	}
	return &Built{Manifest: m, Digest: digest(text), Chunks: b.written, Left: b.left, Size: count.n}, nil
}

type builder struct {
	ctx     context.Context //nolint:containedctx // lives for one call of Build
	o       BuildOptions
	inputs  []Input
	out     *tar.Writer
	done    map[string]bool
	written int
	left    int
	moved   int64
}

func (b *builder) manifest() (*Manifest, error) {
	m := &Manifest{Format: manifestFormat, Name: b.o.Name, Issued: b.o.Issued.UTC().Format(time.RFC3339), Icm: b.o.Icm, Files: []File{}}
	byPath := func(x, y Input) int { return cmp.Compare(x.Path, y.Path) }
	slices.SortFunc(b.inputs, byPath)
	for i, in := range b.inputs {
		if i > 0 && b.inputs[i-1].Path == in.Path {
			return nil, fmt.Errorf("two files would be %s", in.Path)
		}
		f, err := b.measure(in)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", in.Path, err)
		}
		m.Files = append(m.Files, f)
	}
	if b.o.SBOM == nil {
		return m, nil
	}
	text, err := b.o.SBOM(m)
	if err != nil {
		return nil, err
	}
	in := Input{File: File{Path: "sbom.cdx.json", Kind: KindSBOM}, Open: Bytes(text)}
	f, err := b.measure(in)
	if err != nil {
		return nil, err
	}
	m.Files, b.inputs = append(m.Files, f), append(b.inputs, in)
	slices.SortFunc(m.Files, func(x, y File) int { return cmp.Compare(x.Path, y.Path) })
	slices.SortFunc(b.inputs, byPath)
	return m, nil
}

// Bytes opens what is in memory.
func Bytes(data []byte) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
}

// measure reads a file for the first time.
func (b *builder) measure(in Input) (File, error) {
	f := in.File
	f.Chunks = []Chunk{}
	whole := sha256.New()
	err := b.each(in, func(c Chunk, data []byte) error {
		whole.Write(data)
		f.Size += int64(c.Size)
		f.Chunks = append(f.Chunks, c)
		return nil
	})
	f.SHA256 = hex.EncodeToString(whole.Sum(nil))
	return f, err
}

func (b *builder) each(in Input, do func(c Chunk, data []byte) error) (err error) {
	r, err := in.Open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	return eachChunk(r, func(c Chunk, data []byte) error {
		if err := b.ctx.Err(); err != nil {
			return err
		}
		if b.moved += int64(c.Size); b.o.Moved != nil {
			b.o.Moved(b.moved)
		}
		return do(c, data)
	})
}

func (b *builder) write(m *Manifest, text []byte) error {
	signature := signing.Sign(b.o.Key, text, comment(m, b.o.Base))
	if err := errors.Join(b.member(memberSignature, signature), b.member(memberManifest, text)); err != nil {
		return err
	}
	b.done = map[string]bool{}
	if b.o.Base != nil {
		for _, c := range b.o.Base.Manifest.chunks() {
			b.done[c.SHA256] = true
		}
		for _, c := range m.chunks() {
			if b.done[c.SHA256] {
				b.left++
			}
		}
	}
	for i, in := range b.inputs {
		if err := b.chunks(in, m.Files[i]); err != nil {
			return fmt.Errorf("%s: %w", in.Path, err)
		}
	}
	return b.out.Close()
}

// chunks reads a file for the second time.
func (b *builder) chunks(in Input, f File) error {
	n := 0
	err := b.each(in, func(c Chunk, data []byte) error {
		if n >= len(f.Chunks) || f.Chunks[n] != c {
			return errChanged
		}
		n++
		if b.done[c.SHA256] {
			return nil
		}
		b.done[c.SHA256] = true
		b.written++
		p := pack(data)
		return b.member(p.member(c.SHA256), p.data)
	})
	if err == nil && n != len(f.Chunks) {
		err = errChanged
	}
	return err
}

var errChanged = errors.New("it was changed while it was read")

func (b *builder) member(name string, data []byte) error {
	if err := b.out.WriteHeader(header(name, len(data))); err != nil {
		return err
	}
	_, err := b.out.Write(data)
	return err
}

type countWriter struct {
	w io.Writer
	n int64
}

func (c *countWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}
