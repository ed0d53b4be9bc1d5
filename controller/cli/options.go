package cli

import (
	"flag"
	"fmt"
	"strings"

	"icm/controller/bundle"
	"icm/controller/deploy"
	"icm/controller/spec"
)

// common are the options that many commands share.
type common struct {
	files    deploy.Files
	sel      deploy.Selection
	parallel int
	verbose  bool
	force    bool
	json     jsonFlag
	fields   fieldFlags
	password passwordOptions
	// Where kits come from that icm brings itself.
	storeOptions
	bundle string
	kits   *bundle.Kits
}

// register adds what every command that reads the deployment takes.
func (o *common) register(fs *flag.FlagSet) {
	fs.StringVar(&o.files.Definitions, "definitions", "definitions.json", "definitions `file`")
	fs.StringVar(&o.files.Defaults, "defaults", "defaults.json", "defaults `file`")
	fs.StringVar(&o.files.Instances, "instances", "instances.json", "instances `file`")
	fs.StringVar(&o.files.StateDir, "stateDir", "", "state `directory` (default: the one that the instances file names)")
	fs.IntVar(&o.parallel, "parallel", 0, "work on at most `N` nodes at a time (default 64)")
	fs.BoolVar(&o.verbose, "verbose", false, "show what goes to icm.log on the console too; secrets are never shown")
	fs.Var(&o.json, "json", "write the answer as JSON to response.json, or with -json=- to standard output")
	fs.Var(&o.fields, "field", "set a field for this command, as `Name=value`; may be repeated")
}

// selectors adds -role and -machine.
func (o *common) selectors(fs *flag.FlagSet) {
	fs.StringVar(&o.sel.Role, "role", "", "only nodes of this `role`")
	fs.StringVar(&o.sel.Machine, "machine", "", "only nodes whose whole name matches this `regex`")
}

// forcing adds -force.
func (o *common) forcing(fs *flag.FlagSet, what string) {
	fs.BoolVar(&o.force, "force", false, what)
}

// fieldOption adds an option that sets a field, such as -namespace.
func (o *common) fieldOption(fs *flag.FlagSet, option, field, usage string) {
	fs.Func(option, usage, func(v string) error {
		return o.fields.set(field, v)
	})
}

// consenting adds -allowDataLoss.
func (o *common) consenting(fs *flag.FlagSet) {
	o.fieldOption(fs, "allowDataLoss", "AllowDataLoss", "`machines`, with commas between them, that may be destroyed or made anew. What they hold is lost")
}

// fieldFlags collects fields set on the command line.
type fieldFlags struct{ values map[string]string }

func (f *fieldFlags) String() string { return "" }

func (f *fieldFlags) Set(s string) error {
	name, value, ok := strings.Cut(s, "=")
	if !ok || name == "" {
		return fmt.Errorf("want Name=value, have %q", s)
	}
	if f, known := spec.Lookup(name); known && f.Secret {
		return fmt.Errorf("%s is a secret and does not belong on a command line", name)
	}
	return f.set(name, value)
}

func (f *fieldFlags) set(name, value string) error {
	if f.values == nil {
		f.values = map[string]string{}
	}
	f.values[name] = value
	return nil
}
