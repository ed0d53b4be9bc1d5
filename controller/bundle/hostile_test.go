package bundle

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"icm/controller/signing"
	"icm/internal/hint"
)

// refusedBy checks that no way into icm takes a bundle, and that nothing of it
// can be used afterwards. It returns what was said.
func refusedBy(t *testing.T, data []byte, public signing.Public) string {
	t.Helper()
	s := OpenStore(t.TempDir())
	b, err := load(t, s, data, public)
	if err == nil {
		t.Fatalf("a bad bundle was loaded: %+v", b.Manifest)
	}
	if text := err.Error(); strings.Contains(text, "panic") || len(text) < 20 {
		t.Errorf("%q is no sentence", text)
	}
	if all, err := s.List(); len(all) > 0 || err != nil {
		t.Errorf("the store has %d bundles, %v", len(all), err)
	}
	said := err.Error()
	o, err := Open(onDisk(t, data), []signing.Public{public}, nil)
	if err != nil {
		return said
	}
	defer o.Close()
	if err := o.Check(t.Context(), nil); err == nil {
		t.Errorf("a bad bundle can be used as a file: %s", said)
	}
	return said
}

func TestABundleCutOffAnywhereIsRefused(t *testing.T) {
	public, key := pair(t)
	data := build(t, key, contents(noise(1, 400_000)))
	step := len(data)/25 + 1
	for n := 0; n < len(data); n += step {
		refusedBy(t, data[:n], public)
	}
	for n := len(data) - 1100; n < len(data); n += 101 { // in the end, too
		if said := refusedBy(t, data[:n], public); !strings.Contains(said, "is cut off before its end") {
			t.Errorf("%d bytes of %d: %s", n, len(data), said)
		}
	}
	for n := 512; n < len(data); n += 512 * 181 { // between two members, too
		refusedBy(t, data[:n], public)
	}
	refusedBy(t, append(bytes.Clone(data), 0), public)
	refusedBy(t, append(bytes.Clone(data), data...), public)
}

func TestAManifestWithOneByteFlippedIsRefused(t *testing.T) {
	public, key := pair(t)
	data := build(t, key, contents(noise(1, 100_000)))
	begin := bytes.Index(data, []byte("untrusted comment: "))
	end := bytes.LastIndex(data, []byte("\n ]\n}\n")) + 6
	untrusted := begin + bytes.IndexByte(data[begin:], '\n') // nobody signs that line, and nobody reads it
	count := 0
	for i := 0; i < end; i += 13 {
		if i >= begin && i <= untrusted || data[i] == 0 {
			continue
		}
		bad := bytes.Clone(data)
		bad[i] ^= 1 << (i % 8)
		s := OpenStore(t.TempDir())
		if _, err := load(t, s, bad, public); err == nil {
			t.Errorf("byte %d of %d (%q) was flipped unnoticed", i, end, data[i])
		}
		count++
	}
	if count < 100 {
		t.Errorf("flipped only %d bytes", count)
	}
}

func TestAByteFlippedInAChunkIsRefused(t *testing.T) {
	public, key := pair(t)
	data := build(t, key, contents(noise(1, 300_000)))
	begin := bytes.LastIndex(data, []byte("\n ]\n}\n")) + 1500
	for i := begin; i < len(data)-2048; i += len(data) / 20 {
		bad := bytes.Clone(data)
		bad[i] ^= 0x10
		if bytes.Equal(data[i:i+1], []byte{0}) {
			continue // padding
		}
		refusedBy(t, bad, public)
	}
}

// manifestOf is a manifest with one file of one chunk, and its encoding.
func manifestOf(change func(*Manifest)) []byte {
	data := []byte("data")
	sum := sha256.Sum256(data)
	name := hex.EncodeToString(sum[:])
	m := &Manifest{Format: 1, Name: "acme", Issued: issued.Format(time.RFC3339), Icm: "1", Files: []File{{
		Path: "kits/" + kit, Kind: KindKit, Size: 4, SHA256: name, Chunks: []Chunk{{SHA256: name, Size: 4}},
	}}}
	change(m)
	text, err := m.encode()
	if err != nil {
		panic(err)
	}
	return text
}

func chunkMember(name string, data []byte) member { return member{*header(memberChunks+name, 0), data} }

func theChunk() member {
	sum := sha256.Sum256([]byte("data"))
	return chunkMember(hex.EncodeToString(sum[:]), []byte("data"))
}

func TestAForgedBundleOfOneChunkIsTakenWhenItIsRight(t *testing.T) {
	public, key := pair(t)
	if _, err := load(t, OpenStore(t.TempDir()), forge(t, key, manifestOf(func(*Manifest) {}), theChunk()), public); err != nil {
		t.Error(err) // else the tests below show nothing
	}
}

func TestPathsThatLeadOutAreRefusedEvenWhenTheyAreSigned(t *testing.T) {
	public, key := pair(t)
	for _, path := range []string{"../x", "/etc/passwd", "a/../../x", "..", ".", "", "a//b", "a/./b", "a/", `..\x`, `C:\x`, "C:x", "a\x00b", "a\nb", strings.Repeat("a", 600)} {
		text := manifestOf(func(m *Manifest) { m.Files[0].Path = path })
		if said := refusedBy(t, forge(t, key, text, theChunk()), public); !strings.Contains(said, "is no path inside a bundle") {
			t.Errorf("%q: %s", path, said)
		}
	}
}

