package state

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"icm/internal/atomicfile"
)

const operationFormat = 1

// idTime is the first part of an operation's id, so that ids sort by time.
const idTime = "20060102T150405.000Z"

// Meta says what an operation is and who runs it.
type Meta struct {
	Format int      `json:"format"`
	ID     string   `json:"id"`
	Verb   string   `json:"verb"` // "install"
	Argv   []string `json:"argv"` // secrets replaced by stars
	// Runs are who worked on it: one that began it, and one for each resume.
	Runs []Owner `json:"runs"`
}

// Began is when the operation was begun.
func (m Meta) Began() time.Time { return m.Runs[0].Since }

// Outcome is how an operation ended.
type Outcome struct {
	Format int `json:"format"`
	// State is "done", "failed", "partial", "refused" or "cancelled".
	State string    `json:"state"`
	Error string    `json:"error,omitempty"`
	Hint  string    `json:"hint,omitempty"`
	Exit  int       `json:"exit"` // status of the command
	Time  time.Time `json:"time"`
	// Events and Chain are the number of events and the hash of the last one,
	// so that a shortened record is noticed. Finish fills both in.
	Events int    `json:"events"`
	Chain  string `json:"chain"`
}

// The states of an operation. The first two are never recorded: they are what
// the lack of an outcome means.
const (
	Running     = "running"
	Interrupted = "interrupted" // its process has died; icm resume goes on
	Done        = "done"
	Failed      = "failed"
	Partial     = "partial"
	Refused     = "refused"
	Cancelled   = "cancelled"
)

// Operation records an operation while it runs. It is not for use by several
// goroutines, but for Event.
type Operation struct {
	Meta Meta

	dir string
	log *eventLog
}

// ID sorts by time.
func (o *Operation) ID() string { return o.Meta.ID }

// Dir is where the operation is recorded; a caller may keep files of its own
// there.
func (o *Operation) Dir() string { return o.dir }

// NewOperation begins the record of an operation. The caller holds the lock.
func (d *Dir) NewOperation(verb string, argv []string, now time.Time) (*Operation, error) {
	o, err := d.newOperation(verb, argv, now)
	if err != nil {
		return nil, fmt.Errorf("cannot record the operation: %w", err)
	}
	return o, nil
}

func (d *Dir) newOperation(verb string, argv []string, now time.Time) (*Operation, error) {
	me, err := self("icm "+verb, now)
	if err != nil {
		return nil, err
	}
	id, err := d.nextID(now)
	if err != nil {
		return nil, err
	}
	o := &Operation{
		Meta: Meta{Format: operationFormat, ID: id, Verb: verb, Argv: cleanArgs(argv), Runs: []Owner{me}},
		dir:  d.operation(id),
	}
	if err := os.Mkdir(o.dir, 0o700); err != nil {
		return nil, err
	}
	if err := atomicfile.SyncDir(d.operations()); err != nil {
		return nil, err
	}
	if err := writeJSON(filepath.Join(o.dir, "meta.json"), o.Meta); err != nil {
		return nil, err
	}
	o.log, err = openEventLog(o.dir, id)
	return o, err
}

// nextID is later than every id there is, also when the clock was set back.
func (d *Dir) nextID(now time.Time) (string, error) {
	if err := os.MkdirAll(d.operations(), 0o700); err != nil {
		return "", err
	}
	ids, err := d.operationIDs()
	if err != nil {
		return "", err
	}
	if len(ids) > 0 {
		newest, _, _ := strings.Cut(ids[len(ids)-1], "-")
		if t, err := time.Parse(idTime, newest); err == nil && !now.Truncate(time.Millisecond).After(t) {
			now = t.Add(time.Millisecond)
		}
	}
	tail := make([]byte, 3)
	if _, err := rand.Read(tail); err != nil {
		return "", err
	}
	return now.UTC().Format(idTime) + "-" + hex.EncodeToString(tail), nil
}

// ResumeOperation goes on recording an operation that was interrupted. A line
// that was half written when it was is dropped.
func (d *Dir) ResumeOperation(id string, now time.Time) (*Operation, error) {
	r, err := d.OpenOperation(id)
	if err != nil {
		return nil, err
	}
	if r.Outcome != nil {
		return nil, fmt.Errorf("cannot resume operation %s: it ended as %s", id, r.Outcome.State)
	}
	me, err := self("icm resume", now)
	if err != nil {
		return nil, err
	}
	o := &Operation{Meta: r.Meta, dir: d.operation(id)}
	o.Meta.Runs = append(o.Meta.Runs, me)
	if err := writeJSON(filepath.Join(o.dir, "meta.json"), o.Meta); err != nil {
		return nil, fmt.Errorf("cannot record the operation: %w", err)
	}
	if o.log, err = openEventLog(o.dir, id); err != nil {
		return nil, fmt.Errorf("cannot record the operation: %w", err)
	}
	return o, nil
}

// Plan records the plan.
func (o *Operation) Plan(v any) error {
	if err := writeJSON(filepath.Join(o.dir, "plan.json"), v); err != nil {
		return fmt.Errorf("cannot record the plan: %w", err)
	}
	return nil
}

