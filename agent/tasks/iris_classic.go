package tasks

import (
	"context"
	"fmt"

	"icm/agent/engine"
	"icm/agent/iris"
	"icm/internal/hint"
	"icm/internal/secret"
	"icm/internal/wire"
)

// classicUser is the account that signs on once, on kits without merge. Every
// kit makes it, and PasswordHash sets its password.
const classicUser = "_SYSTEM"

// configureClassic is for kits without configuration merge. iris.cpf is edited
// while the instance is down, password hash included. The first start takes the
// hash; one session signs on with the plain password, on its standard input, and
// turns operating system authentication on. Why it is done like this is in
// docs/decisions/classic-passwords.md.
func (d Deps) configureClassic(ctx context.Context, t *engine.Task, c configuration, hash secret.Secret, started bool) error {
	if !started {
		if err := d.editCPF(c, hash); err != nil {
			return err
		}
	}
	if !c.password && !c.osAuth {
		return nil
	}
	if err := t.Note("first start", true); err != nil {
		return err
	}
	if err := d.firstStart(ctx, t, c); err != nil {
		return err
	}
	c.rec.PasswordSet = c.rec.PasswordSet || c.password
	c.rec.OSAuth = c.rec.OSAuth || c.osAuth
	return d.IRIS.Remember(c.rec)
}

func (d Deps) editCPF(c configuration, hash secret.Secret) error {
	f, err := iris.ReadCPF(c.in.Instance)
	if err != nil {
		return err
	}
	for _, s := range c.want {
		if err := f.Set(s.Section, s.Key, s.Value); err != nil {
			return err
		}
	}
	if localDefault(c, f) {
		f.Delete("LicenseServers", "LOCAL")
	}
	if !hash.Empty() {
		if err := f.Set("Startup", "PasswordHash", hash.Reveal()); err != nil {
			return fmt.Errorf("cannot set the passwords: the hash has more than one line")
		}
	}
	return iris.WriteCPF(c.in.Instance, f)
}

// firstStart starts the instance, lets its owner in, and stops it again.
func (d Deps) firstStart(ctx context.Context, t *engine.Task, c configuration) error {
	in, err := d.must(ctx, c.args.Instance)
	if err != nil {
		return err
	}
	if !iris.Running(in) {
		t.Logf("starting %s once, to set it up from within", in.Name)
		if err := d.IRIS.StartByHand(ctx, in, ""); err != nil {
			return err
		}
	}
	if err := d.IRIS.UntilReady(ctx, in.Name, wait(t, 0)); err != nil {
		return err
	}
	if c.osAuth {
		if err := d.letOwnerIn(ctx, t, c, in); err != nil {
			return err
		}
	}
	offset, err := iris.LogEnd(in)
	if err != nil {
		return err
	}
	if err := d.IRIS.StopByHand(ctx, in); err != nil {
		return err
	}
	return iris.ProveClean(in, offset)
}

func (d Deps) letOwnerIn(ctx context.Context, t *engine.Task, c configuration, in wire.Instance) error {
	if ok, err := d.IRIS.OSAuthWorks(ctx, in); err != nil || ok {
		return err
	}
	if c.args.PlainSecret == "" {
		return &hint.Error{
			Err:  fmt.Errorf("cannot turn operating system authentication on: this kit needs one sign-on, and no password came with the change"),
			Hint: "a newer icm sends it; bring icm up to date",
		}
	}
	password, err := t.Secret(c.args.PlainSecret)
	if err != nil {
		return err
	}
	if err := d.IRIS.EnableOSAuth(ctx, in, classicUser, password); err != nil {
		return err
	}
	ok, err := d.IRIS.OSAuthWorks(ctx, in)
	if err == nil && !ok {
		err = fmt.Errorf("cannot turn operating system authentication on: the instance still asks for a password")
	}
	return err
}
