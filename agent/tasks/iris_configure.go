package tasks

import (
	"context"
	"errors"
	"fmt"

	"icm/agent/engine"
	"icm/agent/iris"
	"icm/internal/atomicfile"
	"icm/internal/cpf"
	"icm/internal/kind"
	"icm/internal/secret"
	"icm/internal/wire"

	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

func irisConfigure(d Deps) engine.Kind {
	return engine.Kind{Look: d.lookConfigure, Do: d.doConfigure, Undo: d.undoConfigure}
}

// configuration is what a look and a do both need to know.
type configuration struct {
	args    kind.Configure
	in      found
	rec     iris.Record
	file    *cpf.File // as it will be after the next start
	pending []byte
	want    []iris.Setting
	// password and osAuth say what is still to be set up.
	password, osAuth bool
}

func (d Deps) configuration(ctx context.Context, t *engine.Task) (configuration, error) {
	var c configuration
	if err := t.Decode(&c.args); err != nil {
		return c, err
	}
	var err error
	if c.want, err = iris.Settings(c.args); err != nil {
		return c, err
	}
	known := false
	if c.rec, known, err = d.IRIS.Record(c.args.Instance.Name); err != nil {
		return c, err
	}
	if c.in, err = d.find(ctx, c.args.Instance.Name); err != nil || !c.in.there {
		c.password, c.osAuth = c.args.PasswordSecret != "", c.args.OSAuth
		return c, err
	}
	if c.file, err = iris.ReadCPF(c.in.Instance); err != nil {
		return c, err
	}
	if c.pending, err = d.IRIS.Pending(c.in.Name); err != nil {
		return c, err
	}
	c.file = iris.WithPending(c.file, c.pending)
	// An instance that we did not install keeps its passwords and its doors.
	c.password = known && c.args.PasswordSecret != "" && !c.rec.PasswordSet && !iris.HasPassword(c.pending)
	c.osAuth = known && c.args.OSAuth && !c.rec.OSAuth && !iris.HasOSAuth(c.pending)
	return c, nil
}

func (d Deps) lookConfigure(ctx context.Context, t *engine.Task) (wire.Look, error) {
	c, err := d.configuration(ctx, t)
	if err != nil {
		return wire.Look{}, err
	}
	diffs := c.diffs()
	if !c.in.there && len(diffs) == 0 {
		return notInstalled("instance "+c.args.Instance.Name, "configured"), nil
	}
	look := satisfiedBy(diffs)
	look.NoSecrets = !c.password && !c.osAuth
	return look, nil
}

// diffs are what the configuration lacks.
func (c configuration) diffs() []wire.Diff {
	file := c.file
	if file == nil {
		file = cpf.Parse(nil)
	}
	diffs := iris.Unmet(file, c.want)
	if localDefault(c, file) {
		diffs = append(diffs, wire.Diff{What: "[LicenseServers] LOCAL", Before: "set", After: "removed"})
	}
	if c.password {
		diffs = append(diffs, wire.Diff{What: "passwords", Before: "the installer's", After: "set"})
	}
	if c.osAuth {
		diffs = append(diffs, wire.Diff{What: "operating system authentication", Before: "off", After: "on"})
	}
	return diffs
}

// localDefault reports whether the kit's own licence server entry has to go:
// instances that share a key must name the same servers.
func localDefault(c configuration, f *cpf.File) bool {
	if len(c.args.LicenseServers) == 0 {
		return false
	}
	if _, wanted := c.args.LicenseServers["LOCAL"]; wanted {
		return false
	}
	_, have := f.Get("LicenseServers", "LOCAL")
	return have
}

// doConfigure prepares what the next start makes of the instance, which is down.
// Kits with configuration merge get a merge file; older ones an edited iris.cpf
// and, for what only ObjectScript can do, one start and stop of its own.
//
// An instance that has it all already is left alone: after an upgrade that is the
// rule.
//
// Rerun: sets the same again; the passwords are taken once, by the first start.
// Undo: iris.cpf is put back as it was, and so is a merge that waited before;
// one that this task made is dropped.
func (d Deps) doConfigure(ctx context.Context, t *engine.Task) error {
	c, err := d.configuration(ctx, t)
	if err != nil {
		return err
	}
	if !c.in.there {
		return fmt.Errorf("cannot configure %s: it is not installed", c.args.Instance.Name)
	}
	var signOn bool
	if _, err := t.Load("first start", &signOn); err != nil {
		return err
	}
	if !signOn && len(c.diffs()) == 0 {
		return nil
	}
	if !signOn && !iris.Down(c.in.Instance) && !iris.Crashed(c.in.Instance) {
		return fmt.Errorf("cannot configure %s: it is %q, not down", c.in.Name, c.in.Status)
	}
	if err := once(t, "kept", func() error { return d.dropConfigurationBackup(c.in.Name) }); err != nil {
		return err
	}
	if err := d.keepConfiguration(c.in.Instance, c.pending); err != nil {
		return err
	}
	var hash secret.Secret
	if c.password {
		if hash, err = t.Secret(c.args.PasswordSecret); err != nil {
			return err
		}
	}
	if c.args.Merge {
		return d.configureByMerge(t, c, hash)
	}
	return d.configureClassic(ctx, t, c, hash, signOn)
}

func (d Deps) configureByMerge(t *engine.Task, c configuration, hash secret.Secret) error {
	if localDefault(c, c.file) { // a merge adds and changes, and removes nothing
		f, err := iris.ReadCPF(c.in.Instance)
		if err != nil {
			return err
		}
		f.Delete("LicenseServers", "LOCAL")
		if err := iris.WriteCPF(c.in.Instance, f); err != nil {
			return err
		}
	}
	if len(c.pending) > 0 && !c.password && !c.osAuth && len(iris.Unmet(c.file, c.want)) == 0 {
		return nil
	}
	if hash.Empty() && iris.HasPassword(c.pending) {
		v, _ := cpf.Parse(c.pending).Get("Startup", "PasswordHash")
		hash = secret.New(v)
	}
	merge, err := iris.BuildMerge(c.want, hash, c.osAuth || iris.HasOSAuth(c.pending))
	if err != nil || merge == nil {
		return err
	}
	t.Logf("the next start merges %d settings", len(c.want))
	return d.IRIS.SetPending(c.in.Name, c.args.Instance.Owner, c.args.Instance.Group, merge)
}

// backups are where iris.cpf and the merge that waited are kept as they were:
// they may hold password hashes, which are no text for the task journal.
func (d Deps) backups(name string) (cpf, merge string) {
	base := filepath.Join(d.Home, "iris", strings.ToLower(name))
	return base + ".cpf.before", base + ".merge.before"
}

// keepConfiguration keeps what is there once: a rerun must not take its own work
// for it. iris.cpf comes last, and says that all of it is kept.
func (d Deps) keepConfiguration(in wire.Instance, pending []byte) error {
	cpfBackup, mergeBackup := d.backups(in.Name)
	if _, err := os.Stat(cpfBackup); err == nil {
		return nil
	}
	data, err := os.ReadFile(iris.CPFPath(in))
	if err == nil {
		err = os.MkdirAll(filepath.Dir(cpfBackup), 0o700)
	}
	if err == nil && len(pending) > 0 {
		err = atomicfile.Write(mergeBackup, pending, 0o600)
	}
	if err == nil {
		err = atomicfile.Write(cpfBackup, data, 0o600)
	}
	if err != nil {
		return fmt.Errorf("cannot keep the configuration of %s: %v", in.Name, err)
	}
	return nil
}

func (d Deps) dropConfigurationBackup(name string) error {
	cpfBackup, mergeBackup := d.backups(name)
	for _, path := range []string{cpfBackup, mergeBackup} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cannot forget the old configuration of %s: %v", name, err)
		}
	}
	return nil
}