func TestManifestsThatContradictThemselvesAreRefused(t *testing.T) {
	public, key := pair(t)
	twice := func(m *Manifest) { m.Files = append(m.Files, m.Files[0]) }
	for name, change := range map[string]func(*Manifest){
		"a newer format":               func(m *Manifest) { m.Format = 2 },
		"no name":                      func(m *Manifest) { m.Name = "" },
		"a name that is a path":        func(m *Manifest) { m.Name = "../acme" },
		"another time than was signed": func(m *Manifest) { m.Issued = "2026-03-04T05:06:08Z" },
		"a time that is none":          func(m *Manifest) { m.Issued = "yesterday" },
		"a kind that does not exist":   func(m *Manifest) { m.Files[0].Kind = "symlink" },
		"a device":                     func(m *Manifest) { m.Files[0].Kind = "device" },
		"one path twice":               twice,
		"a file that is a directory":   func(m *Manifest) { twice(m); m.Files[1].Path += "/x" },
		"a negative size":              func(m *Manifest) { m.Files[0].Size = -1 },
		"more than its chunks":         func(m *Manifest) { m.Files[0].Size = 5 },
		"a chunk that is too large":    func(m *Manifest) { m.Files[0].Size, m.Files[0].Chunks[0].Size = 1<<30, 1<<30 },
		"a chunk of no bytes":          func(m *Manifest) { m.Files[0].Size, m.Files[0].Chunks[0].Size = 0, 0 },
		"a sum that is a path":         func(m *Manifest) { m.Files[0].Chunks[0].SHA256 = "../../../../x" },
		"no sum":                       func(m *Manifest) { m.Files[0].SHA256 = "" },
		"another sum":                  func(m *Manifest) { m.Files[0].SHA256 = strings.Repeat("0", 64) },
		"a chunk that is missing":      func(m *Manifest) { m.Files[0].Chunks[0].SHA256 = strings.Repeat("0", 64) },
		"one chunk with two sizes": func(m *Manifest) {
			m.Files[0].Chunks = append(m.Files[0].Chunks, Chunk{m.Files[0].Chunks[0].SHA256, 3})
			m.Files[0].Size = 7
		},
	} {
		t.Run(name, func(t *testing.T) { refusedBy(t, forge(t, key, manifestOf(change), theChunk()), public) })
	}
	for name, change := range map[string]func(string) string{
		"an unknown field": func(s string) string { return strings.Replace(s, `"icm"`, `"extra": 1, "icm"`, 1) },
		"a field twice":    func(s string) string { return strings.Replace(s, `"icm"`, `"icm": "2", "icm"`, 1) },
		"another form":     func(s string) string { return s + " " },
		"two manifests":    func(s string) string { return s + s },
		"no JSON":          func(string) string { return "hello" },
	} {
		t.Run(name, func(t *testing.T) {
			refusedBy(t, forge(t, key, []byte(change(string(manifestOf(func(*Manifest) {})))), theChunk()), public)
		})
	}
}

func TestMembersThatDoNotBelongIntoABundleAreRefused(t *testing.T) {
	public, key := pair(t)
	good := manifestOf(func(*Manifest) {})
	typed := func(kind byte, name, link string) member {
		h := header(name, 0)
		h.Typeflag, h.Linkname = kind, link
		return member{header: *h}
	}
	chunk := theChunk()
	for name, members := range map[string][]member{
		"a symbolic link":        {typed(tar.TypeSymlink, chunk.header.Name, "/etc/passwd")},
		"a hard link":            {typed(tar.TypeLink, chunk.header.Name, "/etc/passwd")},
		"a device":               {typed(tar.TypeBlock, chunk.header.Name, "")},
		"a pipe":                 {typed(tar.TypeFifo, chunk.header.Name, "")},
		"a directory":            {typed(tar.TypeDir, memberChunks, "")},
		"a path that leads out":  {chunk, {*header("../x", 0), []byte("data")}},
		"an absolute path":       {chunk, {*header("/etc/x", 0), []byte("data")}},
		"a chunk nobody named":   {chunk, chunkMember(strings.Repeat("0", 64), []byte("data"))},
		"a chunk twice":          {chunk, chunk},
		"a second manifest":      {chunk, {*header(memberManifest, 0), good}},
		"a chunk that is longer": {chunkMember(strings.TrimPrefix(chunk.header.Name, memberChunks), []byte("data and more"))},
		"another chunk":          {chunkMember(strings.TrimPrefix(chunk.header.Name, memberChunks), []byte("DATA"))},
	} {
		t.Run(name, func(t *testing.T) { refusedBy(t, forge(t, key, good, members...), public) })
	}
}

