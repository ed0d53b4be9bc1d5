package tasks

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"icm/agent/engine"
	"icm/agent/host"
	"icm/agent/iris"
	"icm/agent/webgateway"
	"icm/internal/cpf"
	"icm/internal/hint"
	"icm/internal/kind"
	"icm/internal/secret"
	"icm/internal/wire"
)

func gatewayConfigure(d Deps) engine.Kind {
	return engine.Kind{Look: d.lookGatewayConfigure, Do: d.doGatewayConfigure, Undo: d.undoGatewayConfigure}
}

func decodeGatewayConfig(t *engine.Task) (kind.GatewayConfig, error) {
	var a kind.GatewayConfig
	err := t.Decode(&a)
	if err == nil {
		a.Dir, err = gatewayDir(a.Dir)
	}
	if err == nil {
		err = webgateway.Check(a)
	}
	return a, err
}

func (d Deps) lookGatewayConfigure(_ context.Context, t *engine.Task) (wire.Look, error) {
	a, err := decodeGatewayConfig(t)
	if err != nil {
		return wire.Look{}, err
	}
	rec, there, err := d.gatewayIs(a.Dir)
	if err != nil {
		return wire.Look{}, err
	}
	if !there {
		return notInstalled("servers of the Web Gateway", a.Servers[0].Name+" and others"), nil
	}
	diffs, err := d.gatewayLacks(a, rec)
	if err != nil {
		return wire.Look{}, err
	}
	look := satisfiedBy(diffs)
	look.NoSecrets = look.Satisfied
	return look, nil
}

// gatewayLacks compares CSP.ini and Apache's section with what they should say.
func (d Deps) gatewayLacks(a kind.GatewayConfig, rec webgateway.Record) ([]wire.Diff, error) {
	_, f, _, err := d.readINI(a.Dir)
	if err != nil {
		return nil, err
	}
	diffs := webgateway.Missing(f, a, rec)
	if web, ok := webgateway.FindApache(d.Root); ok {
		text, _, err := readFile(d.path(web.Conf))
		if err != nil {
			return nil, err
		}
		if webgateway.Section(text) != webgateway.Locations(a) {
			diffs = append(diffs, wire.Diff{What: web.Conf, Before: "other application paths", After: "those of the deployment"})
		}
	}
	return diffs, nil
}

// doGatewayConfigure tells the gateway its servers and paths, and Apache the
// paths. A running gateway takes new servers without a break; new paths need a
// graceful reload of Apache.
//
// Rerun: writes the same again.
// Undo: CSP.ini and the section in Apache's configuration become what they were.
func (d Deps) doGatewayConfigure(ctx context.Context, t *engine.Task) error {
	a, err := decodeGatewayConfig(t)
	if err != nil {
		return err
	}
	web, err := d.apache()
	if err != nil {
		return err
	}
	rec, there, err := d.gatewayIs(a.Dir)
	if err != nil {
		return err
	}
	if !there {
		return hint.New(fmt.Errorf("cannot configure the Web Gateway: there is none in %s", a.Dir), "icm install brings it here")
	}
	if whole, err := d.gatewayWhole(t, a, rec); whole || err != nil {
		return err
	}
	var password secret.Secret
	if a.PasswordSecret != "" {
		if password, err = t.Secret(a.PasswordSecret); err != nil {
			return err
		}
	}
	if err := once(t, "begun", func() error { return d.keepGateway(t, a.Dir, rec, web) }); err != nil {
		return err
	}
	if err := d.openTLS(a.TLSDir, web); err != nil {
		return err
	}
	if err := d.writeServers(a, rec, web, password); err != nil {
		return err
	}
	changed, err := d.editApache(web, func(text string) (string, error) { return webgateway.PutSection(text, webgateway.Locations(a)) })
	if err != nil || !changed {
		return err
	}
	return explainApache(d.Units.ReloadUnit(ctx, web.Unit), web)
}

// gatewayWhole reports whether there is nothing to do, as after an upgrade that
// kept everything. Then the task came without the password. One that had begun
// goes on to its end.
func (d Deps) gatewayWhole(t *engine.Task, a kind.GatewayConfig, rec webgateway.Record) (bool, error) {
	var before webgateway.Record
	begun, err := t.Load("record", &before)
	if begun || err != nil {
		return false, err
	}
	diffs, err := d.gatewayLacks(a, rec)
	return len(diffs) == 0, err
}

