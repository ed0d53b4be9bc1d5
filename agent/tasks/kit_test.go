package tasks

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"icm/agent/engine/enginetest"
	"icm/internal/kind"
	"icm/internal/kitname"
	"icm/internal/wire"
)

const someKit = "IRIS-2023.1.0.235.1-lnxrh8x64.tar.gz"

// packKit writes a kit whose installer says the text.
func packKit(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(f)
	w := tar.NewWriter(z)
	err = w.WriteHeader(&tar.Header{Name: "kit/irisinstall_silent", Size: int64(len(text)), Mode: 0o755, Typeflag: tar.TypeReg})
	_, writeErr := io.WriteString(w, text)
	if err := errors.Join(err, writeErr, w.Close(), z.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestAKitIsFetchedAnewWhenItWasReplaced(t *testing.T) {
	first := filepath.Join(t.TempDir(), someKit)
	other := filepath.Join(t.TempDir(), someKit)
	for _, c := range []struct {
		name    string
		happens func()
		url     string // afterwards
		anew    bool
	}{
		{"nothing happens", func() {}, first, false},
		{"another kit comes to its place", func() { remove(t, first); packKit(t, first, "another") }, first, true},
		{"its address changes", func() { packKit(t, other, "other") }, other, true},
		{"it is gone", func() { remove(t, first) }, first, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := Deps{Home: t.TempDir()}
			packKit(t, first, "first")
			fetch := kitFetch(d)
			if err := fetch.Do(t.Context(), enginetest.NewTask(t, kind.KitFetch, kind.Kit{URL: "file://" + first, Name: someKit})); err != nil {
				t.Fatal(err)
			}
			before := archived(t, d)
			c.happens()
			task := enginetest.NewTask(t, kind.KitFetch, kind.Kit{URL: "file://" + c.url, Name: someKit})
			look, err := fetch.Look(t.Context(), task)
			if err != nil || look.Satisfied == c.anew {
				t.Errorf("the look says %+v, %v", look, err)
			}
			if err := fetch.Do(t.Context(), task); err != nil {
				t.Fatal(err)
			}
			if anew := archived(t, d) != before; anew != c.anew {
				t.Errorf("fetched anew: %t, want %t", anew, c.anew)
			}
		})
	}
}

func TestWhatAKitNeedsIsKnownBeforeItIsFetched(t *testing.T) {
	path := filepath.Join(t.TempDir(), someKit)
	packKit(t, path, "x")
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	d := Deps{Home: filepath.Join(t.TempDir(), "icm-agent")}
	req := wire.CheckRequest{KitName: someKit, KitURL: "file://" + path, InstallDir: "/usr/irissys"}
	needs, err := d.KitNeeds(t.Context(), req)
	if err != nil || len(needs) != 2 || needs[0].Path != d.Home+"-kits" || needs[0].Bytes != 3*st.Size() || needs[1].Path != "/usr/irissys" {
		t.Errorf("%+v, %v", needs, err)
	}
	remove(t, path)
	if needs, err := d.KitNeeds(t.Context(), req); err == nil {
		t.Errorf("a kit that is not there needs %+v", needs)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// archived is the archive that the agent keeps.
func archived(t *testing.T, d Deps) string {
	t.Helper()
	k, err := kitname.Parse(someKit)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(d.archive(k))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