func (d Deps) undoConfigure(ctx context.Context, t *engine.Task) error {
	var a kind.Configure
	if err := t.Decode(&a); err != nil {
		return err
	}
	var kept bool
	if _, err := t.Load("kept", &kept); err != nil || !kept {
		return err
	}
	in, err := d.find(ctx, a.Instance.Name)
	if err != nil {
		return err
	}
	cpfBackup, _ := d.backups(a.Instance.Name)
	data, err := os.ReadFile(cpfBackup)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // nothing was changed, or it is undone already
	}
	if err != nil {
		return fmt.Errorf("cannot put the configuration of %s back: %v", a.Instance.Name, err)
	}
	if !in.there {
		return errors.Join(d.IRIS.ClearPending(a.Instance.Name), d.dropConfigurationBackup(a.Instance.Name))
	}
	if err := d.haltFirstStart(ctx, t, in.Instance); err != nil {
		return err
	}
	if err := d.restorePending(a.Instance); err != nil {
		return err
	}
	if err := iris.WriteCPF(in.Instance, cpf.Parse(data)); err != nil {
		return err
	}
	return d.dropConfigurationBackup(a.Instance.Name)
}

// restorePending makes the merge wait again that waited before, or none.
func (d Deps) restorePending(i kind.Instance) error {
	_, mergeBackup := d.backups(i.Name)
	merge, err := os.ReadFile(mergeBackup)
	if errors.Is(err, fs.ErrNotExist) {
		return d.IRIS.ClearPending(i.Name)
	}
	if err != nil {
		return fmt.Errorf("cannot put the configuration of %s back: %v", i.Name, err)
	}
	return d.IRIS.SetPending(i.Name, i.Owner, i.Group, merge)
}

// haltFirstStart stops what doConfigure itself started.
func (d Deps) haltFirstStart(ctx context.Context, t *engine.Task, in wire.Instance) error {
	var started bool
	if _, err := t.Load("first start", &started); err != nil || !started || iris.Down(in) {
		return err
	}
	return d.halt(ctx, t, in.Name)
}
