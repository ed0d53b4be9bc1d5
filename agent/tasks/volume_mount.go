package tasks

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"icm/agent/engine"
	"icm/agent/host"
	"icm/agent/unit"
	"icm/internal/hint"
	"icm/internal/kind"
	"icm/internal/wire"
)

// linkLimit is how long udev has to show a new file system by its UUID.
const linkLimit = 15 * time.Second

// volumeBefore is what undo goes back to.
type volumeBefore struct {
	Unit    string   `json:"unit"`    // text of the mount unit, "" when there was none
	Mounted bool     `json:"mounted"` // something was mounted there
	Dirs    []string `json:"dirs"`    // directories that were made, outermost first
}

func volumeMount(d Deps) engine.Kind {
	return engine.Kind{Look: d.lookVolumeMount, Do: d.doVolumeMount, Undo: d.undoVolumeMount}
}

func (d Deps) lookVolumeMount(ctx context.Context, t *engine.Task) (wire.Look, error) {
	var v kind.Volume
	if err := t.Decode(&v); err != nil {
		return wire.Look{}, err
	}
	f, err := d.findVolume(ctx, t, v)
	if err != nil {
		return wire.Look{}, err
	}
	l := f.look(v, d.unitMatches(ctx, v, f.Device))
	if f.Action == actDirectory && isDir(d.path(v.MountPoint)) {
		l.Satisfied, l.Diffs = true, nil
	}
	return l, nil
}

// doVolumeMount decides from the table in docs/safety.md, makes a file system
// where that is allowed, and mounts it.
//
// Rerun: looks and decides anew. A file system that it began to make is known
// by its note and made again; a finished one is ours and is kept.
// Undo: unmounts and removes the unit; what was formatted stays formatted.
func (d Deps) doVolumeMount(ctx context.Context, t *engine.Task) error {
	var v kind.Volume
	if err := t.Decode(&v); err != nil {
		return err
	}
	f, err := d.findVolume(ctx, t, v)
	if err != nil {
		return err
	}
	if f.Action == actRefuse {
		return &hint.Error{Err: fmt.Errorf("cannot mount %s at %s: %s", v.Device, v.MountPoint, f.Why), Hint: f.Hint}
	}
	if err := d.noteVolume(t, v); err != nil {
		return err
	}
	if f.Action == actDirectory {
		return makeDirs(d.path(v.MountPoint))
	}
	if f.Action == actFormat || f.Action == actErase {
		if err := d.format(ctx, t, v, f); err != nil {
			return err
		}
	}
	if err := d.mount(ctx, t, v, f); err != nil {
		return err
	}
	return d.grow(ctx, t, v, f)
}

// noteVolume records, once, what undo goes back to.
func (d Deps) noteVolume(t *engine.Task, v kind.Volume) error {
	var before volumeBefore
	if known, err := t.Load("before", &before); err != nil || known {
		return err
	}
	if v.Device != "null" {
		text, _, err := d.Units.Read(unit.MountName(v.MountPoint))
		if err != nil {
			return err
		}
		mounts, err := d.Blocks.Mounts()
		if err != nil {
			return err
		}
		before.Unit = text
		_, before.Mounted = host.MountAt(mounts, v.MountPoint)
	}
	for p := v.MountPoint; p != "/" && !exists(d.path(p)); p = filepath.Dir(p) {
		before.Dirs = append([]string{p}, before.Dirs...)
	}
	return t.Note("before", before)
}

// format is the one place where a device is written to. The identity was
// compared with the plan's just before, and the kernel asked whether anybody
// uses the device; mkfs asks it again.
func (d Deps) format(ctx context.Context, t *engine.Task, v kind.Volume, f volumeFound) error {
	if t.Bind == "" {
		return fmt.Errorf("cannot format %s: the plan does not say which device was meant", v.Device)
	}
	note := formatNote{Identity: f.Device.Identity(), UUID: v.UUID}
	if err := t.Note(noteFormat, note); err != nil {
		return err
	}
	if f.Action == actErase {
		t.Logf("Erasing %s: %s; it holds %s", f.Device.Path, f.Case, f.Content)
		if err := host.EraseEdges(ctx, f.Device); err != nil {
			return err
		}
	}
	t.Logf("Making %s %q on %s (%s)", v.FileSystem, v.Label, f.Device.Path, f.Device.Identity())
	if _, err := fileSystem(v).Make(f.Device.Path).Run(ctx); err != nil {
		return &hint.Error{Err: fmt.Errorf("cannot format %s: %w", f.Device.Path, err),
			Hint: "when the cause is mended, give -wipe NODE:" + v.Device + ", because a part of the file system may stand on it"}
	}
	return t.Note(noteFormatted, note)
}

