package tasks

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"icm/agent/engine"
	"icm/agent/iris"
	"icm/internal/kind"
	"icm/internal/wire"
)

func irisLicense(d Deps) engine.Kind {
	return engine.Kind{Look: d.lookLicense, Do: d.doLicense, Undo: d.undoLicense}
}

func (d Deps) lookLicense(ctx context.Context, t *engine.Task) (wire.Look, error) {
	var a kind.License
	if err := t.Decode(&a); err != nil {
		return wire.Look{}, err
	}
	in, err := d.find(ctx, a.Instance.Name)
	if err != nil {
		return wire.Look{}, err
	}
	if !in.there {
		return notInstalled("licence key", short(a.SHA256)), nil
	}
	have, err := iris.KeySum(in.Dir)
	if err != nil || strings.EqualFold(have, a.SHA256) {
		return wire.Look{Satisfied: err == nil}, err
	}
	before := "none"
	if have != "" {
		before = short(have)
	}
	return wire.Look{Diffs: []wire.Diff{{What: iris.KeyPath(in.Dir), Before: before, After: short(a.SHA256)}}}, nil
}

// short names a key without showing it.
func short(sum string) string { return "key " + sum[:min(12, len(sum))] }

// doLicense puts the key in place and has a running instance read it.
//
// Rerun: writes and activates again, which changes nothing.
// Undo: puts the key back that was there, or none.
func (d Deps) doLicense(ctx context.Context, t *engine.Task) error {
	var a kind.License
	if err := t.Decode(&a); err != nil {
		return err
	}
	in, err := d.must(ctx, a.Instance)
	if err != nil {
		return err
	}
	key, err := t.Secret(a.Secret)
	if err != nil {
		return err
	}
	if s := sha256.Sum256([]byte(key.Reveal())); a.SHA256 != "" && !strings.EqualFold(hex.EncodeToString(s[:]), a.SHA256) {
		return fmt.Errorf("cannot use the licence key: it is not the one that was planned")
	}
	// What a change before this one kept is none of this one's undo.
	if err := once(t, "kept", func() error { return d.IRIS.DropKeyBackup(in.Name) }); err != nil {
		return err
	}
	if err := d.IRIS.PutKey(in, a.Instance.Owner, a.Instance.Group, key); err != nil {
		return err
	}
	if iris.Running(in) {
		return d.IRIS.ActivateKey(ctx, in)
	}
	return nil
}

func (d Deps) undoLicense(ctx context.Context, t *engine.Task) error {
	var a kind.License
	if err := t.Decode(&a); err != nil {
		return err
	}
	var kept bool
	if _, err := t.Load("kept", &kept); err != nil || !kept {
		return err
	}
	in, err := d.find(ctx, a.Instance.Name)
	if err != nil || !in.there {
		return err
	}
	return d.IRIS.RestoreKey(in.Instance, a.Instance.Owner, a.Instance.Group)
}
