package bundle

import (
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"

	"icm/controller/signing"
)

// heap is what lies in memory now, garbage too, in bytes.
func heap() int64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return int64(s[0].Value.Uint64()) //nolint:gosec // no heap has that many
}

// large is an input that was never in memory as a whole.
func large(size int64) Input {
	return Input{File: File{Path: "kits/" + kit, Kind: KindKit}, Open: func() (io.ReadCloser, error) {
		return io.NopCloser(io.LimitReader(rand.NewChaCha8([32]byte{1}), size)), nil
	}}
}

func TestNoStepHoldsABundleInMemoryOrTwiceOnTheDisk(t *testing.T) {
	const size, most = 96 << 20, 48 << 20            // bytes
	defer debug.SetGCPercent(debug.SetGCPercent(20)) // little garbage: what counts is what is held
	public, key := pair(t)
	keys := []signing.Public{public}
	runtime.GC()
	before := heap()
	peak := int64(0)
	look := func(int64) { peak = max(peak, heap()-before) }
	bounded := func(step string) {
		t.Helper()
		if t.Logf("%s: %d MiB in memory", step, peak>>20); peak == 0 || peak > most {
			t.Errorf("%s: %d MiB were in memory, more than %d", step, peak>>20, most>>20)
		}
		peak = 0
	}

	path := filepath.Join(t.TempDir(), "acme.icmb")
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	built, err := Build(t.Context(), out, BuildOptions{Name: "acme", Issued: issued, Icm: "1", Inputs: []Input{large(size)}, Key: key, Moved: look})
	if err != nil || out.Close() != nil {
		t.Fatal(err)
	}
	bounded("build")

	b, err := Open(path, keys, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := b.Check(t.Context(), look); err != nil {
		t.Fatal(err)
	}
	bounded("verify")

	s := OpenStore(t.TempDir())
	in, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	loaded, err := s.Load(t.Context(), struct{ io.Reader }{in}, keys, false, look)
	if err != nil {
		t.Fatal(err)
	}
	defer loaded.Close()
	bounded("load")
	if got := sizeOf(t, s.Dir()); got > built.Size*11/10 {
		t.Errorf("the store has %d bytes for a bundle of %d", got, built.Size)
	}

	r := loaded.Reader(loaded.Manifest.Files[0])
	buf := make([]byte, maxChunk)
	for err == nil {
		_, err = r.Read(buf)
		look(0)
	}
	if err != io.EOF { //nolint:errorlint // that is what the end is
		t.Fatal(err)
	}
	bounded("read")
}

// sizeOf is how many bytes lie in a directory.
func sizeOf(t *testing.T, dir string) (sum int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		st, err := e.Info()
		if err == nil {
			sum += st.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return sum
}
