package kitsource

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"icm/internal/hint"
)

const kit = "IRIS-2023.1.0.235.1-lnxrh8x64.tar.gz"

func write(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAFileTellsItsSizeAndSumBeforeItIsRead(t *testing.T) {
	data := bytes.Repeat([]byte("kit "), 1000)
	s, err := File(t.Context(), write(t, kit, data))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	if s.Name != kit || s.Size != 4000 || s.SHA256 != hex.EncodeToString(sum[:]) {
		t.Errorf("the source is %+v", s)
	}
	r, err := s.Reader()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes came, %v", len(got), err)
	}
}

func TestAFileThatChangesMeanwhileIsNotSent(t *testing.T) {
	path := write(t, kit, []byte("one"))
	s, err := File(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, time.Time{}, time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Open(); err == nil || !strings.Contains(err.Error(), "was changed while it was in use") {
		t.Errorf("Open() = %v", err)
	}
}

func TestWhatIsNoKitIsRefused(t *testing.T) {
	missing := filepath.Join(t.TempDir(), kit)
	for path, want := range map[string]string{
		write(t, "iris.tar.gz", nil): "is not the name of a kit",
		missing:                      "there is no kit " + missing + " on this machine",
	} {
		_, err := File(t.Context(), path)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("File(%s) = %v, want %q in it", path, err, want)
		}
	}
	_, err := File(t.Context(), missing)
	if hint.Of(err) == "" {
		t.Error("nothing is said of where the file is looked for")
	}
	dir := filepath.Join(t.TempDir(), kit)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := File(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "not a file") {
		t.Errorf("a directory: %v", err)
	}
}