func TestAChunkThatIsABombIsRefused(t *testing.T) {
	public, key := pair(t)
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	bomb := z.EncodeAll(make([]byte, 1<<30), nil) // 1 GiB in some 100 kB
	if len(bomb) > maxChunk {
		t.Fatalf("the bomb has %d bytes", len(bomb))
	}
	sum := strings.Repeat("a", 64)
	text := manifestOf(func(m *Manifest) {
		m.Files[0].Size, m.Files[0].Chunks[0] = maxChunk, Chunk{sum, maxChunk}
	})
	refusedBy(t, forge(t, key, text, chunkMember(sum+memberPacked, bomb)), public)
}

func TestAnExportStaysInItsDirectory(t *testing.T) {
	public, key := pair(t)
	b := opened(t, build(t, key, contents(noise(1, 1000))), public, nil)
	dir, outside := t.TempDir(), t.TempDir()
	if err := os.Symlink(outside, filepath.Join(dir, "docs")); err != nil {
		t.Fatal(err)
	}
	if err := b.Export(t.Context(), dir, "", false, func(string) {}); err == nil {
		t.Error("a link led out of the directory")
	}
	entries, err := os.ReadDir(outside)
	if err != nil || len(entries) > 0 {
		t.Errorf("%d files were written outside, %v", len(entries), err)
	}
}

func TestAnExportWritesOverNothingUnlessForced(t *testing.T) {
	public, key := pair(t)
	b := opened(t, build(t, key, contents(noise(1, 1000))), public, nil)
	dir := t.TempDir()
	path := filepath.Join(dir, "copy")
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := b.Export(t.Context(), dir, "copy", false, func(string) {}); err == nil || hint.Of(err) != "-force writes over it" {
		t.Errorf("Export() = %v", err)
	}
	if err := b.Export(t.Context(), dir, "copy", true, func(string) {}); err != nil {
		t.Error(err)
	}
	if data, err := os.ReadFile(path); err != nil || len(data) != 1000 {
		t.Errorf("%d bytes, %v", len(data), err)
	}
	if err := b.Export(t.Context(), dir, "*.iso", true, func(string) {}); err == nil || !strings.Contains(err.Error(), "nothing in the bundle matches") {
		t.Errorf("Export() = %v", err)
	}
	err := filepath.WalkDir(dir, func(p string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(p, ".part") {
			t.Errorf("%s was left behind", p)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestAnExportTakesFilesByPathNameOrDirectory(t *testing.T) {
	public, key := pair(t)
	b := opened(t, build(t, key, contents(noise(1, 1000))), public, nil)
	for pattern, want := range map[string]string{
		"bin":         "bin/linux-amd64/icm",
		"bin/*":       "bin/linux-amd64/icm",
		"icm":         "bin/linux-amd64/icm",
		"docs":        "docs/a.md docs/empty",
		"docs/a*":     "docs/a.md",
		"*/*/icm":     "bin/linux-amd64/icm",
		"[":           "",
		"doc":         "",
		"linux-amd64": "",
	} {
		files, err := b.matching(pattern)
		var got []string
		for _, f := range files {
			got = append(got, f.Path)
		}
		if strings.Join(got, " ") != want || (err != nil) != (want == "") {
			t.Errorf("%q matches %v, %v", pattern, got, err)
		}
	}
}

func FuzzManifest(f *testing.F) {
	f.Add(manifestOf(func(*Manifest) {}))
	f.Add([]byte(`{"format": 1}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := Parse(text)
		if err != nil {
			return
		}
		again, err := m.encode()
		if err != nil || !bytes.Equal(again, text) {
			t.Errorf("%q was taken, and is written as %q, %v", text, again, err)
		}
		for _, file := range m.Files {
			if !fs.ValidPath(file.Path) || !filepath.IsLocal(file.Path) {
				t.Errorf("path %q was taken", file.Path)
			}
		}
	})
}

func FuzzBundle(f *testing.F) {
	public, key := pair(f)
	// Small ones: the fuzzer takes its time with what is large.
	f.Add(build(f, key, contents(nil)[2:3]))
	f.Add(forge(f, key, manifestOf(func(*Manifest) {}), theChunk()))
	f.Add([]byte("x"))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := Open(onDisk(t, data), []signing.Public{public}, nil)
		if err != nil {
			return
		}
		defer b.Close()
		_ = b.Check(t.Context(), nil) // a chunk that is missing is found here
		for _, file := range b.Manifest.Files {
			got, err := io.ReadAll(b.Reader(file))
			if sum := sha256.Sum256(got); err == nil && hex.EncodeToString(sum[:]) != file.SHA256 {
				t.Errorf("%s was read, and is not what was signed", file.Path)
			}
		}
	})
}

func FuzzChunk(f *testing.F) {
	p := pack(bytes.Repeat([]byte("a"), 10_000))
	f.Add(p.data, true, 10_000)
	f.Add([]byte("data"), false, 4)
	f.Fuzz(func(t *testing.T, data []byte, compressed bool, size int) {
		if size < 0 || size > maxChunk {
			return
		}
		got, err := packed{data, compressed}.unpack(Chunk{SHA256: strings.Repeat("0", 64), Size: size})
		if err == nil {
			t.Errorf("%d bytes have a sha256 of zeros", len(got))
		}
	})
}
