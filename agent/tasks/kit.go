package tasks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"icm/agent/engine"
	"icm/agent/host"
	"icm/agent/kitfile"
	"icm/internal/atomicfile"
	"icm/internal/hint"
	"icm/internal/kind"
	"icm/internal/kitname"
	"icm/internal/wire"
)

// Fetched archives lie in the agent's own directory. Unpacked kits lie beside
// it, because the installer runs parts of the kit as another user and the
// agent's directory is closed to all.

func (d Deps) archive(k kitname.Kit) string  { return filepath.Join(d.Home, "kits", k.Name) }
func (d Deps) kits() string                  { return strings.TrimRight(d.Home, "/") + "-kits" }
func (d Deps) unpacked(k kitname.Kit) string { return filepath.Join(d.kits(), k.Dir()) }

// kitMark proves that an archive was checked, or a kit unpacked, to its end.
type kitMark struct {
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"`
	Mtime  int64  `json:"mtime"` // nanoseconds
	// From is where an archive was fetched from; see origin.
	From string `json:"from,omitempty"`
}

func readMark(path string) (kitMark, bool) {
	data, err := os.ReadFile(path)
	var m kitMark
	if err != nil || json.Unmarshal(data, &m) != nil {
		return kitMark{}, false // without a readable mark it is done again
	}
	return m, true
}

func writeMark(path string, m kitMark) error {
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return atomicfile.Write(path, data, 0o600)
}

// origin names what an address stands for now: itself, and for a file on the
// node also its size and age, so that a kit which was replaced by another one of
// the same name is fetched anew. A file that is gone stands for what it was.
func origin(address string, known kitMark) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "file" {
		return address
	}
	st, err := os.Stat(u.Path)
	if errors.Is(err, fs.ErrNotExist) && strings.HasPrefix(known.From, address+" ") {
		return known.From
	}
	if err != nil {
		return address
	}
	return fmt.Sprintf("%s %d %d", address, st.Size(), st.ModTime().UnixNano())
}

// upToDate reports whether the archive of a kit is there, checked, and still
// what its address stands for.
func (d Deps) upToDate(k kitname.Kit, a kind.Kit) bool {
	m, ok := d.fetched(k, a.SHA256)
	return ok && m.From == origin(a.URL, m)
}

// fetched returns the mark of an archive that is there, checked and unchanged.
func (d Deps) fetched(k kitname.Kit, want string) (kitMark, bool) {
	m, ok := readMark(d.archive(k) + ".ok")
	st, err := os.Stat(d.archive(k))
	if !ok || err != nil || st.Size() != m.Size || st.ModTime().UnixNano() != m.Mtime {
		return kitMark{}, false
	}
	return m, want == "" || strings.EqualFold(want, m.SHA256)
}

func kitFetch(d Deps) engine.Kind {
	return engine.Kind{Look: d.lookFetch, Do: d.doFetch, Undo: d.undoFetch}
}

func decodeKit(t *engine.Task) (kind.Kit, kitname.Kit, error) {
	var a kind.Kit
	if err := t.Decode(&a); err != nil {
		return a, kitname.Kit{}, err
	}
	k, err := kitname.Parse(a.Name)
	return a, k, err
}

func (d Deps) lookFetch(_ context.Context, t *engine.Task) (wire.Look, error) {
	a, k, err := decodeKit(t)
	if err != nil {
		return wire.Look{}, err
	}
	if d.upToDate(k, a) {
		return wire.Look{Satisfied: true}, nil
	}
	before := "not there"
	if st, err := os.Stat(d.archive(k) + ".part"); err == nil {
		before = fmt.Sprintf("%d MB of it", st.Size()>>20)
	}
	return wire.Look{Diffs: []wire.Diff{{What: "kit " + k.Name, Before: before, After: "fetched and checked"}}}, nil
}

// doFetch gets the archive onto the node and proves that it is whole.
//
// Rerun: a download goes on where it stopped, a checked archive is kept.
// Undo: deletes the archive.
func (d Deps) doFetch(ctx context.Context, t *engine.Task) error {
	a, k, err := decodeKit(t)
	if err != nil {
		return err
	}
	if d.upToDate(k, a) {
		return nil
	}
	path := d.archive(k)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("cannot fetch the kit: %v", err)
	}
	if err := removeFiles(path, path+".ok"); err != nil {
		return err
	}
	from := origin(a.URL, kitMark{})
	source := kitfile.Source{URL: a.URL}
	if a.CredentialsSecret != "" {
		if source.Credentials, err = t.Secret(a.CredentialsSecret); err != nil {
			return err
		}
	}
	if err := kitfile.Fetch(ctx, source, path, func(done int64) { t.Progress(done, 0, "bytes", "fetching") }); err != nil {
		return err
	}
	return d.checkArchive(ctx, k, a.SHA256, from)
}

