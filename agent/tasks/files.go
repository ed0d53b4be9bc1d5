package tasks

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"icm/agent/engine"
	"icm/internal/atomicfile"
)

// home is where a file of the agent's own directory lies.
func (d Deps) home(name string) string { return filepath.Join(d.Home, name) }

// writeFile replaces a file and makes the directories above it.
func writeFile(path, text string, mode fs.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("cannot write %s: %v", path, err)
	}
	if err := atomicfile.Write(path, []byte(text), mode); err != nil {
		return fmt.Errorf("cannot write %s: %v", path, err)
	}
	return nil
}

// readFile returns a file's text, and "" with false when there is none.
func readFile(path string) (string, bool, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("cannot read %s: %v", path, err)
	}
	return string(data), true, nil
}

// copyWhole copies a file with its mode and owner.
func copyWhole(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := atomicfile.Write(to, data, 0o600); err != nil {
		return err
	}
	return likeness(from, to)
}

// likeness gives a file the owner and the mode of another one.
func likeness(of, path string) error {
	info, err := os.Stat(of)
	if err != nil {
		return err
	}
	uid, gid := owner(info)
	if err := os.Chown(path, uid, gid); err != nil {
		return err
	}
	return os.Chmod(path, info.Mode().Perm())
}

// fileBefore is a file as it was before a task changed it.
type fileBefore struct {
	Existed bool        `json:"existed"`
	Text    string      `json:"text"`
	Mode    fs.FileMode `json:"mode"`
	UID     int         `json:"uid"`
	GID     int         `json:"gid"`
	// Made are the directories that had to be made for it, the deepest first.
	Made []string `json:"made,omitempty"`
}

// keepFile notes how a file of configuration is before it is changed for the
// first time; restoreFile brings that back.
func (d Deps) keepFile(t *engine.Task, path string) error {
	key := "file " + path
	if known, err := t.Load(key, &fileBefore{}); err != nil || known {
		return err
	}
	text, existed, err := readFile(d.path(path))
	if err != nil {
		return err
	}
	before := fileBefore{Existed: existed, Text: text}
	for dir := filepath.Dir(path); !exists(d.path(dir)); dir = filepath.Dir(dir) {
		before.Made = append(before.Made, dir)
	}
	if existed {
		info, err := os.Stat(d.path(path))
		if err != nil {
			return fmt.Errorf("cannot look at %s: %v", path, err)
		}
		before.Mode = info.Mode().Perm()
		before.UID, before.GID = owner(info)
	}
	return t.Note(key, before)
}

func (d Deps) restoreFile(t *engine.Task, path string) error {
	var before fileBefore
	if known, err := t.Load("file "+path, &before); err != nil || !known {
		return err
	}
	if before.Existed {
		if err := writeFile(d.path(path), before.Text, before.Mode); err != nil {
			return err
		}
		return os.Chown(d.path(path), before.UID, before.GID)
	}
	if err := os.Remove(d.path(path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot remove %s: %v", path, err)
	}
	for _, dir := range before.Made {
		if os.Remove(d.path(dir)) != nil {
			break // somebody else has put something there
		}
	}
	return nil
}
