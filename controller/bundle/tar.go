package bundle

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"icm/internal/hint"
)

// The members of a bundle. Chunks are called chunks/SHA256, or with .zst behind.
const (
	memberSignature = "manifest.json.minisig"
	memberManifest  = "manifest.json"
	memberChunks    = "chunks/"
	memberPacked    = ".zst"
	tarBlock        = 512
	maxSignature    = 4 << 10
)

// header is the header of a member. Bundles are reproducible: nothing in it
// depends on when, where and by whom.
func header(name string, size int) *tar.Header {
	return &tar.Header{Name: name, Size: int64(size), Mode: 0o644, Typeflag: tar.TypeReg, Format: tar.FormatUSTAR, ModTime: time.Unix(0, 0)}
}

// members walks over a bundle. Nothing but plain files with the names of bundles
// is let through: no links, no devices, no other paths.
type members struct {
	tar *tar.Reader
	in  *counter
	end int64 // where the last member ends, with its padding
}

// counter counts the bytes of what is read, or sought over.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// seekCounter is for files: the tar reader seeks over what nobody reads.
type seekCounter struct {
	*counter
	s io.Seeker
}

func (c seekCounter) Seek(offset int64, whence int) (int64, error) {
	n, err := c.s.Seek(offset, whence)
	if err == nil {
		c.n = n
	}
	return n, err
}

func newMembers(r io.Reader) *members {
	in := &counter{r: r}
	m := &members{in: in}
	if s, ok := r.(io.Seeker); ok {
		m.tar = tar.NewReader(seekCounter{in, s})
	} else {
		m.tar = tar.NewReader(in)
	}
	return m
}

// next returns the name and size of the next member, "" at the proper end.
func (m *members) next() (name string, size int64, err error) {
	h, err := m.tar.Next()
	if errors.Is(err, io.EOF) {
		return "", 0, m.atEnd()
	}
	if err != nil {
		return "", 0, notWhole(err)
	}
	if h.Typeflag != tar.TypeReg || h.Linkname != "" || len(h.PAXRecords) > 0 || h.Format != tar.FormatUSTAR {
		return "", 0, fmt.Errorf("the bundle is refused: %q in it is no plain file", h.Name)
	}
	m.end = m.in.n + (h.Size+tarBlock-1)/tarBlock*tarBlock
	return h.Name, h.Size, nil
}

// atEnd tells the end of a bundle from a place where it was cut off, and refuses
// what stands behind it.
func (m *members) atEnd() error {
	if m.in.n != m.end+2*tarBlock {
		return notWhole(io.ErrUnexpectedEOF)
	}
	if n, err := io.ReadFull(m.in, make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		return errors.New("the bundle is damaged: something stands behind its end")
	}
	return nil
}

// read reads the member that next came to, which has at most limit bytes.
func (m *members) read(name string, size, limit int64) ([]byte, error) {
	if size > limit {
		return nil, fmt.Errorf("the bundle is refused: %s has %d bytes, more than the %d it may have", name, size, limit)
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(m.tar, data); err != nil {
		return nil, notWhole(err)
	}
	return data, nil
}

func notWhole(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return hint.New(errors.New("the bundle is cut off before its end"), "copy it again, and compare its size")
	}
	if errors.Is(err, tar.ErrHeader) {
		return hint.New(errors.New("the bundle is damaged, or this is no bundle"), "copy it again; icm bundle build makes bundles")
	}
	return fmt.Errorf("cannot read the bundle: %w", err)
}

// chunkName takes the name of a chunk's member apart.
func chunkName(name string) (sum string, compressed, ok bool) {
	sum, ok = strings.CutPrefix(name, memberChunks)
	sum, compressed = strings.CutSuffix(sum, memberPacked)
	return sum, compressed, ok && sumPattern.MatchString(sum)
}

func (p packed) member(sum string) string {
	if p.compressed {
		return memberChunks + sum + memberPacked
	}
	return memberChunks + sum
}

// head reads signature and manifest, which come first.
func (m *members) head() (signature, manifest []byte, err error) {
	for _, part := range []struct {
		name  string
		limit int64
		into  *[]byte
	}{{memberSignature, maxSignature, &signature}, {memberManifest, maxManifest, &manifest}} {
		name, size, err := m.next()
		if err != nil && m.end == 0 {
			return nil, nil, hint.New(errors.New("this is no bundle, or only the beginning of one"), "icm bundle build makes bundles")
		}
		if err != nil {
			return nil, nil, err
		}
		if name != part.name {
			return nil, nil, hint.New(fmt.Errorf("this is no bundle: %s is not where it should be", part.name), "icm bundle build makes bundles")
		}
		if *part.into, err = m.read(name, size, part.limit); err != nil {
			return nil, nil, err
		}
	}
	return signature, manifest, nil
}
