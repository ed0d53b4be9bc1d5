package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// FirstKey is the host key that a provider gave a machine for the first contact
// to it.
type FirstKey struct {
	Line string `json:"line"` // as in authorized_keys
	// Replaced says that the machine has another one now, which is pinned.
	Replaced bool `json:"replaced"`
}

const firstKeysFile = "first_host_keys.json"

type firstKeys struct {
	Format int                 `json:"format"`
	Keys   map[string]FirstKey `json:"keys"` // by machine
}

// FirstKeys are the first host keys of all machines that were given one.
func (d *Dir) FirstKeys() (map[string]FirstKey, error) {
	path := filepath.Join(d.Path, firstKeysFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return map[string]FirstKey{}, nil
	}
	if err != nil {
		return nil, err
	}
	var f firstKeys
	if err := json.Unmarshal(data, &f); err != nil || f.Format != 1 || f.Keys == nil {
		return nil, fmt.Errorf("cannot read %s: it is damaged, or of another icm", path)
	}
	return f.Keys, nil
}

// SetFirstKey records the first host key of a machine.
func (d *Dir) SetFirstKey(machine string, key FirstKey) error {
	keys, err := d.FirstKeys()
	if err != nil {
		return err
	}
	if keys[machine] == key {
		return nil
	}
	keys[machine] = key
	return writeJSON(filepath.Join(d.Path, firstKeysFile), firstKeys{Format: 1, Keys: keys})
}
