package store

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// headerSize is fixed, so that converting a file is one write in place.
const headerSize = 64

func header(kind string, format int) []byte {
	text := fmt.Sprintf("STANDIN-%s format=%d", kind, format)
	return []byte(text + strings.Repeat(" ", headerSize-1-len(text)) + "\n")
}

// FormatError means a file was written by a newer kit than this one.
type FormatError struct {
	Path       string
	Have, Want int
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("%s has format %d, this version reads up to %d", e.Path, e.Have, e.Want)
}

// readHeader returns the format number of an open file.
func readHeader(f *os.File, kind string) (int, error) {
	buf := make([]byte, headerSize)
	if _, err := f.ReadAt(buf, 0); err != nil {
		return 0, fmt.Errorf("cannot read header of %s: %w", f.Name(), err)
	}
	var format int
	if _, err := fmt.Sscanf(string(buf), "STANDIN-"+kind+" format=%d", &format); err != nil {
		return 0, fmt.Errorf("cannot read header of %s: not a stand-in file", f.Name())
	}
	return format, nil
}

// datPath is the file of the database in dir.
func datPath(dir string) string { return filepath.Join(dir, "IRIS.DAT") }

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
