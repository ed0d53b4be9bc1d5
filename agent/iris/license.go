package iris

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"icm/internal/atomicfile"
	"icm/internal/licensekey"
	"icm/internal/secret"
	"icm/internal/wire"
)

// KeyPath is where an instance looks for its licence key.
func KeyPath(dir string) string { return filepath.Join(dir, "mgr", "iris.key") }

// keyBackup is where the key that was there before is kept for undo; a key is
// no text for the task journal.
func (n *Node) keyBackup(name string) string {
	return filepath.Join(n.Home, "iris", strings.ToLower(name)+".key.before")
}

// KeySum returns the SHA-256 of the key in place, "" when there is none.
func KeySum(dir string) (string, error) {
	data, err := os.ReadFile(KeyPath(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("cannot read the licence key: %v", err)
	}
	return sum(data), nil
}

func sum(data []byte) string {
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}

// PutKey puts a key in place, owned as IRIS wants it, and keeps what was there.
func (n *Node) PutKey(in wire.Instance, owner, group string, key secret.Secret) error {
	if err := licensekey.Check(key.Reveal()); err != nil {
		return err
	}
	if err := n.keepKey(in); err != nil {
		return err
	}
	if err := atomicfile.Write(KeyPath(in.Dir), []byte(key.Reveal()), 0o640); err != nil {
		return fmt.Errorf("cannot put the licence key in place: %v", err)
	}
	return chown(KeyPath(in.Dir), owner, group)
}

// keepKey keeps the old key once: a rerun must not take the new one for it.
func (n *Node) keepKey(in wire.Instance) error {
	backup := n.keyBackup(in.Name)
	if _, err := os.Stat(backup); err == nil {
		return nil
	}
	old, err := os.ReadFile(KeyPath(in.Dir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot keep the old licence key: %v", err)
	}
	if err := os.MkdirAll(filepath.Dir(backup), 0o700); err != nil {
		return fmt.Errorf("cannot keep the old licence key: %v", err)
	}
	if err := atomicfile.Write(backup, old, 0o600); err != nil { // empty: there was none
		return fmt.Errorf("cannot keep the old licence key: %v", err)
	}
	return nil
}

// RestoreKey takes PutKey back.
func (n *Node) RestoreKey(in wire.Instance, owner, group string) error {
	old, err := os.ReadFile(n.keyBackup(in.Name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // PutKey never came to its work
	}
	if err != nil {
		return fmt.Errorf("cannot restore the licence key: %v", err)
	}
	if len(bytes.TrimSpace(old)) == 0 {
		err = os.Remove(KeyPath(in.Dir))
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	} else if err = atomicfile.Write(KeyPath(in.Dir), old, 0o640); err == nil {
		err = chown(KeyPath(in.Dir), owner, group)
	}
	if err != nil {
		return fmt.Errorf("cannot restore the licence key: %v", err)
	}
	return n.DropKeyBackup(in.Name)
}

// DropKeyBackup forgets the key that was there before.
func (n *Node) DropKeyBackup(name string) error {
	if err := os.Remove(n.keyBackup(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot forget the old licence key: %v", err)
	}
	return nil
}

// ActivateKey makes a running instance read its key.
func (n *Node) ActivateKey(ctx context.Context, in wire.Instance) error {
	return n.Execute(ctx, in, "activate the licence key", licenseUpgrade)
}

func chown(path, owner, group string) error {
	uid, gid, err := ids(owner, group)
	if err != nil {
		return fmt.Errorf("cannot give %s to %s:%s: %v", path, owner, group, err)
	}
	if err := os.Lchown(path, uid, gid); err != nil {
		return fmt.Errorf("cannot give %s to %s:%s: %v", path, owner, group, err)
	}
	return nil
}
