package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"

	"icm/controller/signing"
	"icm/internal/hint"
	"icm/internal/secret"
)

// signingOptions say with which key something is signed, and what opens it.
type signingOptions struct {
	key, passwordFile string
	noPassword        bool
}

func (o *signingOptions) register(fs *flag.FlagSet, key string) {
	fs.StringVar(&o.key, "key", "", key)
	fs.StringVar(&o.passwordFile, "keyPasswordFile", "", "read the password of the private key from this `file`; without it the variable ICM_KEY_PASSWORD counts, or the terminal")
}

// private opens the signing key.
func (o *signingOptions) private(ctx context.Context, env *Env) (signing.Private, error) {
	return signing.LoadPrivate(absolute(env, o.key), func() (secret.Secret, error) { return o.password(ctx, env, false) })
}

// password comes from file, environment or terminal, in this order; a new one is
// asked for twice.
func (o *signingOptions) password(ctx context.Context, env *Env, isNew bool) (secret.Secret, error) {
	if o.passwordFile != "" {
		return readPassword(env, o.passwordFile)
	}
	if p := env.Getenv("ICM_KEY_PASSWORD"); p != "" {
		return secret.New(p), nil
	}
	first, err := env.Prompt(ctx, "Password of the signing key: ", true)
	if errors.Is(err, errNoTerminal) {
		return secret.Secret{}, hint.New(errors.New("the signing key needs a password, and there is no terminal to ask on"), "-keyPasswordFile names a file with it; icm bundle keygen -noPassword makes a key without")
	}
	if err != nil || !isNew {
		return secret.New(first), err
	}
	second, err := env.Prompt(ctx, "Again: ", true)
	if err == nil && first != second {
		err = &usageError{"the two passwords differ", "try again"}
	}
	if err == nil && first == "" {
		err = &usageError{"the password is empty", "-noPassword makes a key without one"}
	}
	return secret.New(first), err
}

func (o *bundleOptions) keygen(ctx context.Context, env *Env, _ []string) error {
	if o.key == "" {
		return &usageError{"icm bundle keygen needs -key FILE", "icm bundle keygen -key site.key"}
	}
	path := absolute(env, o.key)
	for _, p := range []string{path, path + ".pub"} {
		if _, err := os.Lstat(p); err == nil {
			return fmt.Errorf("%s exists already: a key is not written over", p)
		}
	}
	var password secret.Secret
	if !o.noPassword {
		var err error
		if password, err = o.password(ctx, env, true); err != nil {
			return err
		}
	}
	public, private, err := signing.Generate(password)
	if err != nil {
		return err
	}
	if err := errors.Join(writeNew(path, private, 0o600), writeNew(path+".pub", public.File(), 0o644)); err != nil {
		return err
	}
	fmt.Fprintf(env.Out, "%s signs: guard it. %s.pub is for the sites that take your bundles:\n%s\n", o.key, o.key, public)
	return nil
}

func writeNew(path string, data []byte, mode os.FileMode) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

func (o *bundleOptions) pin(_ context.Context, env *Env, args []string) error {
	store := o.open(env)
	if o.unpin != "" {
		if err := store.Unpin(o.unpin); err != nil {
			return err
		}
		fmt.Fprintf(env.Out, "key %s is trusted no more\n", o.unpin)
		return nil
	}
	if len(args) == 1 {
		key, err := loadPublic(env, args[0])
		if err == nil {
			err = store.Pin(key)
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(env.Out, "bundles signed with key %s are taken from now on\n", key.ID())
		return nil
	}
	keys, err := store.Keys()
	for _, k := range keys {
		fmt.Fprintf(env.Out, "%s  %s\n", k.ID(), k)
	}
	return err
}
