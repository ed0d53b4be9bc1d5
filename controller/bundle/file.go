package bundle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path"
	"regexp"
	"slices"

	"icm/controller/kitsource"
	"icm/controller/signing"
	"icm/internal/hint"
)

// Bundle is a bundle whose signature was verified, with the places that its
// chunks may lie in.
type Bundle struct {
	Manifest *Manifest
	Digest   string // sha256 of the manifest
	Key      signing.Public
	// Base is the digest of the bundle that a delta bundle needs; "" for a full one.
	Base string
	// Path is the file's; "" for one in the store.
	Path string

	signature, text []byte // as signed
	places          places
	close           func() error
}

// comment is the trusted comment of a bundle's signature.
func comment(m *Manifest, base *Bundle) string {
	text := fmt.Sprintf("icm bundle %s issued %s", m.Name, m.Issued)
	if base != nil {
		text += " based on " + base.Digest
	}
	return text
}

var commentPattern = regexp.MustCompile(`^icm bundle (\S+) issued (\S+)(?: based on ([0-9a-f]{64}))?$`)

// verified checks the signature first and reads the manifest then.
func verified(signature, text []byte, keys []signing.Public) (*Bundle, error) {
	s, err := signing.ParseSignature(signature)
	if err != nil {
		return nil, fmt.Errorf("the bundle is refused: %w", err)
	}
	key, err := s.Verify(keys, text)
	if errors.Is(err, signing.ErrUnknownKey) {
		return nil, hint.New(fmt.Errorf("the bundle is refused: %w", err), "if the key is the right one, pin it: icm bundle pin FILE.pub")
	}
	if err != nil {
		return nil, hint.New(fmt.Errorf("the bundle is refused: %w", err), "get it again from where it was made")
	}
	m, err := Parse(text)
	if err != nil {
		return nil, err
	}
	said := commentPattern.FindStringSubmatch(s.Comment)
	if said == nil || said[1] != m.Name || said[2] != m.Issued {
		return nil, fmt.Errorf("the bundle is refused: its signature is of something else: %s", s.Comment)
	}
	return &Bundle{Manifest: m, Digest: digest(text), Key: key, Base: said[3], signature: signature, text: text}, nil
}

// Open opens a bundle file, which must be signed with one of the keys. Chunks
// that a delta bundle leaves out are looked for in the store, which may be nil.
func Open(file string, keys []signing.Public, store *Store) (*Bundle, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	b, err := open(f, keys)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", file, err), f.Close())
	}
	b.Path = file
	if store != nil && b.Base != "" {
		b.places = append(b.places, store)
	}
	return b, nil
}

func open(f *os.File, keys []signing.Public) (*Bundle, error) {
	m := newMembers(f)
	signature, text, err := m.head()
	if err != nil {
		return nil, err
	}
	b, err := verified(signature, text, keys)
	if err != nil {
		return nil, err
	}
	in := &inFile{file: f, spots: map[string]spot{}}
	want := newOrder(b.Manifest)
	for {
		name, size, err := m.next()
		if err != nil {
			return nil, err
		}
		if name == "" {
			break
		}
		c, compressed, err := want.next(name, size)
		if err != nil {
			return nil, err
		}
		in.spots[c.SHA256] = spot{at: m.in.n, size: int(size), compressed: compressed}
	}
	b.places, b.close = places{in}, f.Close
	return b, nil
}

// order checks that the chunks of a bundle come in the order of its manifest,
// each once, and nothing else.
type order struct{ left []Chunk }

func newOrder(m *Manifest) *order { return &order{m.chunks()} }

func (o *order) next(name string, size int64) (Chunk, bool, error) {
	sum, compressed, ok := chunkName(name)
	if !ok {
		return Chunk{}, false, fmt.Errorf("the bundle is refused: %q does not belong into one", name)
	}
	for i, c := range o.left {
		if c.SHA256 != sum {
			continue
		}
		if size > int64(c.Size) || !compressed && size != int64(c.Size) {
			return c, false, fmt.Errorf("the bundle is refused: %s has %d bytes, the manifest says %d", name, size, c.Size)
		}
		o.left = o.left[i+1:]
		return c, compressed, nil
	}
	return Chunk{}, false, fmt.Errorf("the bundle is refused: its manifest does not name %s, or not there", name)
}

// inFile are the chunks in a bundle file.
type inFile struct {
	file  io.ReaderAt
	spots map[string]spot
}

type spot struct {
	at         int64
	size       int
	compressed bool
}