// writeServers writes CSP.ini. The record says before what may be in it, and
// afterwards what is.
func (d Deps) writeServers(a kind.GatewayConfig, rec webgateway.Record, web webgateway.Apache, password secret.Secret) error {
	path, f, text, err := d.readINI(a.Dir)
	if err != nil {
		return err
	}
	after, err := webgateway.Apply(f, a, rec, password)
	if err != nil {
		return fmt.Errorf("cannot configure the Web Gateway: %w", err)
	}
	if err := rec.Wider(after).Write(d.Home); err != nil {
		return err
	}
	if string(f.Bytes()) != text {
		if err := webgateway.AskReload(f); err != nil {
			return err
		}
		if err := writeINI(path, string(f.Bytes()), web); err != nil {
			return err
		}
	}
	return after.Write(d.Home)
}

// openTLS lets the web server's processes, which speak to the instances, read
// the private key.
func (d Deps) openTLS(dir string, web webgateway.Apache) error {
	if dir == "" {
		return nil
	}
	acct, found, err := host.FindAccount(d.Root, web.User)
	if err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("cannot let the web server read %s: there is no account %s", dir, web.User)
	}
	for _, name := range []string{iris.CAFile, iris.CertificateFile, iris.PrivateKeyFile} {
		if err := os.Lchown(d.path(filepath.Join(dir, name)), -1, int(acct.GID)); err != nil {
			return hint.New(fmt.Errorf("cannot let the web server read the TLS files: %v", err), "TLSKeyDir must have been brought to the node first")
		}
	}
	return nil
}

// gatewayBackup is where CSP.ini is kept as it was: it holds passwords, which
// are no text for the task journal.
func (d Deps) gatewayBackup(t *engine.Task) string {
	return d.home(filepath.Join("gateway", t.Change+"-"+t.ID))
}

func (d Deps) keepGateway(t *engine.Task, dir string, rec webgateway.Record, web webgateway.Apache) error {
	ini, _, _, err := d.readINI(dir)
	if err != nil {
		return err
	}
	conf, _, err := readFile(d.path(web.Conf))
	if err != nil {
		return err
	}
	if err := errors.Join(t.Note("record", rec), t.Note("section", webgateway.Section(conf))); err != nil {
		return err
	}
	// What earlier changes kept is of no use any more, and secret.
	err = errors.Join(os.RemoveAll(d.home("gateway")), os.MkdirAll(d.gatewayBackup(t), 0o700))
	if err == nil {
		err = copyWhole(ini, filepath.Join(d.gatewayBackup(t), "CSP.ini"))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot keep CSP.ini: %v", err)
	}
	return nil
}

func (d Deps) undoGatewayConfigure(ctx context.Context, t *engine.Task) error {
	var rec webgateway.Record
	var section string
	if known, err := t.Load("record", &rec); err != nil || !known {
		return err
	}
	if _, err := t.Load("section", &section); err != nil {
		return err
	}
	if !exists(d.gatewayBackup(t)) {
		return nil // never begun, or undone already
	}
	if d.gatewayModule(rec.Dir) != "" {
		if err := d.putGatewayBack(ctx, rec, filepath.Join(d.gatewayBackup(t), "CSP.ini"), section); err != nil {
			return err
		}
	}
	return os.RemoveAll(d.gatewayBackup(t))
}

func (d Deps) putGatewayBack(ctx context.Context, rec webgateway.Record, backup, section string) error {
	web, err := d.apache()
	if err != nil {
		return err
	}
	if err := d.putINIBack(rec, backup, web); err != nil {
		return err
	}
	if err := d.putRecordBack(rec); err != nil {
		return err
	}
	changed, err := d.editApache(web, func(text string) (string, error) { return webgateway.PutSection(text, section) })
	if err != nil || !changed {
		return err
	}
	return explainApache(d.Units.ReloadUnit(ctx, web.Unit), web)
}

// putINIBack gives CSP.ini its old content, mode and owner, and has a running
// gateway read it.
func (d Deps) putINIBack(rec webgateway.Record, backup string, web webgateway.Apache) error {
	path, _, _, err := d.readINI(rec.Dir)
	if err != nil {
		return err
	}
	old, there, err := readFile(backup)
	if err != nil {
		return err
	}
	if !there {
		return removeFiles(path)
	}
	f := cpf.Parse([]byte(old))
	if err := errors.Join(webgateway.AskReload(f), writeINI(path, string(f.Bytes()), web)); err != nil {
		return err
	}
	return likeness(backup, path)
}

// putRecordBack makes the agent remember what it did before. A record that no
// file had has no format.
func (d Deps) putRecordBack(rec webgateway.Record) error {
	if rec.Format == 0 {
		return removeFiles(webgateway.RecordPath(d.Home))
	}
	return rec.Write(d.Home)
}