func (d Deps) mount(ctx context.Context, t *engine.Task, v kind.Volume, f volumeFound) error {
	what := d.whatToMount(ctx, v, f.Device)
	if what != whatByLink(v) {
		t.Logf("There is no %s (no udev here): mounting %s", whatByLink(v), what)
	}
	if err := makeDirs(d.path(v.MountPoint)); err != nil {
		return err
	}
	name := unit.MountName(v.MountPoint)
	if err := d.Units.Write(ctx, name, mountUnit(v, what)); err != nil {
		return err
	}
	if err := d.Units.Enable(ctx, name); err != nil {
		return err
	}
	if err := d.Units.Start(ctx, name); err != nil {
		return err
	}
	return d.checkMounted(v, f.Device)
}

func (d Deps) whatToMount(ctx context.Context, v kind.Volume, dev host.Device) string {
	if d.linkAppears(ctx, v, dev) {
		return whatByLink(v)
	}
	out, err := host.Command{Path: "findfs", Args: []string{whatByUUID(v)}}.Run(ctx)
	if err == nil && strings.TrimSpace(out.Stdout) == dev.Path {
		return whatByUUID(v)
	}
	return dev.Path
}

// linkAppears waits for udev to notice the file system, where udev runs.
func (d Deps) linkAppears(ctx context.Context, v kind.Volume, dev host.Device) bool {
	link := filepath.Join(d.Blocks.Dev, "disk/by-uuid", v.UUID)
	there := func() bool {
		real, err := filepath.EvalSymlinks(link)
		return err == nil && real == dev.Path
	}
	if !exists(filepath.Join(d.Blocks.Run, "udev/control")) {
		return there()
	}
	return poll(ctx, 50*time.Millisecond, linkLimit, there)
}

// checkMounted makes sure that it is our device that came up at the mount
// point: the same UUID may stand on a copy of the disk.
func (d Deps) checkMounted(v kind.Volume, dev host.Device) error {
	mounts, err := d.Blocks.Mounts()
	if err != nil {
		return err
	}
	m, ok := host.MountAt(mounts, v.MountPoint)
	if !ok {
		return fmt.Errorf("cannot mount %s: systemd says it did, but nothing is mounted there", v.MountPoint)
	}
	if m.Number != dev.Number && m.Source != dev.Path {
		return fmt.Errorf("cannot use %s: %s is mounted there, not %s; is there a copy of the disk?", v.MountPoint, m.Source, dev.Path)
	}
	return nil
}

func (d Deps) grow(ctx context.Context, t *engine.Task, v kind.Volume, f volumeFound) error {
	if f.Grow == 0 {
		return nil
	}
	t.Logf("Growing %s by %d bytes to the size of %s", v.MountPoint, f.Grow, f.Device.Path)
	if _, err := fileSystem(v).Grow(f.Device.Path, v.MountPoint).Run(ctx); err != nil {
		return fmt.Errorf("cannot grow %s: %w", v.MountPoint, err)
	}
	return nil
}

func (d Deps) undoVolumeMount(ctx context.Context, t *engine.Task) error {
	var v kind.Volume
	var before volumeBefore
	if err := t.Decode(&v); err != nil {
		return err
	}
	if known, err := t.Load("before", &before); err != nil || !known {
		return err
	}
	if v.Device != "null" {
		if err := d.restoreUnit(ctx, v, before); err != nil {
			return err
		}
	}
	for i := len(before.Dirs) - 1; i >= 0; i-- {
		// A directory that is not empty holds something that is not ours to delete.
		if err := os.Remove(d.path(before.Dirs[i])); err != nil {
			t.Logf("Leaving %s: %v", before.Dirs[i], err)
			break
		}
	}
	return nil
}

func (d Deps) restoreUnit(ctx context.Context, v kind.Volume, before volumeBefore) error {
	name := unit.MountName(v.MountPoint)
	switch {
	case before.Unit != "" && before.Mounted:
		return d.Units.Write(ctx, name, before.Unit)
	case before.Unit != "":
		return errors.Join(d.Units.Stop(ctx, name), d.Units.Write(ctx, name, before.Unit))
	case before.Mounted:
		return nil // it was mounted by hand, and removing the unit would unmount it
	}
	return d.Units.Remove(ctx, name)
}

// unitMatches reports whether the volume is mounted at every boot as we would
// have it.
func (d Deps) unitMatches(ctx context.Context, v kind.Volume, dev host.Device) bool {
	name := unit.MountName(v.MountPoint)
	text, _, err := d.Units.Read(name)
	fits := []string{mountUnit(v, whatByLink(v)), mountUnit(v, whatByUUID(v)), mountUnit(v, dev.Path)}
	if err != nil || !slices.Contains(fits, text) {
		return false
	}
	st, err := d.Units.Status(ctx, name)
	return err == nil && st.File == "enabled"
}

func makeDirs(path string) error {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return fmt.Errorf("cannot make %s: %v", path, err)
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