// checkArchive deletes what turns out to be damaged: the next try must not go
// on from there.
func (d Deps) checkArchive(ctx context.Context, k kitname.Kit, want, from string) error {
	path := d.archive(k)
	sum, err := kitfile.Check(ctx, path, want)
	if err != nil {
		if ctx.Err() != nil {
			return err
		}
		return joinRemove(err, path)
	}
	st, err := os.Stat(path)
	if err == nil {
		err = writeMark(path+".ok", kitMark{sum, st.Size(), st.ModTime().UnixNano(), from})
	}
	if err != nil {
		return fmt.Errorf("cannot keep the kit: %v", err)
	}
	return nil
}

func joinRemove(err error, path string) error {
	if rm := removeFiles(path); rm != nil {
		return errors.Join(err, rm)
	}
	return err
}

func (d Deps) undoFetch(_ context.Context, t *engine.Task) error {
	_, k, err := decodeKit(t)
	if err != nil {
		return err
	}
	path := d.archive(k)
	return removeFiles(path, path+".ok", path+".part")
}

func removeFiles(paths ...string) error {
	for _, p := range paths {
		if err := os.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cannot delete %s: %v", p, err)
		}
	}
	return nil
}

func kitUnpack(d Deps) engine.Kind {
	return engine.Kind{Look: d.lookUnpack, Do: d.doUnpack, Undo: d.undoUnpack}
}

func (d Deps) lookUnpack(_ context.Context, t *engine.Task) (wire.Look, error) {
	a, k, err := decodeKit(t)
	if err != nil {
		return wire.Look{}, err
	}
	if d.isUnpacked(k, a.SHA256) {
		return wire.Look{Satisfied: true}, nil
	}
	return wire.Look{Diffs: []wire.Diff{{What: d.unpacked(k), Before: "not there", After: "the unpacked kit"}}}, nil
}

// isUnpacked reports whether the kit was unpacked to its end, from the archive
// that is wanted.
func (d Deps) isUnpacked(k kitname.Kit, want string) bool {
	m, ok := readMark(d.unpacked(k) + ".ok")
	if !ok || !exists(d.unpacked(k)) || (want != "" && !strings.EqualFold(want, m.SHA256)) {
		return false
	}
	have, fetched := d.fetched(k, "")
	return !fetched || have.SHA256 == m.SHA256
}

// doUnpack unpacks the kit next to its final place, renames it there, and asks
// the kit whether it fits this system.
//
// Rerun: a half-unpacked directory is removed first, a finished one is kept.
// Undo: removes the directory; instances installed from it are untouched.
func (d Deps) doUnpack(ctx context.Context, t *engine.Task) error {
	a, k, err := decodeKit(t)
	if err != nil {
		return err
	}
	if !d.isUnpacked(k, a.SHA256) {
		if err := d.unpack(ctx, t, k, a.SHA256); err != nil {
			return err
		}
	}
	dir, err := kitfile.FindInstaller(d.unpacked(k))
	if err != nil {
		return err
	}
	return checkPlatform(ctx, t, dir, k, a.Platform)
}

func (d Deps) unpack(ctx context.Context, t *engine.Task, k kitname.Kit, want string) error {
	mark, ok := d.fetched(k, want)
	if !ok {
		return fmt.Errorf("cannot unpack %s: it has not been fetched", k.Name)
	}
	dst, part := d.unpacked(k), d.unpacked(k)+".part"
	for _, path := range []string{part, dst} {
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("cannot unpack the kit: %v", err)
		}
	}
	if err := errors.Join(os.MkdirAll(d.kits(), 0o755), os.Chmod(d.kits(), 0o755), removeFiles(dst+".ok")); err != nil {
		return fmt.Errorf("cannot unpack the kit: %v", err)
	}
	if err := kitfile.Unpack(ctx, d.archive(k), part, kitfile.KitLimits, func(done int64) { t.Progress(done, 0, "bytes", "unpacking") }); err != nil {
		return errors.Join(err, os.RemoveAll(part))
	}
	if err := errors.Join(os.Chmod(part, 0o755), os.Rename(part, dst), atomicfile.SyncDir(d.kits())); err != nil {
		return fmt.Errorf("cannot unpack the kit: %v", err)
	}
	return writeMark(dst+".ok", mark)
}