func (p *inFile) find(c Chunk) (packed, error) {
	s, ok := p.spots[c.SHA256]
	if !ok {
		return packed{}, errNoChunk
	}
	data := make([]byte, s.size)
	if _, err := p.file.ReadAt(data, s.at); err != nil {
		return packed{}, err
	}
	return packed{data, s.compressed}, nil
}

func (p *inFile) has(c Chunk) bool {
	_, ok := p.spots[c.SHA256]
	return ok
}

// Close closes the bundle. What was opened of it cannot be read any more.
func (b *Bundle) Close() error {
	if b.close == nil {
		return nil
	}
	return b.close()
}

// With adds a base, for the chunks that a delta bundle leaves out.
func (b *Bundle) With(base *Bundle) { b.places = append(b.places, base.places...) }

// explain says what it means that a chunk is missing or damaged.
func (b *Bundle) explain(err error) error {
	switch {
	case errors.Is(err, errNoChunk) && b.Base != "":
		return hint.New(fmt.Errorf("this is a delta bundle, and its base %s is not here", b.Base[:16]), "load the base first, or ask for the full bundle")
	case errors.Is(err, errNoChunk):
		return hint.New(errors.New("the bundle is damaged: a chunk is missing"), "copy it again")
	case errors.Is(err, ErrDamaged) && b.Base != "":
		return hint.New(fmt.Errorf("the delta bundle or its base %s cannot be used: %w", b.Base[:16], err), "ask for the full bundle")
	case errors.Is(err, ErrDamaged):
		return hint.New(fmt.Errorf("the bundle cannot be used: %w", err), "copy it again")
	}
	return err
}

// Check reads everything and compares every file with its sha256.
func (b *Bundle) Check(ctx context.Context, moved func(done int64)) error {
	var done int64
	for _, f := range b.Manifest.Files {
		h := sha256.New()
		in := chunkReader(b.places, f)
		for {
			if err := ctx.Err(); err != nil {
				return err
			}
			n, err := io.CopyN(h, in, maxChunk)
			if done += n; moved != nil {
				moved(done)
			}
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return fmt.Errorf("%s: %w", f.Path, b.explain(err))
			}
		}
		if got := hex.EncodeToString(h.Sum(nil)); got != f.SHA256 {
			return wrongSum(f)
		}
	}
	return nil
}

// Reader reads one file. Its sha256 is compared at the end: whoever gets io.EOF
// has got what was signed.
func (b *Bundle) Reader(f File) io.Reader {
	return &checkedReader{b: b, f: f, in: chunkReader(b.places, f), sum: sha256.New()}
}

type checkedReader struct {
	b   *Bundle
	f   File
	in  io.Reader
	sum hash.Hash
}

func (r *checkedReader) Read(p []byte) (int, error) {
	n, err := r.in.Read(p)
	r.sum.Write(p[:n])
	switch {
	case err == nil:
	case !errors.Is(err, io.EOF):
		err = fmt.Errorf("%s: %w", r.f.Path, r.b.explain(err))
	case hex.EncodeToString(r.sum.Sum(nil)) != r.f.SHA256:
		err = wrongSum(r.f)
	}
	return n, err
}

// wrongSum is the error of a file whose chunks are right and whose sum is not.
func wrongSum(f File) error {
	return fmt.Errorf("%s: its chunks are those of the manifest, its sha256 is not: the bundle was made wrong", f.Path)
}

// ID names the bundle for those who keep records.
func (b *Bundle) ID() kitsource.Bundle {
	return kitsource.Bundle{Name: b.Manifest.Name, Issued: b.Manifest.Issued, Digest: b.Digest, Key: b.Key.ID()}
}

// Kit makes a source of a kit in the bundle, which must stay open. All its chunks
// are there; what they hold is compared when they are read.
func (b *Bundle) Kit(name string) (kitsource.Source, error) {
	f, ok := b.Manifest.kit(name)
	if !ok {
		return kitsource.Source{}, hint.New(fmt.Errorf("there is no kit %s in bundle %s of %s", name, b.Manifest.Name, b.Manifest.Issued), "icm bundle ls shows what is in it")
	}
	if !slices.ContainsFunc(f.Chunks, func(c Chunk) bool { return !b.places.has(c) }) {
		return b.source(f), nil
	}
	return kitsource.Source{}, fmt.Errorf("%s: %w", f.Path, b.explain(errNoChunk))
}

func (b *Bundle) source(f File) kitsource.Source {
	src := kitsource.New(path.Base(f.Path), f.Size, f.SHA256, func() (kitsource.Content, error) {
		return newContent(b, f), nil
	})
	src.Bundle = b.ID()
	return src
}
