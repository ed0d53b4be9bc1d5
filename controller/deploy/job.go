package deploy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"icm/controller/spec"
	"icm/controller/state"
	"icm/controller/topology"
	"icm/internal/hint"
	"icm/internal/secret"
)

// Files says where a deployment's files are, as absolute paths.
type Files struct {
	Definitions, Defaults, Instances string
	// StateDir is "" for the one that the instances file names.
	StateDir string
}

// Job is one command at work: the files it was given, the nodes it is for, and
// the world.
type Job struct {
	World    World
	Files    Files
	Dir      string            // working directory
	Fields   map[string]string // set on the command line
	Select   Selection
	Parallel int
	Verb     string   // of the command: "install"
	Argv     []string // of the command, for the record; secrets are left out of it there
	// Wipe names devices that may be formatted although they hold something,
	// as NODE:DEVICE.
	Wipe []string
	// RemoveData names the machines whose data uninstall deletes too.
	RemoveData []string
	// Bundle is the path of a bundle file that kits come from; "" for none.
	Bundle string
	Kits   Kits
	// SkipUnreachable leaves nodes out that do not answer, and records what
	// they owe.
	SkipUnreachable bool
	// Upgrade is how the upgrade is to be done.
	Upgrade UpgradeOptions
	// WantPlan is the digest of the plan that may be run, and no other; ""
	// runs what is planned now.
	WantPlan string
	// Password is the instances' password from option, file or environment.
	Password secret.Secret
	// AskPassword asks for it; asked is false without a terminal.
	AskPassword func() (password secret.Secret, asked bool, err error)
	// Confirm asks before something that the operator may not want.
	Confirm func(what string) error

	warned bool // of what the input files say
}

// plans are the input files, read and checked.
type plans struct {
	spec *spec.Spec
	topo *topology.Topology
}

// read reads both input files. Every problem of both comes back in one error.
func (j *Job) read() (plans, error) {
	var in spec.Input
	var missing spec.Problems
	for _, f := range []struct {
		path string
		into *spec.File
	}{{j.Files.Defaults, &in.Defaults}, {j.Files.Definitions, &in.Definitions}} {
		data, err := os.ReadFile(f.path)
		if err != nil {
			missing = append(missing, spec.Problem{Text: fmt.Sprintf("cannot be read: %v", rootCause(err)), Hint: "icm looks in the working directory; -defaults and -definitions name other files", Pos: spec.Position{File: j.short(f.path)}})
		}
		*f.into = spec.File{Name: j.short(f.path), Data: data}
	}
	if len(missing) > 0 {
		return plans{}, &InputError{missing}
	}
	in.Options = j.Fields
	s, problems := spec.Load(in)
	if len(problems) > 0 {
		return plans{}, &InputError{problems}
	}
	topo, problems := topology.Build(s)
	if len(problems) > 0 {
		return plans{}, &InputError{problems}
	}
	warnings := append(append(spec.Problems{}, s.Warnings...), topo.Warnings...)
	if j.warned {
		warnings = nil // the files are read more than once
	}
	j.warned = true
	for _, w := range warnings {
		text := w.String()
		if w.Hint != "" {
			text += " (" + w.Hint + ")"
		}
		j.warn("%s", text)
	}
	return plans{spec: s, topo: topo}, nil
}

// short names a file as the operator would: relative to the working directory
// when it lies below.
func (j *Job) short(path string) string {
	if rel, err := filepath.Rel(j.Dir, path); err == nil && filepath.IsLocal(rel) {
		return rel
	}
	return path
}

// path makes a file named in a field absolute: relative ones lie beside the
// working directory.
func (j *Job) path(p string) string {
	if p == "" || filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(j.Dir, p)
}

// provisioned are the nodes that exist, as the instances file records them.
type provisioned struct {
	all []state.Instance
	dir *state.Dir
	// nodes are the selected ones.
	nodes []state.Instance
}

// instances reads the instances file and opens the state directory.
func (j *Job) instances() (provisioned, error) {
	match, err := j.Select.matcher()
	if err != nil {
		return provisioned{}, err
	}
	all, err := state.LoadInstances(j.Files.Instances)
	if errors.Is(err, fs.ErrNotExist) {
		return provisioned{}, hint.New(fmt.Errorf("there is no %s: nothing is provisioned here", j.short(j.Files.Instances)), "icm provision makes it; -instances says where it is")
	}
	if err != nil {
		return provisioned{}, err
	}
	p := provisioned{all: all}
	for _, n := range all {
		if match(n.MachineName, n.Role) {
			p.nodes = append(p.nodes, n)
		}
	}
	if len(p.nodes) == 0 {
		return p, errNoMatch(j.Select)
	}
	p.dir, err = j.openDir(p.nodes[0])
	return p, err
}

// openDir opens the state directory: the one that was named, or the one above
// the node's own.
func (j *Job) openDir(n state.Instance) (*state.Dir, error) {
	path := j.Files.StateDir
	if path == "" {
		path = filepath.Dir(filepath.Dir(j.path(n.StateDir)))
	}
	dir, err := state.Open(path)
	if err != nil {
		return nil, hint.New(fmt.Errorf("cannot open the state directory: %w", err), "-stateDir says where it is")
	}
	return dir, nil
}

// real are the nodes that are machines: load balancers are only listed.
func (p provisioned) real() []state.Instance {
	var out []state.Instance
	for _, n := range p.nodes {
		if n.Role != "LB" {
			out = append(out, n)
		}
	}
	return out
}

// address is how a recorded node is reached.
func (j *Job) address(n state.Instance, dir *state.Dir) (Address, error) {
	f := spec.MakeFields(n.Fields)
	host := n.IPAddress
	if host == "" {
		host = n.DNSName
	}
	a := Address{
		Machine: n.MachineName, Host: host, Port: f.Int("SSHPort"), User: f.Get("SSHUser"),
		KeyFile: j.path(f.Get("SSHPrivateKey")), Bastion: f.Get("BastionHost"), KnownHosts: dir,
	}
	if a.Host == "" {
		return a, fmt.Errorf("node %s has no address in %s", n.MachineName, j.short(j.Files.Instances))
	}
	return a, nil
}

// connectAll connects to the agents of the nodes, side by side. The nodes that
// answered are returned even when others did not. The caller closes them.
func (j *Job) connectAll(ctx context.Context, nodes []state.Instance, dir *state.Dir) (map[string]Node, error) {
	conns := make([]Node, len(nodes))
	err := forEach(ctx, machineNames(nodes), j.Parallel, func(ctx context.Context, i int, _ string) error {
		a, err := j.address(nodes[i], dir)
		if err != nil {
			return err
		}
		conns[i], err = j.World.Connect(ctx, a)
		return err
	})
	out := map[string]Node{}
	for i, c := range conns {
		if c != nil {
			out[nodes[i].MachineName] = c
		}
	}
	return out, err
}

func closeAll(nodes map[string]Node) {
	for _, n := range nodes {
		_ = n.Close() // a connection that is not needed any more
	}
}

func machineNames(nodes []state.Instance) []string {
	out := make([]string, len(nodes))
	for i, n := range nodes {
		out[i] = n.MachineName
	}
	return out
}

func (j *Job) say(format string, args ...any) {
	j.World.Report.Report(Event{Kind: Said, Text: fmt.Sprintf(format, args...)})
}

func (j *Job) warn(format string, args ...any) {
	j.World.Report.Report(Event{Kind: Warned, Text: fmt.Sprintf(format, args...)})
}
