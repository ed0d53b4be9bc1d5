package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"icm/controller/bundle"
)

// bundleJSON is a bundle as JSON answers have it.
type bundleJSON struct {
	Name   string     `json:"name"`
	Issued string     `json:"issued"`
	Digest string     `json:"digest"`
	Key    string     `json:"key"`
	Base   string     `json:"base,omitempty"`
	Icm    string     `json:"icm"`
	Files  []fileJSON `json:"files,omitempty"`
}

type fileJSON struct {
	Path     string `json:"path"`
	Kind     string `json:"kind"`
	Version  string `json:"version,omitempty"`
	Platform string `json:"platform,omitempty"`
	Size     int64  `json:"size"`
	SHA256   string `json:"sha256"`
}

func asJSON(b *bundle.Bundle, files bool) bundleJSON {
	out := bundleJSON{Name: b.Manifest.Name, Issued: b.Manifest.Issued, Digest: b.Digest, Key: b.Key.ID(), Base: b.Base, Icm: b.Manifest.Icm}
	if files {
		for _, f := range b.Manifest.Files {
			out.Files = append(out.Files, fileJSON{f.Path, f.Kind, f.Version, f.Platform, f.Size, f.SHA256})
		}
	}
	return out
}

func (o *bundleOptions) verify(ctx context.Context, env *Env, args []string) (err error) {
	keys, err := o.keys(env)
	if err != nil {
		return err
	}
	b, err := bundle.Open(absolute(env, args[0]), keys, o.open(env))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	moved, end := o.progress(env, args[0], "Verifying", b.Manifest.Size())
	err = b.Check(ctx, moved)
	end()
	if err != nil {
		return err
	}
	if !o.json.quiet() {
		fmt.Fprintf(env.Out, "%s is whole: bundle %s issued %s, %d files, signed with key %s\ndigest %s\n",
			args[0], b.Manifest.Name, b.Manifest.Issued, len(b.Manifest.Files), b.Key.ID(), b.Digest)
	}
	return o.json.write(env, asJSON(b, false))
}

func (o *bundleOptions) list(_ context.Context, env *Env, args []string) (err error) {
	if len(args) == 0 {
		return o.listStore(env)
	}
	b, err := o.openBundle(env, args[0])
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	if !o.json.quiet() {
		fmt.Fprintf(env.Out, "bundle %s issued %s, made by icm %s, signed with key %s\ndigest %s\n", b.Manifest.Name, b.Manifest.Issued, b.Manifest.Icm, b.Key.ID(), b.Digest)
		if b.Base != "" {
			fmt.Fprintf(env.Out, "delta bundle, based on %s\n", b.Base)
		}
		var rows [][]string
		for _, f := range b.Manifest.Files {
			rows = append(rows, []string{f.Path, f.Kind, f.Version, f.Platform, strconv.FormatInt(f.Size, 10)})
		}
		table(env.Out, []string{"Path", "Kind", "Version", "Platform", "Bytes"}, rows)
	}
	return o.json.write(env, asJSON(b, true))
}

// listStore lists what can be listed, also when something cannot.
func (o *bundleOptions) listStore(env *Env) error {
	loaded, err := o.open(env).List()
	list := []bundleJSON{}
	var rows [][]string
	for _, b := range loaded {
		list = append(list, asJSON(b, false))
		rows = append(rows, []string{b.Manifest.Name, b.Manifest.Issued, b.Key.ID(), b.Digest[:16], strconv.Itoa(len(b.Manifest.Files))})
	}
	if !o.json.quiet() {
		table(env.Out, []string{"Name", "Issued", "Key", "Digest", "Files"}, rows)
	}
	return errors.Join(err, o.json.write(env, list))
}

func (o *bundleOptions) load(ctx context.Context, env *Env, args []string) (err error) {
	keys, err := o.keys(env)
	if err != nil {
		return err
	}
	var in io.Reader = env.In
	var size int64
	if args[0] != "-" {
		f, err := os.Open(absolute(env, args[0]))
		if err != nil {
			return err
		}
		defer f.Close()
		if st, err := f.Stat(); err == nil {
			size = st.Size()
		}
		in = f
	}
	moved, end := o.progress(env, args[0], "Loading", size)
	b, err := o.open(env).Load(ctx, in, keys, o.allowOlder, moved)
	end()
	if err != nil {
		return err
	}
	fmt.Fprintf(env.Out, "loaded bundle %s issued %s\n", b.Manifest.Name, b.Manifest.Issued)
	for _, f := range b.Manifest.Of(bundle.KindKit) {
		fmt.Fprintf(env.Out, "bundle:%s\n", f.Path[len("kits/"):])
	}
	return b.Close()
}

func (o *bundleOptions) export(ctx context.Context, env *Env, args []string) (err error) {
	if o.to == "" {
		return &usageError{"icm bundle export needs -to DIRECTORY", "icm bundle export " + args[0] + " -to DIRECTORY"}
	}
	b, err := o.openBundle(env, args[0])
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	count := 0
	err = b.Export(ctx, absolute(env, o.to), o.only, o.force, func(string) { count++ })
	if err == nil {
		fmt.Fprintf(env.Out, "exported %d files to %s\n", count, o.to)
	}
	return err
}

func (o *bundleOptions) remove(ctx context.Context, env *Env, args []string) error {
	store := o.open(env)
	digest, err := store.Digest(args[0])
	if err != nil {
		return err
	}
	freed, err := store.Remove(ctx, digest)
	if err != nil {
		return err
	}
	fmt.Fprintf(env.Out, "removed bundle %s, which freed %s\n", digest, megabytes(freed))
	return nil
}

func (o *bundleOptions) gc(ctx context.Context, env *Env, _ []string) error {
	freed, err := o.open(env).GC(ctx)
	if err == nil {
		fmt.Fprintf(env.Out, "freed %s\n", megabytes(freed))
	}
	return err
}
