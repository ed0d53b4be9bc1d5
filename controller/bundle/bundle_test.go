package bundle

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"icm/controller/signing"
	"icm/internal/hint"
	"icm/internal/secret"
)

const kit = "IRIS-2023.1.0.235.1-lnxrh8x64.tar.gz"

var issued = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// pair makes keys.
func pair(t testing.TB) (signing.Public, signing.Private) {
	t.Helper()
	public, text, err := signing.Generate(secret.Secret{})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	key, err := signing.LoadPrivate(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return public, key
}

// noise is data that compresses badly, the same for the same seed.
func noise(seed byte, size int) []byte {
	r := rand.NewChaCha8([32]byte{seed})
	data := make([]byte, size)
	_, _ = r.Read(data)
	return data
}

func input(path, kind string, data []byte) Input {
	return Input{File: File{Path: path, Kind: kind, Executable: kind == KindIcm}, Open: Bytes(data)}
}

// contents are the files of most tests.
func contents(kitData []byte) []Input {
	return []Input{
		input("kits/"+kit, KindKit, kitData),
		input("docs/a.md", KindDoc, bytes.Repeat([]byte("text "), 50_000)),
		input("docs/empty", KindDoc, nil),
		input("bin/linux-amd64/icm", KindIcm, noise(9, 300_000)),
		input("copy", KindOther, kitData),
	}
}

func build(t testing.TB, key signing.Private, inputs []Input, change ...func(*BuildOptions)) []byte {
	t.Helper()
	o := BuildOptions{Name: "acme", Issued: issued, Icm: "1.0", Inputs: inputs, Key: key}
	for _, f := range change {
		f(&o)
	}
	var out bytes.Buffer
	if _, err := Build(t.Context(), &out, o); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func onDisk(t testing.TB, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "acme.icmb")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func opened(t testing.TB, data []byte, public signing.Public, store *Store) *Bundle {
	t.Helper()
	b, err := Open(onDisk(t, data), []signing.Public{public}, store)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func load(t testing.TB, s *Store, data []byte, public signing.Public) (*Bundle, error) {
	t.Helper()
	b, err := s.Load(t.Context(), bytes.NewReader(data), []signing.Public{public}, false, nil)
	if err == nil {
		t.Cleanup(func() { b.Close() })
	}
	return b, err
}

// kitOf reads the kit of a bundle in pieces that do not fit its chunks.
func kitOf(t testing.TB, b *Bundle) []byte {
	t.Helper()
	src, err := b.Kit(kit)
	if err != nil {
		t.Fatal(err)
	}
	c, err := src.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var out bytes.Buffer
	if _, err := io.CopyBuffer(&out, struct{ io.Reader }{io.NewSectionReader(c, 0, src.Size)}, make([]byte, 77_777)); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(out.Bytes())
	if hex.EncodeToString(sum[:]) != src.SHA256 {
		t.Error("the sha256 is not the one promised")
	}
	return out.Bytes()
}

func TestABundleGivesBackWhatWentIn(t *testing.T) {
	public, key := pair(t)
	data := noise(1, 3_000_000)
	b := opened(t, build(t, key, contents(data)), public, nil)
	if !bytes.Equal(kitOf(t, b), data) {
		t.Error("the kit is another one")
	}
	if err := b.Check(t.Context(), nil); err != nil {
		t.Error(err)
	}
	dir := t.TempDir()
	if err := b.Export(t.Context(), dir, "", false, func(string) {}); err != nil {
		t.Fatal(err)
	}
	for _, in := range contents(data) {
		want, err := in.Open()
		if err != nil {
			t.Fatal(err)
		}
		wanted, _ := io.ReadAll(want)
		got, err := os.ReadFile(filepath.Join(dir, in.Path))
		st, statErr := os.Stat(filepath.Join(dir, in.Path))
		if err != nil || statErr != nil || !bytes.Equal(got, wanted) || (st.Mode()&0o111 != 0) != in.Executable {
			t.Errorf("%s: %d bytes, mode %v, %v %v", in.Path, len(got), st.Mode(), err, statErr)
		}
	}
}

func TestTheSameInputsGiveTheSameBytes(t *testing.T) {
	_, key := pair(t)
	one := build(t, key, contents(noise(1, 1_000_000)))
	backwards := contents(noise(1, 1_000_000))
	for i, j := 0, len(backwards)-1; i < j; i, j = i+1, j-1 {
		backwards[i], backwards[j] = backwards[j], backwards[i]
	}
	if !bytes.Equal(one, build(t, key, backwards)) {
		t.Error("two builds differ")
	}
}

func TestWhatTwoFilesShareIsStoredOnce(t *testing.T) {
	_, key := pair(t)
	data := noise(1, 2_000_000)
	if n := len(build(t, key, contents(data))); n > 2_500_000 {
		t.Errorf("the bundle has %d bytes: the kit is in it twice", n)
	}
}

// newKit is the next version of a kit: most of it is the same, something was
// added at the front and something replaced in the middle.
func newKit(old []byte) []byte {
	out := append(noise(7, 5_000), old[:len(old)/2]...)
	out = append(out, noise(8, 100_000)...)
	return append(out, old[len(old)/2+90_000:]...)
}

func TestADeltaBundleRebuildsByteForByte(t *testing.T) {
	public, key := pair(t)
	old := noise(1, 8_000_000)
	full := build(t, key, contents(old))
	base := opened(t, full, public, nil)
	newer := newKit(old)
	later := func(o *BuildOptions) { o.Issued = issued.Add(time.Hour) }
	delta := build(t, key, contents(newer), later, func(o *BuildOptions) { o.Base = base })
	whole := build(t, key, contents(newer), later)
	if len(delta) > len(whole)/4 {
		t.Errorf("the delta has %d bytes, the whole bundle %d", len(delta), len(whole))
	}
	s := OpenStore(t.TempDir())
	if _, err := load(t, s, full, public); err != nil {
		t.Fatal(err)
	}
	loaded, err := load(t, s, delta, public)
	if err != nil {
		t.Fatal(err)
	}
	direct := opened(t, delta, public, s) // the delta as a file, the base in the store
	beside := opened(t, delta, public, nil)
	beside.With(base) // both as files
	want := opened(t, whole, public, nil)
	for _, b := range []*Bundle{loaded, direct, beside} {
		if b.Digest != want.Digest || b.Base != base.Digest {
			t.Errorf("digest %s, want %s; base %s", b.Digest, want.Digest, b.Base)
		}
		if !bytes.Equal(kitOf(t, b), newer) {
			t.Error("the kit is another one")
		}
		if err := b.Check(t.Context(), nil); err != nil {
			t.Error(err)
		}
	}
}

func TestAMissingOrDamagedBaseIsSaidAndTheFullBundleAskedFor(t *testing.T) {
	public, key := pair(t)
	old := noise(1, 3_000_000)
	full := build(t, key, contents(old))
	base := opened(t, full, public, nil)
	delta := build(t, key, contents(newKit(old)), func(o *BuildOptions) { o.Base, o.Issued = base, issued.Add(time.Hour) })
	s := OpenStore(t.TempDir())
	_, err := load(t, s, delta, public)
	if err == nil || !strings.Contains(err.Error(), "its base "+base.Digest[:16]+" is not here") || !strings.Contains(hint.Of(err), "ask for the full bundle") {
		t.Errorf("without a base: %v (%s)", err, hint.Of(err))
	}
	if _, err := load(t, s, full, public); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(damage(t, s, base.Manifest.Files[4].Chunks[2]), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = load(t, s, delta, public)
	if !errors.Is(err, ErrDamaged) || !strings.Contains(hint.Of(err), "ask for the full bundle") {
		t.Errorf("with a damaged base: %v (%s)", err, hint.Of(err))
	}
	// The full bundle mends it.
	whole := build(t, key, contents(newKit(old)), func(o *BuildOptions) { o.Issued = issued.Add(time.Hour) })
	if _, err := load(t, s, whole, public); err != nil {
		t.Error(err)
	}
	if _, err := load(t, s, full, public); err == nil {
		t.Error("the older bundle was taken")
	}
}

// damage returns the file of a chunk in a store.
func damage(t *testing.T, s *Store, c Chunk) string {
	t.Helper()
	for _, p := range []string{s.chunkPath(c.SHA256), s.chunkPath(c.SHA256) + memberPacked} {
		if _, err := os.Stat(p); err == nil {
			return p
		}
	}
	t.Fatalf("chunk %s is not in the store", c.SHA256)
	return ""
}

func TestAnOlderBundleIsRefusedUnlessAskedFor(t *testing.T) {
	public, key := pair(t)
	older := build(t, key, contents(noise(1, 100_000)))
	newer := build(t, key, contents(noise(2, 100_000)), func(o *BuildOptions) { o.Issued = issued.Add(time.Second) })
	s := OpenStore(t.TempDir())
	if err := s.Pin(public); err != nil {
		t.Fatal(err)
	}
	if _, err := load(t, s, newer, public); err != nil {
		t.Fatal(err)
	}
	if _, err := load(t, s, older, public); err == nil || !strings.Contains(err.Error(), "is older than that of 2026-03-04T05:06:08Z") || hint.Of(err) == "" {
		t.Errorf("load: %v", err)
	}
	k := &Kits{Store: s}
	if _, err := k.Names(t.Context(), onDisk(t, older)); err == nil || !strings.Contains(err.Error(), "is older than") {
		t.Errorf("-bundle: %v", err)
	}
	k.AllowOlder = true
	if names, err := k.Names(t.Context(), onDisk(t, older)); err != nil || len(names) != 1 {
		t.Errorf("-bundle -allowOlder: %v, %v", names, err)
	}
	if err := k.Close(); err != nil {
		t.Error(err)
	}
	if b, err := s.Load(t.Context(), bytes.NewReader(older), []signing.Public{public}, true, nil); err != nil {
		t.Error(err)
	} else if err := b.Close(); err != nil {
		t.Error(err)
	}
	if _, err := load(t, s, build(t, key, nil, func(o *BuildOptions) { o.Name = "other" }), public); err != nil {
		t.Errorf("a bundle of another name: %v", err)
	}
}

func TestAKitOfTheStoreComesFromTheNewestBundleThatHasIt(t *testing.T) {
	public, key := pair(t)
	s := OpenStore(t.TempDir())
	if err := s.Pin(public); err != nil {
		t.Fatal(err)
	}
	k := &Kits{Store: s}
	if _, err := k.Find(t.Context(), "", kit); err == nil || hint.Of(err) == "" {
		t.Errorf("an empty store: %v", err)
	}
	for i := range byte(3) {
		inputs := contents(noise(i, 100_000))
		if i == 2 {
			inputs = inputs[1:2]
		}
		if _, err := load(t, s, build(t, key, inputs, func(o *BuildOptions) { o.Issued = issued.Add(time.Duration(i) * time.Hour) }), public); err != nil {
			t.Fatal(err)
		}
	}
	_, err := k.Find(t.Context(), "", kit)
	if err == nil || !strings.Contains(err.Error(), "is only in an older bundle") || !strings.Contains(hint.Of(err), "-allowOlder") {
		t.Errorf("a kit that the newest bundle does not have: %v (%s)", err, hint.Of(err))
	}
	k.AllowOlder = true
	src, err := k.Find(t.Context(), "", kit)
	if err != nil {
		t.Fatal(err)
	}
	if src.Bundle.Name != "acme" || src.Bundle.Issued != "2026-03-04T06:06:07Z" || src.Bundle.Key != public.ID() {
		t.Errorf("the kit is of %+v", src.Bundle)
	}
	if err := k.Close(); err != nil {
		t.Error(err)
	}
}

func TestWhatNoBundleNeedsIsDeletedAndNothingElse(t *testing.T) {
	public, key := pair(t)
	s := OpenStore(t.TempDir())
	if err := s.Pin(public); err != nil {
		t.Fatal(err)
	}
	first, err := s.Load(t.Context(), bytes.NewReader(build(t, key, contents(noise(1, 500_000)))), []signing.Public{public}, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	second, err := s.Load(t.Context(), bytes.NewReader(build(t, key, contents(noise(2, 500_000)), func(o *BuildOptions) { o.Issued = issued.Add(1e9) })), []signing.Public{public}, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Remove(t.Context(), first.Digest); err == nil || !strings.Contains(err.Error(), "is in use by another icm") {
		t.Errorf("while somebody reads: %v", err)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	digest, err := s.Digest(first.Digest[:12])
	if err != nil {
		t.Fatal(err)
	}
	freed, err := s.Remove(t.Context(), digest)
	if err != nil || freed < 400_000 || freed > 700_000 {
		t.Errorf("freed %d bytes, %v", freed, err)
	}
	b, err := s.Get("acme")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := b.Check(t.Context(), nil); err != nil {
		t.Error(err)
	}
}

func TestAKeyThatIsNotPinnedSignsNothing(t *testing.T) {
	_, key := pair(t)
	other, _ := pair(t)
	data := build(t, key, contents(nil))
	if _, err := Open(onDisk(t, data), []signing.Public{other}, nil); !errors.Is(err, signing.ErrUnknownKey) || !strings.Contains(hint.Of(err), "icm bundle pin") {
		t.Errorf("Open() = %v", err)
	}
	s := OpenStore(t.TempDir())
	if _, err := load(t, s, data, other); !errors.Is(err, signing.ErrUnknownKey) {
		t.Errorf("Load() = %v", err)
	}
	if entries, _ := os.ReadDir(filepath.Join(s.Dir(), "chunks")); len(entries) > 0 {
		t.Error("something was stored")
	}
}

func TestAnInputThatChangesMeanwhileFailsTheBuild(t *testing.T) {
	_, key := pair(t)
	n := byte(0)
	in := Input{File: File{Path: "x", Kind: KindOther}, Open: func() (io.ReadCloser, error) {
		n++
		return io.NopCloser(bytes.NewReader(noise(n, 1000))), nil
	}}
	_, err := Build(t.Context(), io.Discard, BuildOptions{Name: "acme", Issued: issued, Inputs: []Input{in}, Key: key})
	if !errors.Is(err, errChanged) {
		t.Errorf("Build() = %v", err)
	}
	_, err = Build(t.Context(), io.Discard, BuildOptions{Name: "acme", Issued: issued, Inputs: []Input{input("x", KindOther, nil), input("x", KindOther, nil)}, Key: key})
	if err == nil || !strings.Contains(err.Error(), "two files would be x") {
		t.Errorf("two files of one name: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Build(ctx, io.Discard, BuildOptions{Name: "acme", Issued: issued, Inputs: contents(nil), Key: key}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// member is a member of a bundle that was not made by Build.
type member struct {
	header tar.Header
	data   []byte
}

// forge signs a bundle of any members, as a builder gone bad would.
func forge(t testing.TB, key signing.Private, manifest []byte, members ...member) []byte {
	t.Helper()
	m := &Manifest{Name: "acme", Issued: issued.Format(time.RFC3339)}
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	add := func(h tar.Header, data []byte) {
		h.Size = int64(len(data))
		if h.Typeflag != tar.TypeReg {
			h.Size = 0
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			if _, err := w.Write(data); err != nil {
				t.Fatal(err)
			}
		}
	}
	add(*header(memberSignature, 0), signing.Sign(key, manifest, comment(m, nil)))
	add(*header(memberManifest, 0), manifest)
	for _, mb := range members {
		add(mb.header, mb.data)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
