package cli

import (
	"context"
	"flag"
	"fmt"
	"path/filepath"

	"icm/controller/bundle"
	"icm/controller/signing"
)

var bundleCommand = command{
	name: "bundle", args: "build|verify|ls|load|export|keygen|pin|rm|gc",
	summary: "carry everything a deployment needs in one signed file",
	help: `build -o FILE -key KEY gathers icm, agents, providers, kits and the docs, signs what is in it, and writes one file. With -base OLD only what the older bundle does not have.
verify FILE reads all of it and compares it with the signature. ls shows what is in FILE, or which bundles were loaded. load FILE puts a bundle into the store; - is standard input. export FILE, or the name of a bundle in the store, writes its files below -to.
keygen makes a pair of keys: the private one signs, the public one is given to the sites. pin KEY.pub tells this site whose bundles it takes; without a key it shows those pinned; -unpin ID takes one back.
rm NAME takes a bundle out of the store, and gc deletes what no bundle in it needs.
icm install -bundle FILE uses a bundle as it is. After load, KitURL may be bundle:NAME-OF-KIT.`,
	setup: func(fs *flag.FlagSet) runFunc {
		var o bundleOptions
		o.register(fs)
		return func(ctx context.Context, env *Env, args []string) error {
			if len(args) == 0 {
				return &usageError{"icm bundle needs to know what to do", "icm help bundle"}
			}
			run, ok := bundleVerbs[args[0]]
			if !ok {
				return &usageError{fmt.Sprintf("icm bundle does not know %q", args[0]), "icm help bundle"}
			}
			if rest := args[1:]; len(rest) < run.least || len(rest) > run.most {
				return &usageError{fmt.Sprintf("icm bundle %s takes %s", args[0], run.operands), "icm help bundle"}
			}
			return run.do(&o, ctx, env, args[1:])
		}
	},
}

// bundleVerbs is everything icm bundle can be told to do.
var bundleVerbs = map[string]struct {
	least, most int
	operands    string
	do          func(o *bundleOptions, ctx context.Context, env *Env, args []string) error
}{
	"build":  {0, 0, "no operand", (*bundleOptions).build},
	"verify": {1, 1, "one bundle file", (*bundleOptions).verify},
	"ls":     {0, 1, "a bundle file, the name of one in the store, or nothing", (*bundleOptions).list},
	"load":   {1, 1, "one bundle file, or - for standard input", (*bundleOptions).load},
	"export": {1, 1, "one bundle file, or the name of one in the store", (*bundleOptions).export},
	"keygen": {0, 0, "no operand: -key names the file", (*bundleOptions).keygen},
	"pin":    {0, 1, "one public key, or nothing", (*bundleOptions).pin},
	"rm":     {1, 1, "the name of a bundle in the store, or its digest", (*bundleOptions).remove},
	"gc":     {0, 0, "no operand", (*bundleOptions).gc},
}

// bundleOptions are the options of all of them.
type bundleOptions struct {
	storeOptions
	buildOptions
	signingOptions
	pubkey, to, only, unpin string
	force                   bool
	json                    jsonFlag
}

func (o *bundleOptions) register(fs *flag.FlagSet) {
	o.storeOptions.register(fs)
	o.buildOptions.register(fs)
	o.signingOptions.register(fs, "for build: `file` of the private key; for keygen: where to put it, and with .pub behind the public one")
	fs.BoolVar(&o.noPassword, "noPassword", false, "for keygen: do not encrypt the private key")
	fs.StringVar(&o.pubkey, "pubkey", "", "for verify, ls, load, export: the public `key` to check with, a file or the key itself, instead of those pinned")
	fs.StringVar(&o.to, "to", "", "for export: `directory` for the files")
	fs.StringVar(&o.only, "only", "", "for export: only files whose path, name or directory matches this `pattern`, such as kits or 'IRIS-*'")
	fs.StringVar(&o.unpin, "unpin", "", "for pin: the `id` of a key that is trusted no more")
	fs.BoolVar(&o.force, "force", false, "for export and build: write over files that exist")
	fs.Var(&o.json, "json", "for ls and verify: write the answer as JSON to response.json, or with -json=- to standard output")
}

// storeOptions say where the store is, and what may be taken from it.
type storeOptions struct {
	store      string
	allowOlder bool
}

func (o *storeOptions) register(fs *flag.FlagSet) {
	o.place(fs)
	fs.BoolVar(&o.allowOlder, "allowOlder", false, "take a bundle that is older than the newest seen")
}

func (o *storeOptions) place(fs *flag.FlagSet) {
	fs.StringVar(&o.store, "store", "", "`directory` of loaded bundles and pinned keys (default: ICM_BUNDLE_STORE, or .local/share/icm/bundles in the home directory)")
}

// open finds the store.
func (o *storeOptions) open(env *Env) *bundle.Store {
	dir := o.store
	switch {
	case dir != "":
	case env.Getenv("ICM_BUNDLE_STORE") != "":
		dir = env.Getenv("ICM_BUNDLE_STORE")
	case env.Getenv("XDG_DATA_HOME") != "":
		dir = filepath.Join(env.Getenv("XDG_DATA_HOME"), "icm/bundles")
	default:
		dir = filepath.Join(env.Getenv("HOME"), ".local/share/icm/bundles")
	}
	return bundle.OpenStore(absolute(env, dir))
}

// absolute makes a path from the command line absolute.
func absolute(env *Env, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(env.Dir, path)
}

// keys are those to check a bundle with.
func (o *bundleOptions) keys(env *Env) ([]signing.Public, error) {
	return o.keysOr(env, o.pubkey)
}

// keysOr are the one key that was named, or those pinned.
func (o *storeOptions) keysOr(env *Env, named string) ([]signing.Public, error) {
	if named == "" {
		return o.open(env).Keys()
	}
	k, err := loadPublic(env, named)
	return []signing.Public{k}, err
}

func loadPublic(env *Env, fileOrKey string) (signing.Public, error) {
	if k, err := signing.ParsePublic([]byte(fileOrKey)); err == nil {
		return k, nil
	}
	return signing.LoadPublic(absolute(env, fileOrKey))
}

// openBundle opens a file, or a bundle of the store. It must be closed.
func (o *bundleOptions) openBundle(env *Env, name string) (*bundle.Bundle, error) {
	store := o.open(env)
	if path := absolute(env, name); isFile(path) {
		keys, err := o.keys(env)
		if err != nil {
			return nil, err
		}
		return bundle.Open(path, keys, store)
	}
	return store.Get(name)
}
