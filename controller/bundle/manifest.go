package bundle

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"icm/internal/hint"
)

const manifestFormat = 1

// Bounds of what is read. A kit has some 1.1 GB, a bundle some 20.
const (
	maxManifest = 64 << 20 // bytes
	maxFiles    = 200_000
	maxTotal    = 4 << 40 // bytes, of all files
)

// Kinds of files in a bundle.
const (
	KindIcm        = "icm"
	KindProvider   = "provider"
	KindAgent      = "agent"
	KindKit        = "kit"
	KindISCAgent   = "iscagent"
	KindWebGateway = "webgateway"
	KindLicense    = "license"
	KindPackage    = "package"
	KindImage      = "image"
	KindTerraform  = "terraform"
	KindDoc        = "doc"
	KindSBOM       = "sbom"
	KindOther      = "file"
)

var kinds = []string{KindIcm, KindProvider, KindAgent, KindKit, KindISCAgent, KindWebGateway, KindLicense, KindPackage, KindImage, KindTerraform, KindDoc, KindSBOM, KindOther}

// Manifest says what is in a bundle.
type Manifest struct {
	Format int    `json:"format"`
	Name   string `json:"name"`   // of the series: a newer bundle has the same
	Issued string `json:"issued"` // RFC 3339, UTC, to the second
	Icm    string `json:"icm"`    // build that made it
	Files  []File `json:"files"`  // by path, ascending
}

// File is one file of a bundle.
type File struct {
	Path       string  `json:"path"` // with slashes, relative, clean
	Kind       string  `json:"kind"`
	Version    string  `json:"version,omitempty"`
	Platform   string  `json:"platform,omitempty"` // "linux-amd64", or as a kit calls it
	Executable bool    `json:"executable,omitempty"`
	Size       int64   `json:"size"`
	SHA256     string  `json:"sha256"`
	Chunks     []Chunk `json:"chunks"`
}

// Chunk is a part of a file.
type Chunk struct {
	SHA256 string `json:"sha256"`
	Size   int    `json:"size"`
}

