package pluginhost

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"icm/internal/hint"
)

const (
	prefix  = "icm-provider-"
	sumList = "providers.sha256"
)

// DefaultDirs are where providers are looked for: what ICM_PROVIDER_DIR
// (dirVar) says, or the directory of the executable, and ../libexec/icm.
func DefaultDirs(executable, dirVar string) []string {
	if dirVar != "" {
		return []string{dirVar}
	}
	dir := filepath.Dir(executable)
	return []string{dir, filepath.Join(filepath.Dir(dir), "libexec", "icm")}
}

// find returns the path of a provider's program, checked.
func (h *Host) find(name string) (string, error) {
	file := prefix + strings.ToLower(name)
	for _, dir := range h.dirs {
		path := filepath.Join(dir, file)
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		if !info.Mode().IsRegular() || filepath.Base(path) != file { // a name with a slash in it
			break
		}
		return path, h.check(dir, file)
	}
	return "", h.unknown(name)
}

func (h *Host) unknown(name string) error {
	err := fmt.Errorf("unknown provider %q", name)
	have := h.Available()
	if len(have) == 0 {
		return hint.New(err, "no provider was found in "+strings.Join(h.dirs, " or ")+": the installation of icm is not complete")
	}
	return hint.New(err, "the providers are: "+strings.Join(have, ", "))
}

// Available are the names of the providers there are, as in their programs'
// names: in lower case.
func (h *Host) Available() []string {
	var out []string
	for _, dir := range h.dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue // a directory that is not there has no providers
		}
		for _, e := range entries {
			if name, ok := strings.CutPrefix(e.Name(), prefix); ok && e.Type().IsRegular() {
				out = append(out, name)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// check compares a program with the list of its directory.
func (h *Host) check(dir, file string) error {
	path := filepath.Join(dir, file)
	list, err := os.ReadFile(filepath.Join(dir, sumList))
	if errors.Is(err, fs.ErrNotExist) {
		if h.unlisted {
			return nil
		}
		return hint.New(fmt.Errorf("cannot trust %s: there is no %s beside it", path, sumList), "install icm again, or build it with make build")
	}
	if err != nil {
		return err
	}
	want, listed := sumOf(list, file)
	if !listed {
		return hint.New(fmt.Errorf("cannot trust %s: it is not in %s", path, sumList), "install icm again, or build it with make build")
	}
	got, err := sum(path)
	if err != nil {
		return err
	}
	if !strings.EqualFold(got, want) {
		return hint.New(
			fmt.Errorf("cannot trust %s: its sha256 is %s, %s says %s", path, got, sumList, want),
			"somebody changed the program, or it belongs to another build: install icm again")
	}
	return nil
}

// sumOf finds a file in the output of sha256sum.
func sumOf(list []byte, file string) (string, bool) {
	lines := bufio.NewScanner(bytes.NewReader(list))
	for lines.Scan() {
		hexSum, name, ok := strings.Cut(lines.Text(), " ")
		if ok && strings.TrimLeft(name, " *") == file {
			return hexSum, true
		}
	}
	return "", false
}

func sum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	hash := sha256.New()
	_, err = io.Copy(hash, f)
	return hex.EncodeToString(hash.Sum(nil)), errors.Join(err, f.Close())
}
