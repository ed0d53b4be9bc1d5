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
	"icm/agent/kitfile"
	"icm/internal/atomicfile"
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
	return ok && (brought(a.URL) || m.From == origin(a.URL, m))
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
// Undo: deletes the archive, unless it was there before. One that it replaced is
// fetched again when it is needed.
func (d Deps) doFetch(ctx context.Context, t *engine.Task) error {
	a, k, err := decodeKit(t)
	if err != nil {
		return err
	}
	if d.upToDate(k, a) {
		return d.dropBrought(k, a)
	}
	if err := begin(t); err != nil {
		return err
	}
	if brought(a.URL) {
		return d.takeBrought(ctx, k, a)
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
	if did, err := begun(t); err != nil || !did {
		return err
	}
	path := d.archive(k)
	return removeFiles(path, path+".ok", path+".part", d.incoming(k))
}

func removeFiles(paths ...string) error {
	for _, p := range paths {
		if err := os.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cannot delete %s: %w", p, err)
		}
	}
	return nil
}
