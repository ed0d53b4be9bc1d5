package tasks

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"icm/agent/engine"
	"icm/agent/iris"
	"icm/internal/hint"
	"icm/internal/kind"
	"icm/internal/wire"
)

func irisRemove(d Deps) engine.Kind {
	return engine.Kind{Look: d.lookRemove, Do: d.doRemove}
}

func (d Deps) lookRemove(ctx context.Context, t *engine.Task) (wire.Look, error) {
	var a kind.Remove
	if err := t.Decode(&a); err != nil {
		return wire.Look{}, err
	}
	name := a.Instance.Name
	in, err := d.find(ctx, name)
	if err != nil {
		return wire.Look{}, err
	}
	var diffs []wire.Diff
	if in.there {
		diffs = append(diffs, wire.Diff{What: "instance " + name, Before: in.Version + " in " + in.Dir, After: "removed"})
	}
	if _, known, err := d.IRIS.Record(name); err != nil {
		return wire.Look{}, err
	} else if known && !in.there && exists(a.Instance.Dir) {
		diffs = append(diffs, wire.Diff{What: a.Instance.Dir, Before: "left over", After: "removed"})
	}
	if _, ours, err := d.Units.Read(iris.UnitName(name)); err == nil && ours {
		diffs = append(diffs, wire.Diff{What: iris.UnitName(name), Before: "there", After: "removed"})
	}
	look := satisfiedBy(diffs)
	if in.there && !iris.IsOurs(in.Instance, a.Instance.Dir) {
		look.Refused = fmt.Sprintf("instance %s is in %s, not in %s", name, in.Dir, a.Instance.Dir)
	}
	return look, nil
}

// doRemove stops, unregisters and deletes the installation. Data volumes stay.
//
// Rerun: removes what is left.
// Undo: none; what is deleted is gone.
func (d Deps) doRemove(ctx context.Context, t *engine.Task) error {
	var a kind.Remove
	if err := t.Decode(&a); err != nil {
		return err
	}
	name := a.Instance.Name
	in, rec, err := d.known(ctx, name)
	if err != nil {
		return err
	}
	if !in.there && rec.Name == "" {
		return d.removeRest(ctx, t, a.Instance) // its directory is not ours to delete
	}
	if err := errors.Join(iris.CheckRemovable(a.Instance.Dir)); err != nil {
		return err
	}
	left := leftovers(in.Instance, a.Instance.Dir)
	if err := d.wipe(ctx, t, name, a.Instance.Dir); err != nil {
		return err
	}
	for _, path := range left {
		t.Logf("left in place: %s", path)
	}
	if err := d.removeBrought(ctx, t, rec); err != nil {
		return err
	}
	return d.removeRest(ctx, t, a.Instance)
}

// removeRest removes what belongs to an instance outside its directory.
func (d Deps) removeRest(ctx context.Context, t *engine.Task, i kind.Instance) error {
	if err := d.Units.Remove(ctx, iris.UnitName(i.Name)); err != nil {
		return err
	}
	if err := d.IRIS.DropSnapshot(i.Name, i.Dir); err != nil {
		return err
	}
	if exists(i.Dir) {
		t.Logf("left in place: %s", i.Dir)
	}
	return errors.Join(d.dropConfigurationBackup(i.Name), d.IRIS.Forget(i.Name))
}

// leftovers are the directories of an instance that lie elsewhere and stay.
func leftovers(in wire.Instance, dir string) []string {
	f, err := iris.ReadCPF(in)
	if err != nil {
		return nil
	}
	var out []string
	seen := map[string]bool{}
	add := func(path string) {
		path, _, _ = strings.Cut(path, ",")
		if path = filepath.Clean(path); filepath.IsAbs(path) && !strings.HasPrefix(path+"/", dir+"/") && !seen[path] && exists(path) {
			seen[path] = true
			out = append(out, path)
		}
	}
	for _, k := range f.Keys("Databases") {
		if v, _ := f.Get("Databases", k); strings.Count(v, ",") == 0 || strings.Split(v, ",")[1] == "" {
			add(v)
		}
	}
	for _, s := range [][2]string{{"Journal", "CurrentDirectory"}, {"Journal", "AlternateDirectory"}, {"config", "wijdir"}} {
		if v, ok := f.Get(s[0], s[1]); ok && v != "" {
			add(v)
		}
	}
	return out
}

func dataRemove(d Deps) engine.Kind {
	return engine.Kind{Look: d.lookData, Do: d.doData}
}

func (d Deps) lookData(ctx context.Context, t *engine.Task) (wire.Look, error) {
	var a kind.Data
	if err := t.Decode(&a); err != nil {
		return wire.Look{}, err
	}
	var diffs []wire.Diff
	for _, path := range a.Paths {
		entries, err := iris.DataIn(path)
		if err != nil {
			return wire.Look{Diffs: diffs, Refused: err.Error()}, nil
		}
		if len(entries) > 0 {
			diffs = append(diffs, wire.Diff{What: path, Before: fmt.Sprintf("%d files and directories", len(entries)), After: "empty"})
		}
	}
	return satisfiedBy(diffs), nil
}

// doData deletes what is on the data volumes.
//
// Rerun: deletes what is left.
// Undo: none; data that is deleted is gone.
func (d Deps) doData(ctx context.Context, t *engine.Task) error {
	var a kind.Data
	if err := t.Decode(&a); err != nil {
		return err
	}
	list, err := d.IRIS.List(ctx)
	if err != nil {
		return err
	}
	for _, in := range list {
		if strings.EqualFold(in.Name, a.Instance) || usesAny(in, a.Paths) {
			return &hint.Error{
				Err:  fmt.Errorf("cannot delete data: instance %s is still installed and uses it", in.Name),
				Hint: "icm uninstall removes the instance first",
			}
		}
	}
	for _, path := range a.Paths {
		if err := ctx.Err(); err != nil {
			return err
		}
		t.Logf("deleting what is in %s", path)
		if err := iris.RemoveData(path); err != nil {
			return err
		}
	}
	return nil
}

// usesAny reports whether a configuration names one of the directories. One
// that cannot be read might.
func usesAny(in wire.Instance, paths []string) bool {
	data, err := os.ReadFile(iris.CPFPath(in))
	if err != nil {
		return true
	}
	for _, p := range paths {
		if strings.Contains(string(data), strings.TrimRight(p, "/")+"/") {
			return true
		}
	}
	return false
}
