package keygen

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"icm/internal/atomicfile"
	"icm/internal/hint"
)

// private and public are the modes of files that hold a secret, and of others.
const (
	private fs.FileMode = 0o600
	public  fs.FileMode = 0o644
)

// file is one file to be made.
type file struct {
	data []byte
	mode fs.FileMode
}

// write puts the files into dir, which is made for its owner only when it is
// not there. It refuses, before anything is written, when one of them exists.
// The names come back sorted.
func write(dir string, files map[string]file) ([]string, error) {
	var names, there []string
	for name := range files {
		names = append(names, name)
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			there = append(there, name)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("cannot look at %s: %v", filepath.Join(dir, name), err)
		}
	}
	sort.Strings(names)
	sort.Strings(there)
	if len(there) > 0 {
		return nil, hint.New(fmt.Errorf("%s holds %s already, and keys are not overwritten", dir, strings.Join(there, ", ")),
			"choose another directory with -dir, or move these files away")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make %s: %v", dir, err)
	}
	for _, name := range names {
		if err := atomicfile.Write(filepath.Join(dir, name), files[name].data, files[name].mode); err != nil {
			return nil, fmt.Errorf("cannot write %s: %v", filepath.Join(dir, name), err)
		}
	}
	return names, nil
}
