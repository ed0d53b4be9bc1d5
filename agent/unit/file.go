package unit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	systemd "github.com/coreos/go-systemd/v22/unit"

	"icm/internal/atomicfile"
)

// Dir is where our unit files lie. It wins over what packages bring.
const Dir = "/etc/systemd/system"

// Marker is the first line of every unit file of ours. A file without it
// belongs to somebody else and is left alone.
const Marker = "# Written by icm-agent. Changes are lost when icm runs again.\n"

// ErrForeign means that a unit file of that name exists and is not ours.
var ErrForeign = errors.New("the unit file was not written by icm")

// MountName is the name systemd demands of the mount unit of path.
func MountName(path string) string {
	return systemd.UnitNamePathEscape(path) + ".mount"
}

// Path returns where the unit file called name lies below the root.
func (m *Manager) Path(name string) string {
	return filepath.Join(m.root, Dir, name)
}

// Read returns the text of a unit file of ours, and whether there is one.
func (m *Manager) Read(name string) (string, bool, error) {
	data, err := os.ReadFile(m.Path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("cannot read unit %s: %v", name, err)
	}
	if !bytes.HasPrefix(data, []byte(Marker)) {
		return "", false, fmt.Errorf("cannot use unit %s: %w", name, ErrForeign)
	}
	return string(data), true, nil
}

// Write puts text into the unit file called name and makes systemd read it.
// The marker is put in front when it is missing. An unchanged file is not
// written again; systemd is reloaded all the same, because a crash may have
// come between the two.
func (m *Manager) Write(ctx context.Context, name, text string) error {
	if !strings.HasPrefix(text, Marker) {
		text = Marker + text
	}
	have, found, err := m.Read(name)
	if err != nil {
		return err
	}
	if !found || have != text {
		if err := m.put(name, text); err != nil {
			return err
		}
	}
	return m.Reload(ctx)
}

func (m *Manager) put(name, text string) error {
	if err := os.MkdirAll(filepath.Dir(m.Path(name)), 0o755); err != nil {
		return fmt.Errorf("cannot write unit %s: %v", name, err)
	}
	if err := atomicfile.Write(m.Path(name), []byte(text), 0o644); err != nil {
		return fmt.Errorf("cannot write unit %s: %v", name, err)
	}
	return nil
}

// Remove stops and disables a unit of ours and deletes its file. A unit that
// is not there is fine.
func (m *Manager) Remove(ctx context.Context, name string) error {
	_, found, err := m.Read(name)
	if err != nil {
		return err
	}
	if err := m.Stop(ctx, name); err != nil {
		return err
	}
	if !found {
		return nil
	}
	return m.abandon(ctx, name)
}

// Abandon disables a unit of ours and deletes its file, and does not stop what
// runs: it goes on, and systemd forgets it when it ends. A unit that is not
// there is fine.
func (m *Manager) Abandon(ctx context.Context, name string) error {
	_, found, err := m.Read(name)
	if err != nil || !found {
		return err
	}
	return m.abandon(ctx, name)
}

func (m *Manager) abandon(ctx context.Context, name string) error {
	if err := m.Disable(ctx, name); err != nil {
		return err
	}
	if err := os.Remove(m.Path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot remove unit %s: %v", name, err)
	}
	if err := atomicfile.SyncDir(filepath.Dir(m.Path(name))); err != nil {
		return fmt.Errorf("cannot remove unit %s: %v", name, err)
	}
	if err := m.Reload(ctx); err != nil {
		return err
	}
	return m.forgetFailure(ctx, name)
}
