package tasks

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"icm/agent/engine"
	"icm/agent/iris"
	"icm/internal/atomicfile"
	"icm/internal/kind"
	"icm/internal/wire"
)

// tlsMode lets the instance's group read: the superserver's processes are in it,
// and are not the owner's.
const tlsMode = 0o640

func tlsInstall(d Deps) engine.Kind {
	return engine.Kind{Look: d.lookTLS, Do: d.doTLS, Undo: d.undoTLS}
}

// tlsFile is one file of a TLS directory.
type tlsFile struct {
	name string
	kind.SecretFile
}

func tlsFiles(a kind.TLS) []tlsFile {
	return []tlsFile{{iris.CAFile, a.CA}, {iris.CertificateFile, a.Certificate}, {iris.PrivateKeyFile, a.Key}}
}

func (d Deps) lookTLS(_ context.Context, t *engine.Task) (wire.Look, error) {
	var a kind.TLS
	if err := t.Decode(&a); err != nil {
		return wire.Look{}, err
	}
	var diffs []wire.Diff
	for _, f := range tlsFiles(a) {
		path := filepath.Join(a.Dir, f.name)
		switch have, err := fileSum(d.path(path)); {
		case err != nil:
			return wire.Look{}, err
		case have == "":
			diffs = append(diffs, wire.Diff{What: path, Before: "not there", After: "from TLSKeyDir"})
		case have != f.SHA256:
			diffs = append(diffs, wire.Diff{What: path, Before: "another one", After: "from TLSKeyDir"})
		}
	}
	look := satisfiedBy(diffs)
	look.NoSecrets = look.Satisfied
	return look, nil
}

// fileSum is the SHA-256 of a file, "" when there is none.
func fileSum(path string) (string, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("cannot read %s: %v", path, err)
	}
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:]), nil
}

// tlsBackup is where the files are kept as they were: a private key is no text
// for the task journal.
func (d Deps) tlsBackup(t *engine.Task) string {
	return d.home(filepath.Join("tls", t.Change+"-"+t.ID))
}

// doTLS puts a TLS certificate, its private key and the authority's certificate
// on the node.
//
// Rerun: writes the same again.
// Undo: puts the files that were there back, and removes those that were not.
func (d Deps) doTLS(_ context.Context, t *engine.Task) error {
	var a kind.TLS
	if err := t.Decode(&a); err != nil {
		return err
	}
	if err := once(t, "begun", func() error { return d.keepTLS(t, a) }); err != nil {
		return err
	}
	for _, dir := range []string{filepath.Dir(a.Dir), a.Dir} {
		if err := os.MkdirAll(d.path(dir), 0o755); err != nil {
			return fmt.Errorf("cannot make %s: %v", dir, err)
		}
	}
	for _, f := range tlsFiles(a) {
		text, err := t.Secret(f.Secret)
		if err != nil {
			return err
		}
		path := d.path(filepath.Join(a.Dir, f.name))
		s := sha256.Sum256([]byte(text.Reveal()))
		if hex.EncodeToString(s[:]) != f.SHA256 {
			return fmt.Errorf("cannot write %s: what came is not what was planned; the file in TLSKeyDir has changed since", path)
		}
		if err := atomicfile.Write(path, []byte(text.Reveal()), tlsMode); err != nil {
			return fmt.Errorf("cannot write %s: %v", path, err)
		}
		if err := iris.Own(path, a.Owner, a.Group, tlsMode); err != nil {
			return err
		}
	}
	return nil
}

// keepTLS keeps the files that are there, and notes which directories are not.
func (d Deps) keepTLS(t *engine.Task, a kind.TLS) error {
	var made []string
	for dir := a.Dir; !exists(d.path(dir)); dir = filepath.Dir(dir) {
		made = append(made, dir)
	}
	if err := t.Note("made", made); err != nil {
		return err
	}
	// What earlier changes kept is of no use any more, and secret.
	if err := errors.Join(os.RemoveAll(d.home("tls")), os.MkdirAll(d.tlsBackup(t), 0o700)); err != nil {
		return fmt.Errorf("cannot keep the TLS files: %v", err)
	}
	for _, f := range tlsFiles(a) {
		if err := copyWhole(d.path(filepath.Join(a.Dir, f.name)), filepath.Join(d.tlsBackup(t), f.name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cannot keep the TLS files: %v", err)
		}
	}
	return nil
}

func (d Deps) undoTLS(_ context.Context, t *engine.Task) error {
	var a kind.TLS
	var begun bool
	var made []string
	if err := t.Decode(&a); err != nil {
		return err
	}
	if _, err := t.Load("begun", &begun); err != nil || !begun || !exists(d.tlsBackup(t)) {
		return err // never begun, or undone already
	}
	if _, err := t.Load("made", &made); err != nil {
		return err
	}
	for _, f := range tlsFiles(a) {
		path := d.path(filepath.Join(a.Dir, f.name))
		err := copyWhole(filepath.Join(d.tlsBackup(t), f.name), path)
		if errors.Is(err, fs.ErrNotExist) {
			err = removeFiles(path)
		}
		if err != nil {
			return fmt.Errorf("cannot put the TLS files back: %v", err)
		}
	}
	for _, dir := range made {
		if os.Remove(d.path(dir)) != nil {
			break // somebody else has put something there
		}
	}
	return os.RemoveAll(d.tlsBackup(t))
}
