package iris

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"icm/internal/atomicfile"
)

// Marks are things done to an instance that it cannot be asked about, such as
// "admitted ACME-DM-2". They are kept apart from its Record, which says that
// the installation is ours.

func (n *Node) marksPath(name string) string {
	return filepath.Join(n.Home, "iris", strings.ToLower(name)+".marks")
}

// Marked reports whether something was marked as done.
func (n *Node) Marked(name, mark string) (bool, error) {
	all, err := n.marks(name)
	return slices.Contains(all, mark), err
}

// Marking returns what stands behind a prefix in the marks, such as a version;
// "" when there is none.
func (n *Node) Marking(name, prefix string) (string, error) {
	all, err := n.marks(name)
	for _, m := range all {
		if rest, ok := strings.CutPrefix(m, prefix); ok {
			return rest, err
		}
	}
	return "", err
}

func (n *Node) marks(name string) ([]string, error) {
	data, err := os.ReadFile(n.marksPath(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read what was done to %s: %v", name, err)
	}
	return strings.Split(strings.TrimSpace(string(data)), "\n"), nil
}

// Mark remembers that something was done, and forgets marks that begin with
// instead, when that is not empty.
func (n *Node) Mark(name, mark, instead string) error {
	all, err := n.marks(name)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(m string) bool { return m == mark || m == "" || instead != "" && strings.HasPrefix(m, instead) })
	if mark != "" {
		all = append(all, mark)
	}
	path := n.marksPath(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("cannot remember what was done to %s: %v", name, err)
	}
	if err := atomicfile.Write(path, []byte(strings.Join(all, "\n")+"\n"), 0o600); err != nil {
		return fmt.Errorf("cannot remember what was done to %s: %v", name, err)
	}
	return nil
}
