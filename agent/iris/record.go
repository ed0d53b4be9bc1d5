package iris

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"icm/internal/atomicfile"
)

// recordFormat is what this program writes and the newest it reads.
const recordFormat = 1

// Record is what the agent remembers of an instance that the instance itself
// cannot tell. It holds no secrets.
type Record struct {
	Format int    `json:"format"`
	Name   string `json:"name"`
	Dir    string `json:"dir"`
	// Installing says that the installer was begun and has not been seen to
	// succeed: what is in Dir is ours and worthless.
	Installing bool `json:"installing,omitempty"`
	// PasswordSet says that the instance has taken its passwords; IRIS takes
	// them once.
	PasswordSet bool `json:"password_set,omitempty"`
	// OSAuth says that the owner has been let in without a password.
	OSAuth bool `json:"os_auth,omitempty"`
	// Brought is what the kit put on the machine besides Dir, and was not
	// there before: paths, and "account NAME".
	Brought []string `json:"brought,omitempty"`
}

func (n *Node) recordPath(name string) string {
	return filepath.Join(n.Home, "iris", strings.ToLower(name)+".json")
}

// Record returns what is remembered of an instance, and whether there is
// anything.
func (n *Node) Record(name string) (Record, bool, error) {
	data, err := os.ReadFile(n.recordPath(name))
	if errors.Is(err, fs.ErrNotExist) {
		return Record{}, false, nil
	}
	if err != nil {
		return Record{}, false, fmt.Errorf("cannot read the record of %s: %v", name, err)
	}
	var r Record
	if err := json.Unmarshal(data, &r); err != nil {
		return Record{}, false, fmt.Errorf("cannot read the record of %s: %v", name, err)
	}
	if r.Format > recordFormat {
		return Record{}, false, fmt.Errorf("cannot read the record of %s: a newer icm-agent wrote it", name)
	}
	return r, true, nil
}

// Remember stores a record before it returns.
func (n *Node) Remember(r Record) error {
	r.Format = recordFormat
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	path := n.recordPath(r.Name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("cannot remember %s: %v", r.Name, err)
	}
	if err := atomicfile.Write(path, data, 0o600); err != nil {
		return fmt.Errorf("cannot remember %s: %v", r.Name, err)
	}
	return nil
}

// Forget deletes the record of an instance and what else lies beside it.
func (n *Node) Forget(name string) error {
	for _, path := range []string{n.recordPath(name), n.EnvPath(name), n.MergePath(name), n.keyBackup(name), n.marksPath(name)} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cannot forget %s: %v", name, err)
		}
	}
	return nil
}
