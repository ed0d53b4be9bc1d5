package state

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

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
