package state

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"icm/internal/atomicfile"
	"icm/internal/hint"
)

// dirFormat is the format of the state directory as a whole.
const dirFormat = 1

const deploymentFile = "deployment.json"

// Dir is a deployment's state directory.
type Dir struct {
	// Path is absolute.
	Path string
	// ID is the deployment: "ICM-172807747058302123". It stays the same when
	// the directory is renamed or copied.
	ID string
}

type deployment struct {
	Format  int       `json:"format"`
	ID      string    `json:"id"`
	Created time.Time `json:"created"`
}

// Create makes a new state directory in parent.
func Create(parent string, now time.Time) (*Dir, error) {
	parent, err := filepath.Abs(parent)
	if err != nil {
		return nil, err
	}
	// As many digits as ICM's ids have; the first one is never 0.
	const digits = 18
	low := new(big.Int).Exp(big.NewInt(10), big.NewInt(digits-1), nil)
	n, err := rand.Int(rand.Reader, new(big.Int).Mul(low, big.NewInt(9)))
	if err != nil {
		return nil, fmt.Errorf("cannot choose an id: %w", err)
	}
	id := "ICM-" + n.Add(n, low).String()
	return CreateAt(filepath.Join(parent, id), id, now)
}

// CreateAt makes a new state directory at path, which must not exist or be an
// empty directory.
func CreateAt(path, id string, now time.Time) (*Dir, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if err := emptyDir(path); err != nil {
		return nil, fmt.Errorf("cannot make the state directory: %w", err)
	}
	err = writeJSON(filepath.Join(path, deploymentFile), deployment{Format: dirFormat, ID: id, Created: now.UTC()})
	if err != nil {
		return nil, fmt.Errorf("cannot make the state directory: %w", err)
	}
	if err := atomicfile.SyncDir(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("cannot make the state directory: %w", err)
	}
	return &Dir{Path: path, ID: id}, nil
}

func emptyDir(path string) error {
	err := os.Mkdir(path, 0o700)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	if !Vacant(path) {
		return fmt.Errorf("%s is not empty", path)
	}
	return os.Chmod(path, 0o700)
}

// Vacant reports whether a directory has nothing in it, or only what an icm left
// that was killed when it had begun to make a state directory there.
func Vacant(path string) bool {
	entries, err := os.ReadDir(path)
	return err == nil && !slices.ContainsFunc(entries, func(e os.DirEntry) bool { return e.Name() != "."+deploymentFile+".new" })
}

// Open opens an existing state directory.
func Open(path string) (*Dir, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	var d deployment
	err = readJSON(filepath.Join(path, deploymentFile), &d)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, hint.New(
			fmt.Errorf("%s is no state directory: it has no %s", path, deploymentFile),
			"give the directory that icm provision named, with -stateDir")
	}
	if err != nil {
		return nil, err
	}
	if err := checkFormat(filepath.Join(path, deploymentFile), d.Format, dirFormat); err != nil {
		return nil, err
	}
	if d.ID == "" {
		return nil, fmt.Errorf("cannot read %s: it has no id", filepath.Join(path, deploymentFile))
	}
	return &Dir{Path: path, ID: d.ID}, nil
}

// Definition returns the directory of a definition, and makes it.
func (d *Dir) Definition(name string) (string, error) { return d.sub(name) }

// Node returns the directory for the outputs of a node, and makes it.
func (d *Dir) Node(definition, machine string) (string, error) { return d.sub(definition, machine) }

func (d *Dir) sub(names ...string) (string, error) {
	path := d.Path
	for _, name := range names {
		// The names come from the user's label and tag.
		if name == "." || !filepath.IsLocal(name) || strings.ContainsRune(name, filepath.Separator) {
			return "", fmt.Errorf("cannot make a directory called %q", name)
		}
		path = filepath.Join(path, name)
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return "", err
	}
	return path, nil
}

// Remove deletes the state directory and everything in it.
func (d *Dir) Remove() error { return os.RemoveAll(d.Path) }

func writeJSON(path string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.Write(path, append(data, '\n'), 0o600)
}

// readJSON reads a file of ours; unknown fields may come from a newer icm that
// kept the format number, and are ignored.
func readJSON(path string, v any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("cannot read %s: %w", path, err)
	}
	return nil
}