// Event records v, as JSON; when it returns, v is on the disk. Any goroutine
// may call it.
func (o *Operation) Event(v any) error {
	if err := o.log.append(v); err != nil {
		return fmt.Errorf("cannot record an event: %w", err)
	}
	return nil
}

// Finish records how the operation ended. Nothing can be recorded afterwards.
func (o *Operation) Finish(out Outcome, now time.Time) error {
	out.Format, out.Time = operationFormat, now.UTC()
	out.Events, out.Chain = o.log.end()
	err := writeJSON(filepath.Join(o.dir, "outcome.json"), out)
	if err = errors.Join(err, o.log.close()); err != nil {
		return fmt.Errorf("cannot record the outcome: %w", err)
	}
	return nil
}

// Recorded is an operation as it was recorded.
type Recorded struct {
	Meta    Meta
	State   string
	Outcome *Outcome // nil while it runs, and when it was interrupted
	Plan    json.RawMessage
	Events  []Event
}

// OpenOperation reads the record of an operation. A record that was altered
// afterwards is an error that names the first altered line.
func (d *Dir) OpenOperation(id string) (*Recorded, error) {
	r, err := d.openMeta(id)
	if err != nil {
		return nil, err
	}
	dir := d.operation(id)
	r.Plan, err = os.ReadFile(filepath.Join(dir, "plan.json"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	events, err := readEvents(dir, id)
	if err != nil {
		return nil, err
	}
	if r.Outcome != nil && (events.count != r.Outcome.Events || events.chain != r.Outcome.Chain) {
		return nil, fmt.Errorf("the record of operation %s was altered: it had %d events when it ended, now it has %d",
			id, r.Outcome.Events, events.count)
	}
	r.Events = events.list
	return r, nil
}

// openMeta reads everything but the plan and the events.
func (d *Dir) openMeta(id string) (*Recorded, error) {
	if !filepath.IsLocal(id) || strings.ContainsRune(id, filepath.Separator) {
		return nil, fmt.Errorf("no operation %q", id)
	}
	path := filepath.Join(d.operation(id), "meta.json")
	r := &Recorded{}
	err := readJSON(path, &r.Meta)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no operation %q: %w", id, fs.ErrNotExist)
	}
	if err != nil {
		return nil, err
	}
	if err := checkFormat(path, r.Meta.Format, operationFormat); err != nil {
		return nil, err
	}
	if r.Meta.ID != id || len(r.Meta.Runs) == 0 {
		return nil, fmt.Errorf("cannot read %s: it is not that of operation %s", path, id)
	}
	return r, d.addOutcome(r)
}

func (d *Dir) addOutcome(r *Recorded) error {
	path := filepath.Join(d.operation(r.Meta.ID), "outcome.json")
	var out Outcome
	err := readJSON(path, &out)
	if errors.Is(err, fs.ErrNotExist) {
		r.State, err = d.lastRunState(r.Meta)
		return err
	}
	if err != nil {
		return err
	}
	r.Outcome, r.State = &out, out.State
	return checkFormat(path, out.Format, operationFormat)
}

// lastRunState says what it means that there is no outcome. A process on
// another machine is taken to run as long as the lock is its own.
func (d *Dir) lastRunState(m Meta) (string, error) {
	last := m.Runs[len(m.Runs)-1]
	me, err := self("", last.Since)
	if err != nil {
		return "", err
	}
	if last.sameMachine(me) {
		if last.alive(me) {
			return Running, nil
		}
		return Interrupted, nil
	}
	holder, err := d.Holder()
	if err != nil || holder != nil && holder.sameProcess(last) {
		return Running, err
	}
	return Interrupted, nil
}

// Elsewhere is who ran the operation last, when that was on another machine.
func (m Meta) Elsewhere() (Owner, bool) {
	last := m.Runs[len(m.Runs)-1]
	me, err := self("", last.Since)
	return last, err == nil && !last.sameMachine(me)
}

// ListOperations returns all operations, oldest first, without their plans and
// events. Those that cannot be read are in the error; the others are returned
// all the same.
func (d *Dir) ListOperations() ([]Recorded, error) {
	ids, err := d.operationIDs()
	if err != nil {
		return nil, err
	}
	var out []Recorded
	var errs []error
	for _, id := range ids {
		r, err := d.openMeta(id)
		switch {
		case errors.Is(err, fs.ErrNotExist): // killed before it had begun
		case err != nil:
			errs = append(errs, err)
		default:
			out = append(out, *r)
		}
	}
	return out, errors.Join(errs...)
}

func (d *Dir) operationIDs() ([]string, error) {
	entries, err := os.ReadDir(d.operations())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, e := range entries {
		if e.IsDir() {
			ids = append(ids, e.Name())
		}
	}
	slices.Sort(ids)
	return ids, nil
}

func (d *Dir) operations() string         { return filepath.Join(d.Path, "operations") }
func (d *Dir) operation(id string) string { return filepath.Join(d.operations(), id) }

// compact makes one line of v.
func compact(v any) (json.RawMessage, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return bytes.TrimSpace(data), nil
}
