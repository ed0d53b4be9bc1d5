package state

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"icm/internal/atomicfile"
)

// Recovered is the state of an operation whose record was put together from
// what the nodes knew of it.
const Recovered = "recovered"

// nobodyKnows stands for who ran an operation whose record was lost.
const nobodyKnows = "unknown"

// Public are the fields of the entry without its secrets, addresses among them.
func (i *Instance) Public() map[string]string {
	out := maps.Clone(i.Fields)
	if out == nil {
		out = map[string]string{}
	}
	for name, value := range out {
		out[name] = cleanValue(value)
		if secretField(name) {
			delete(out, name)
		}
	}
	out["IPAddress"], out["DNSName"] = i.IPAddress, i.DNSName
	return out
}

// unusedFile marks a directory that was recovered and that no operation has
// used since: what is in it can be recovered again.
const unusedFile = "recovered"

// MarkUnused marks a directory that was recovered.
func (d *Dir) MarkUnused() error {
	return atomicfile.Write(filepath.Join(d.Path, unusedFile), []byte("made by icm recover, and not used yet\n"), 0o600)
}

// Unused reports whether the directory was recovered and not used since.
func (d *Dir) Unused() bool {
	_, err := os.Stat(filepath.Join(d.Path, unusedFile))
	return err == nil
}

// used takes the mark away: whoever holds the lock is going to write.
func (d *Dir) used() error {
	err := os.Remove(filepath.Join(d.Path, unusedFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return errors.Join(err, atomicfile.SyncDir(d.Path))
}

// Move gives the directory another place, which must be free.
func (d *Dir) Move(path string) error {
	if err := unix.Renameat2(unix.AT_FDCWD, d.Path, unix.AT_FDCWD, path, unix.RENAME_NOREPLACE); err != nil {
		return fmt.Errorf("cannot make %s: %w", path, err)
	}
	from := filepath.Dir(d.Path)
	d.Path = path
	return errors.Join(atomicfile.SyncDir(filepath.Dir(path)), atomicfile.SyncDir(from))
}

// RaiseFence makes the next lock's number higher than seen, so that no node
// refuses its holder.
func (d *Dir) RaiseFence(seen uint64) error {
	r, err := d.readLock()
	if err != nil || r.Fence >= seen {
		return err
	}
	r.Fence = seen
	return d.writeLock(r)
}

// RecoverOperation records an operation of the past, with its own id, as far as
// it is known: the plan and the events. It cannot be resumed.
func (d *Dir) RecoverOperation(id, verb string, plan any, events []any, now time.Time) error {
	stamp, _, _ := strings.Cut(id, "-")
	began, err := time.Parse(idTime, stamp)
	if err != nil || !filepath.IsLocal(id) || strings.ContainsRune(id, filepath.Separator) {
		return fmt.Errorf("%q is no id of an operation", id)
	}
	o := &Operation{
		Meta: Meta{Format: operationFormat, ID: id, Verb: verb, Argv: []string{verb},
			Runs: []Owner{{User: nobodyKnows, Host: nobodyKnows, Since: began, Command: "icm " + verb}}},
		dir: d.operation(id),
	}
	if err := os.MkdirAll(o.dir, 0o700); err != nil {
		return err
	}
	if err := errors.Join(atomicfile.SyncDir(d.operations()), writeJSON(filepath.Join(o.dir, "meta.json"), o.Meta), o.Plan(plan)); err != nil {
		return err
	}
	if o.log, err = openEventLog(o.dir, id); err != nil {
		return err
	}
	for _, ev := range events {
		if err := o.Event(ev); err != nil {
			return errors.Join(err, o.log.close())
		}
	}
	return o.Finish(Outcome{State: Recovered, Error: "the record was lost; this is what the nodes knew of it"}, now)
}
