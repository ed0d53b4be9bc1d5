package bundle

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"icm/controller/signing"
	"icm/internal/hint"
)

// pinned is an empty store that takes bundles of a key.
func pinned(t *testing.T, public signing.Public) *Store {
	t.Helper()
	s := OpenStore(t.TempDir())
	if err := s.Pin(public); err != nil {
		t.Fatal(err)
	}
	return s
}

// put loads a bundle that is not used any further.
func put(t *testing.T, s *Store, data []byte, public signing.Public) *Bundle {
	t.Helper()
	b, err := s.Load(t.Context(), bytes.NewReader(data), []signing.Public{public}, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestABundleOfWhichSomethingIsMissingIsNotThereAndLoadsAgain(t *testing.T) {
	public, key := pair(t)
	data := build(t, key, contents(noise(1, 100_000)))
	for _, missing := range []string{memberManifest, memberSignature} { // killed while it was loaded, or removed
		s := pinned(t, public)
		b := put(t, s, data, public)
		if err := os.Remove(filepath.Join(s.bundleDir(b.Digest), missing)); err != nil {
			t.Fatal(err)
		}
		if all, err := s.List(); len(all) != 0 || err != nil {
			t.Errorf("without %s: %d bundles, %v", missing, len(all), err)
		}
		put(t, s, data, public)
		if all, err := s.List(); len(all) != 1 || err != nil {
			t.Errorf("loaded again: %d bundles, %v", len(all), err)
		}
	}
}

func TestABundleOfAKeyThatIsTrustedNoMoreCanBeTakenOut(t *testing.T) {
	public, key := pair(t)
	other, otherKey := pair(t)
	s := pinned(t, public)
	if err := s.Pin(other); err != nil {
		t.Fatal(err)
	}
	good := put(t, s, build(t, key, contents(noise(1, 100_000))), public)
	bad := put(t, s, build(t, otherKey, contents(noise(2, 400_000)), func(o *BuildOptions) { o.Name = "other" }), other)
	if err := s.Unpin(other.ID()); err != nil {
		t.Fatal(err)
	}
	all, err := s.List()
	if len(all) != 1 || all[0].Digest != good.Digest || err == nil || !strings.Contains(hint.Of(err), "icm bundle rm "+bad.Digest[:16]) {
		t.Errorf("%d bundles, %v (%s)", len(all), err, hint.Of(err))
	}
	if _, err := s.GC(t.Context()); err == nil || !strings.Contains(err.Error(), "nothing was deleted") {
		t.Errorf("GC() = %v", err)
	}
	digest, err := s.Digest(bad.Digest[:16])
	if err != nil || digest != bad.Digest {
		t.Fatalf("Digest() = %s, %v", digest, err)
	}
	if freed, err := s.Remove(t.Context(), digest); err != nil || freed < 300_000 {
		t.Errorf("freed %d bytes, %v", freed, err)
	}
	if _, err := s.Digest("other"); err == nil {
		t.Error("it is there still")
	}
}

func TestBundlesThatAreLoadedAtOnceAreAllRemembered(t *testing.T) {
	public, key := pair(t)
	s := pinned(t, public)
	var loads sync.WaitGroup
	for i := range 8 {
		data := build(t, key, contents(noise(byte(i), 70_000))[:1], func(o *BuildOptions) { o.Name = fmt.Sprintf("acme%d", i) })
		loads.Go(func() {
			b, err := s.Load(t.Context(), bytes.NewReader(data), []signing.Public{public}, false, nil)
			if err == nil {
				err = b.Close()
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	loads.Wait()
	if seen, err := s.seen(); err != nil || len(seen) != 8 {
		t.Errorf("%d of 8 bundles are remembered, %v", len(seen), err)
	}
}

func TestAKitWhoseBaseIsMissingIsRefusedBeforeItIsUsed(t *testing.T) {
	public, key := pair(t)
	old := noise(1, 2_000_000)
	full := build(t, key, contents(old))
	base := opened(t, full, public, nil)
	delta := build(t, key, contents(newKit(old)), func(o *BuildOptions) { o.Base, o.Issued = base, issued.Add(time.Hour) })
	s := pinned(t, public)
	k := &Kits{Store: s}
	file := onDisk(t, delta)
	if _, err := k.Find(t.Context(), file, kit); err == nil || !strings.Contains(err.Error(), "its base "+base.Digest[:16]+" is not here") || !strings.Contains(hint.Of(err), "ask for the full bundle") {
		t.Fatalf("without the base: %v (%s)", err, hint.Of(err))
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	put(t, s, full, public)
	k = &Kits{Store: s}
	src, err := k.Find(t.Context(), file, kit)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	// What is damaged is found when it is read, and nothing of it is given.
	if err := os.WriteFile(damage(t, s, base.Manifest.Files[4].Chunks[2]), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := src.Reader()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.Copy(io.Discard, r); err == nil || !strings.Contains(err.Error(), "cannot be used") || !strings.Contains(hint.Of(err), "ask for the full bundle") {
		t.Errorf("with a damaged base: %v (%s)", err, hint.Of(err))
	}
}

func TestKitsOfAllProductsAreFound(t *testing.T) {
	public, key := pair(t)
	names := map[string]string{kit: KindKit, "ISCAgent-2023.1.0.235.1-lnxrh8x64.tar.gz": KindISCAgent, "WebGateway-2023.1.0.235.1-lnxrh8x64.tar.gz": KindWebGateway}
	var in []Input
	for name, kind := range names {
		in = append(in, input("kits/"+name, kind, []byte(name)))
	}
	s := pinned(t, public)
	put(t, s, build(t, key, in), public)
	k := &Kits{Store: s}
	defer k.Close()
	for name := range names {
		if src, err := k.Find(t.Context(), "", name); err != nil || src.Name != name || src.Size != int64(len(name)) {
			t.Errorf("%s: %+v, %v", name, src, err)
		}
	}
}