// checkPlatform asks the kit what it calls this system and whether the system
// has what it needs. Afterwards would be too late: the instance is stopped then.
func checkPlatform(ctx context.Context, t *engine.Task, dir string, k kitname.Kit, override string) error {
	out, err := host.Command{Path: "/bin/sh", Args: []string{"./cplatname", "identify"}, Dir: dir}.Run(ctx)
	if got := strings.TrimSpace(out.Stdout); override == "" && err == nil && got != "" {
		if family(got) != family(k.Platform) {
			return &hint.Error{
				Err:  fmt.Errorf("cannot use kit %s: it is for %s, and calls this system %s", k.Name, k.Platform, got),
				Hint: "set KitURL to a kit for " + got,
			}
		}
	} else if err != nil {
		t.Logf("the kit cannot tell what this system is: %v", err)
	}
	c := host.Command{Path: "/bin/sh", Args: []string{"./irisinstall", "--prechecker"}, Dir: dir}
	if override != "" {
		c.Env = append(c.Env, "ISC_PACKAGE_PLATFORM="+override)
	}
	if !exists(filepath.Join(dir, "irisinstall")) {
		return nil
	}
	out, err = c.Run(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if miss := unsatisfied(out.Stdout + "\n" + out.Stderr); miss != "" || err != nil {
		if miss == "" {
			miss = err.Error()
		}
		return &hint.Error{
			Err:  fmt.Errorf("cannot use kit %s: this system does not have what it needs: %s", k.Name, miss),
			Hint: "install the missing package on the node",
		}
	}
	return nil
}

// family is the part of a platform's name that kits and systems must share:
// operating system family and processor, without releases: lnxrh8x64 → lnxrh…x64.
func family(platform string) string {
	cpu := "x64"
	if strings.HasSuffix(platform, "arm64") {
		cpu = "arm64"
	}
	for _, f := range []string{"lnxrh", "lnxubuntu", "lnxsus"} {
		if strings.HasPrefix(platform, f) {
			return f + " " + cpu
		}
	}
	return platform
}

// unsatisfied returns the first requirement that the kit's own check misses.
func unsatisfied(text string) string {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.Contains(line, "not satisfied") || strings.Contains(line, "Requirements Check Failed") {
			return line
		}
	}
	return ""
}

func (d Deps) undoUnpack(_ context.Context, t *engine.Task) error {
	_, k, err := decodeKit(t)
	if err != nil {
		return err
	}
	return d.removeUnpacked(k)
}

func (d Deps) removeUnpacked(k kitname.Kit) error {
	dst := d.unpacked(k)
	if err := removeFiles(dst + ".ok"); err != nil { // first: without it the rest is worthless
		return err
	}
	for _, path := range []string{dst, dst + ".part"} {
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("cannot delete %s: %v", path, err)
		}
	}
	if entries, err := os.ReadDir(d.kits()); err == nil && len(entries) == 0 {
		return removeFiles(d.kits())
	}
	return nil
}

func kitRemove(d Deps) engine.Kind {
	return engine.Kind{Look: d.lookKitRemove, Do: d.doKitRemove}
}

func (d Deps) lookKitRemove(_ context.Context, t *engine.Task) (wire.Look, error) {
	_, k, err := decodeKit(t)
	if err != nil {
		return wire.Look{}, err
	}
	var diffs []wire.Diff
	for _, path := range []string{d.archive(k), d.archive(k) + ".part", d.unpacked(k), d.unpacked(k) + ".part"} {
		if exists(path) {
			diffs = append(diffs, wire.Diff{What: path, Before: "there", After: "removed"})
		}
	}
	return satisfiedBy(diffs), nil
}

// doKitRemove deletes archive and unpacked kit.
//
// Rerun: deletes what is left.
// Undo: none; the kit is fetched again when it is needed.
func (d Deps) doKitRemove(_ context.Context, t *engine.Task) error {
	_, k, err := decodeKit(t)
	if err != nil {
		return err
	}
	if err := d.removeUnpacked(k); err != nil {
		return err
	}
	path := d.archive(k)
	return removeFiles(path, path+".ok", path+".part")
}