var (
	namePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
	sumPattern  = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// encode is the one form of a manifest: signatures are of bytes.
func (m *Manifest) encode() ([]byte, error) {
	data, err := json.MarshalIndent(m, "", " ")
	return append(data, '\n'), err
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// Parse reads a manifest strictly: one form, nothing unknown, nothing out of
// bounds. Its caller has verified who signed it.
func Parse(data []byte) (*Manifest, error) {
	if len(data) > maxManifest {
		return nil, fmt.Errorf("the manifest has %d bytes, more than any bundle's", len(data))
	}
	var known struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(data, &known); err != nil {
		return nil, fmt.Errorf("the manifest is damaged: %v", err)
	}
	if known.Format != manifestFormat {
		return nil, hint.New(fmt.Errorf("the manifest has format %d, this icm knows format %d", known.Format, manifestFormat), "a newer icm made it: use that one")
	}
	var m Manifest
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return nil, fmt.Errorf("the manifest is damaged: %v", err)
	}
	if again, err := m.encode(); err != nil || !bytes.Equal(again, data) {
		return nil, fmt.Errorf("the manifest is damaged: it is not in the form that icm writes")
	}
	return &m, m.check()
}

func (m *Manifest) check() error {
	if !namePattern.MatchString(m.Name) {
		return fmt.Errorf("the manifest is damaged: %q cannot name a bundle", m.Name)
	}
	if t, err := time.Parse(time.RFC3339, m.Issued); err != nil || t.UTC().Format(time.RFC3339) != m.Issued {
		return fmt.Errorf("the manifest is damaged: %q is no time", m.Issued)
	}
	if len(m.Files) > maxFiles {
		return fmt.Errorf("the manifest names %d files, more than any bundle has", len(m.Files))
	}
	sizes := map[string]int{}
	var total int64
	for i, f := range m.Files {
		if i > 0 && m.Files[i-1].Path >= f.Path {
			return fmt.Errorf("the manifest is damaged: %q is not in its place", f.Path)
		}
		if err := f.check(sizes); err != nil {
			return err
		}
		if total += f.Size; total > maxTotal {
			return fmt.Errorf("the manifest names more than %d bytes", int64(maxTotal))
		}
	}
	return m.nested()
}

// nested refuses a file that is also a directory of another one.
func (m *Manifest) nested() error {
	files := map[string]bool{}
	for _, f := range m.Files {
		files[f.Path] = true
	}
	for _, f := range m.Files {
		for dir := path.Dir(f.Path); dir != "."; dir = path.Dir(dir) {
			if files[dir] {
				return fmt.Errorf("the manifest is damaged: %q is a file and a directory", dir)
			}
		}
	}
	return nil
}

// check checks one file; sizes are those of the chunks seen so far.
func (f File) check(sizes map[string]int) error {
	if err := checkPath(f.Path); err != nil {
		return err
	}
	if !slices.Contains(kinds, f.Kind) {
		return fmt.Errorf("the manifest is damaged: %s is of kind %q, which does not exist", f.Path, f.Kind)
	}
	if !sumPattern.MatchString(f.SHA256) || f.Size < 0 {
		return fmt.Errorf("the manifest is damaged: %s has size %d and sha256 %q", f.Path, f.Size, f.SHA256)
	}
	var size int64
	for _, c := range f.Chunks {
		if !sumPattern.MatchString(c.SHA256) || c.Size < 1 || c.Size > maxChunk {
			return fmt.Errorf("the manifest is damaged: %s has a chunk of %d bytes with sha256 %q", f.Path, c.Size, c.SHA256)
		}
		if known, seen := sizes[c.SHA256]; seen && known != c.Size {
			return fmt.Errorf("the manifest is damaged: chunk %s has two sizes", c.SHA256)
		}
		sizes[c.SHA256] = c.Size
		size += int64(c.Size)
	}
	if size != f.Size {
		return fmt.Errorf("the manifest is damaged: %s has %d bytes, its chunks have %d", f.Path, f.Size, size)
	}
	return nil
}

// checkPath refuses every path that could leave the directory that files are
// written to, or mean something else on another system.
func checkPath(p string) error {
	ok := p != "" && len(p) <= 512 && path.Clean(p) == p && !path.IsAbs(p) && p != "." && p != ".." && !strings.HasPrefix(p, "../")
	for _, r := range p {
		ok = ok && r >= 0x20 && r != 0x7f && r != '\\' && r != ':' && r != 0xfffd
	}
	if !ok {
		return fmt.Errorf("the manifest is refused: %q is no path inside a bundle", p)
	}
	return nil
}

// chunks are the chunks of a bundle, each once, in the order in which they are
// needed first.
func (m *Manifest) chunks() []Chunk {
	var out []Chunk
	seen := map[string]bool{}
	for _, f := range m.Files {
		for _, c := range f.Chunks {
			if !seen[c.SHA256] {
				seen[c.SHA256] = true
				out = append(out, c)
			}
		}
	}
	return out
}

// Size is that of all files, in bytes.
func (m *Manifest) Size() (sum int64) {
	for _, f := range m.Files {
		sum += f.Size
	}
	return sum
}

// Find returns a file by its path, or the only one of a kind with that base name.
func (m *Manifest) Find(kind, name string) (File, bool) {
	for _, f := range m.Files {
		if f.Kind == kind && path.Base(f.Path) == name {
			return f, true
		}
	}
	return File{}, false
}

// kit returns a kit of whatever product by its name.
func (m *Manifest) kit(name string) (File, bool) {
	for _, kind := range []string{KindKit, KindISCAgent, KindWebGateway} {
		if f, ok := m.Find(kind, name); ok {
			return f, true
		}
	}
	return File{}, false
}

// Of returns the files of a kind.
func (m *Manifest) Of(kind string) []File {
	var out []File
	for _, f := range m.Files {
		if f.Kind == kind {
			out = append(out, f)
		}
	}
	return out
}
