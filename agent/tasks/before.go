package tasks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"icm/agent/engine"
	"icm/internal/atomicfile"
	"icm/internal/kind"
	"icm/internal/wire"
)

// Some settings are to be as they were before icm came, long after the change
// that set them has been forgotten. What such a kind notes for its undo is
// therefore also kept in the agent's home, and node.restore undoes from there.

// before is what one task found, in the words of its kind's undo.
type before struct {
	Change string                     `json:"change"`
	Task   string                     `json:"task"`
	Args   json.RawMessage            `json:"args"`
	Notes  map[string]json.RawMessage `json:"notes"`
}

func (d Deps) beforeFile(kindName string) string {
	return d.home(filepath.Join("before", kindName+".json"))
}

// readBefore lists what tasks of a kind found, oldest first.
func (d Deps) readBefore(kindName string) ([]before, error) {
	data, err := os.ReadFile(d.beforeFile(kindName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read what was here before: %v", err)
	}
	var list []before
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, fmt.Errorf("cannot read what was here before: %s: %v", d.beforeFile(kindName), err)
	}
	return list, nil
}

func (d Deps) writeBefore(kindName string, list []before) error {
	path := d.beforeFile(kindName)
	if len(list) == 0 {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cannot forget what was here before: %v", err)
		}
		return nil
	}
	data, err := json.Marshal(list)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("cannot keep what was here before: %v", err)
	}
	if err := atomicfile.Write(path, data, 0o600); err != nil {
		return fmt.Errorf("cannot keep what was here before: %v", err)
	}
	return nil
}

// remembered makes a kind keep its notes in the agent's home too. Undoing the
// task itself forgets them.
func (d Deps) remembered(kindName string, k engine.Kind) engine.Kind {
	do, undo := k.Do, k.Undo
	k.Do = func(ctx context.Context, t *engine.Task) error {
		return do(ctx, engine.NewTask(t.Task, t.Change, keeper{Env: t.Env(), d: d, kind: kindName, task: t}))
	}
	k.Undo = func(ctx context.Context, t *engine.Task) error {
		if err := undo(ctx, t); err != nil {
			return err
		}
		return d.dropBefore(kindName, func(b before) bool { return b.Change == t.Change && b.Task == t.ID })
	}
	return k
}

// keeper is the environment of a task whose notes outlive its change.
type keeper struct {
	engine.Env
	d    Deps
	kind string
	task *engine.Task
}

// Note keeps v in the agent's home before the journal has it: a crash between
// the two leaves a note too many, which says what is true.
func (k keeper) Note(key string, v json.RawMessage) error {
	list, err := k.d.readBefore(k.kind)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(list, func(b before) bool { return b.Change == k.task.Change && b.Task == k.task.ID })
	if i < 0 {
		list = append(list, before{Change: k.task.Change, Task: k.task.ID, Args: k.task.Args, Notes: map[string]json.RawMessage{}})
		i = len(list) - 1
	}
	list[i].Notes[key] = v
	if err := k.d.writeBefore(k.kind, list); err != nil {
		return err
	}
	return k.Env.Note(key, v)
}

func (d Deps) dropBefore(kindName string, is func(before) bool) error {
	list, err := d.readBefore(kindName)
	if err != nil {
		return err
	}
	return d.writeBefore(kindName, slices.DeleteFunc(list, is))
}

// recalled is the environment of an undo that works from the agent's home.
type recalled struct {
	engine.Env
	notes map[string]json.RawMessage
}

func (r recalled) Note(string, json.RawMessage) error { return nil } // nothing undoes the undoing

func (r recalled) Load(key string) (json.RawMessage, bool) {
	v, ok := r.notes[key]
	return v, ok
}

// nodeRestore undoes kinds of the table, from what they kept.
func nodeRestore(d Deps, table map[string]engine.Kind) engine.Kind {
	return engine.Kind{
		Look: d.lookRestore,
		Do:   func(ctx context.Context, t *engine.Task) error { return d.doRestore(ctx, t, table) },
	}
}

func (d Deps) lookRestore(_ context.Context, t *engine.Task) (wire.Look, error) {
	var a kind.Restore
	if err := t.Decode(&a); err != nil {
		return wire.Look{}, err
	}
	var diffs []wire.Diff
	for _, name := range a.Kinds {
		list, err := d.readBefore(name)
		if err != nil {
			return wire.Look{}, err
		}
		for _, b := range list {
			for _, key := range sortedNotes(b.Notes) {
				diffs = append(diffs, wire.Diff{What: name + ": " + strings.TrimPrefix(key, "file "), Before: "as icm set it", After: "as it was before"})
			}
		}
	}
	return satisfiedBy(diffs), nil
}

func sortedNotes(notes map[string]json.RawMessage) []string {
	keys := make([]string, 0, len(notes))
	for k := range notes {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// doRestore brings back what icm changed on the node, newest first, and
// forgets each record when it is done with it.
//
// Rerun: goes on with the records that are left.
// Undo: none; the next operation sets again what it needs.
func (d Deps) doRestore(ctx context.Context, t *engine.Task, table map[string]engine.Kind) error {
	var a kind.Restore
	if err := t.Decode(&a); err != nil {
		return err
	}
	for _, name := range a.Kinds {
		list, err := d.readBefore(name)
		if err != nil {
			return err
		}
		for i := len(list) - 1; i >= 0; i-- {
			b := list[i]
			task := wire.Task{ID: b.Task, Kind: name, Args: b.Args}
			if err := table[name].Undo(ctx, engine.NewTask(task, b.Change, recalled{Env: t.Env(), notes: b.Notes})); err != nil {
				return fmt.Errorf("cannot bring back what %s changed: %w", name, err)
			}
			if err := d.writeBefore(name, list[:i]); err != nil {
				return err
			}
		}
	}
	return nil
}
