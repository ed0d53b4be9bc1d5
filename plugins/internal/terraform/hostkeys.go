package terraform

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"

	"icm/internal/atomicfile"
)

// hostKeysFile is where a workspace keeps the first host keys of its nodes.
const hostKeysFile = "hostkeys.json"

// hostKey is the key that a node gets by its user data, so that the very first
// connection to it can be verified. icm replaces it over that connection: it
// lies in files and with the cloud, and must not stay valid.
type hostKey struct {
	Private string `json:"private"` // OpenSSH PEM
	Public  string `json:"public"`  // authorized_keys line
	// Used says that a machine was made with it. The next one of this name
	// gets another.
	Used bool `json:"used"`
}

// hostKeys are those of a workspace, by machine name.
type hostKeys map[string]*hostKey

func loadHostKeys(dir string) (hostKeys, error) {
	keys := hostKeys{}
	data, err := os.ReadFile(filepath.Join(dir, hostKeysFile))
	if errors.Is(err, fs.ErrNotExist) {
		return keys, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(data, &keys); err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", filepath.Join(dir, hostKeysFile), err)
	}
	return keys, nil
}

func (k hostKeys) save(dir string) error {
	data, err := json.MarshalIndent(k, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(dir, hostKeysFile), append(data, '\n'), 0o600)
}

// of is a machine's key; it is made where there is none.
func (k hostKeys) of(machine string) (*hostKey, error) {
	if k[machine] == nil {
		key, err := newHostKey(machine)
		if err != nil {
			return nil, err
		}
		k[machine] = key
	}
	return k[machine], nil
}

func newHostKey(machine string) (*hostKey, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	block, err := ssh.MarshalPrivateKey(private, machine)
	if err != nil {
		return nil, err
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		return nil, err
	}
	return &hostKey{
		Private: string(pem.EncodeToMemory(block)),
		Public:  strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))),
	}, nil
}
