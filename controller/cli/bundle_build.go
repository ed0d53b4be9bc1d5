package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"icm/controller/agentbin"
	"icm/controller/bundle"
	"icm/controller/bundle/inputs"
	"icm/internal/hint"
)

// buildOptions are those of icm bundle build.
type buildOptions struct {
	out, name, date, base                                             string
	bin, kits, licenses, packages, images, terraform, mirrors, others listFlag
}

func (o *buildOptions) register(fs *flag.FlagSet) {
	fs.StringVar(&o.out, "o", "", "for build: the bundle's `file`")
	fs.StringVar(&o.name, "name", "icm", "for build: `name` of the series; a newer bundle has the same")
	fs.StringVar(&o.date, "date", "", "for build: when it is issued, as `2026-01-31` or in full; without it SOURCE_DATE_EPOCH counts, or now. The same date and files give the same bytes")
	fs.StringVar(&o.base, "base", "", "for build: leave out what this older bundle `file` has")
	fs.Var(&o.bin, "bin", "for build: `directory` with icm and its providers, of make build; may be repeated, one for each platform (default: that of this icm)")
	fs.Var(&o.kits, "kit", "for build: a kit's `file`, of IRIS, ISCAgent or Web Gateway; may be repeated")
	fs.Var(&o.licenses, "license", "for build: a licence key's `file`; may be repeated")
	fs.Var(&o.packages, "package", "for build: a Docker package's `file`; may be repeated")
	fs.Var(&o.images, "image", "for build: a container image's tar `file`; may be repeated")
	fs.Var(&o.terraform, "terraform", "for build: the terraform or OpenTofu program's `file`; may be repeated")
	fs.Var(&o.mirrors, "mirror", "for build: a `directory` that terraform providers mirror made; may be repeated")
	fs.Var(&o.others, "file", "for build: any other `file`; may be repeated")
}

func (o *bundleOptions) build(ctx context.Context, env *Env, _ []string) (err error) {
	if o.out == "" || o.key == "" {
		return &usageError{"icm bundle build needs -o FILE and -key FILE", "icm bundle keygen -key site.key makes a key"}
	}
	out := absolute(env, o.out)
	if isFile(out) && !o.force {
		return hint.New(fmt.Errorf("%s exists already", o.out), "-force writes over it")
	}
	options, err := o.buildFrom(env)
	if err != nil {
		return err
	}
	if o.base != "" {
		if options.Base, err = o.openBase(env); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, options.Base.Close()) }()
	}
	if options.Key, err = o.private(ctx, env); err != nil {
		return err
	}
	var end func()
	options.Moved, end = o.progress(env, o.out, "Reading", 0)
	built, err := writeBundle(ctx, out, options)
	end()
	if err != nil {
		return err
	}
	fmt.Fprintf(env.Out, "%s: bundle %s issued %s, %d files, %s\n", o.out, built.Manifest.Name, built.Manifest.Issued, len(built.Manifest.Files), megabytes(built.Size))
	if o.base != "" {
		fmt.Fprintf(env.Out, "%d of its %d chunks are in the base %s\n", built.Left, built.Left+built.Chunks, options.Base.Digest)
	}
	fmt.Fprintf(env.Out, "digest %s\n", built.Digest)
	return nil
}

// buildFrom is everything but base and key.
func (o *bundleOptions) buildFrom(env *Env) (bundle.BuildOptions, error) {
	when, err := issued(env, o.date)
	if err != nil {
		return bundle.BuildOptions{}, err
	}
	agents, err := agentbin.Embedded()
	if err != nil && !errors.Is(err, agentbin.ErrNone) {
		return bundle.BuildOptions{}, err
	}
	in, err := inputs.Wanted{
		Programs: o.programs(env), Agents: agents, Build: env.Build,
		Kits: all(env, o.kits), Licenses: all(env, o.licenses), Packages: all(env, o.packages), Images: all(env, o.images),
		Terraform: all(env, o.terraform), Mirrors: all(env, o.mirrors), Others: all(env, o.others),
	}.All()
	if err != nil {
		return bundle.BuildOptions{}, err
	}
	return bundle.BuildOptions{Name: o.name, Issued: when, Icm: env.Build, Inputs: in, SBOM: inputs.SBOM(in)}, nil
}

// programs are the directories of -bin, or the one that this icm lies in.
func (o *bundleOptions) programs(env *Env) []string {
	if len(o.bin) > 0 {
		return all(env, o.bin)
	}
	self, err := os.Executable()
	if err != nil || filepath.Base(self) != "icm" {
		return nil
	}
	return []string{filepath.Dir(self)}
}

func (o *bundleOptions) openBase(env *Env) (*bundle.Bundle, error) {
	keys, err := o.open(env).Keys()
	if err != nil {
		return nil, err
	}
	// Whoever has the private key may not have pinned it here.
	if own, err := loadPublic(env, o.key+".pub"); err == nil {
		keys = append(keys, own)
	}
	b, err := bundle.Open(absolute(env, o.base), keys, nil)
	if err != nil {
		return nil, fmt.Errorf("cannot use the base: %w", err)
	}
	return b, nil
}

// issued is when a bundle is said to be made.
func issued(env *Env, date string) (time.Time, error) {
	if date == "" {
		epoch := env.Getenv("SOURCE_DATE_EPOCH")
		if epoch == "" {
			return time.Now(), nil
		}
		seconds, err := strconv.ParseInt(epoch, 10, 64)
		if err != nil {
			return time.Time{}, &usageError{fmt.Sprintf("SOURCE_DATE_EPOCH is %q, not a number of seconds", epoch), ""}
		}
		return time.Unix(seconds, 0), nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, date); err == nil {
			return t, nil
		}
	}
	return time.Time{}, &usageError{fmt.Sprintf("-date %s is no date", date), "write 2026-01-31 or 2026-01-31T12:00:00Z"}
}

// writeBundle writes to the side and renames: a bundle is whole or not there.
func writeBundle(ctx context.Context, path string, o bundle.BuildOptions) (built *bundle.Built, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	built, err = bundle.Build(ctx, f, o)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	return built, os.Rename(f.Name(), path)
}

func all(env *Env, list []string) []string {
	out := make([]string, len(list))
	for i, p := range list {
		out[i] = absolute(env, p)
	}
	return out
}

func isFile(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.Mode().IsRegular()
}

func megabytes(n int64) string {
	if n < 1_000_000 {
		return fmt.Sprintf("%d bytes", n)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}
