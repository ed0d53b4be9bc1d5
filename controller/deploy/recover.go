package deploy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"icm/controller/spec"
	"icm/controller/state"
	"icm/internal/hint"
	"icm/internal/wire"
)

// RecoverOptions say where the nodes are of which nothing else is known.
type RecoverOptions struct {
	// Nodes are "host" or "host:port"; none asks the provider.
	Nodes []string
	// User and KeyFile are for SSH; "" takes those of the files.
	User, KeyFile string
}

// Recovered is what `icm recover` made.
type Recovered struct {
	Nodes      []InventoryRow
	StateDir   string
	Operations int
}

// survivor is a node that was asked what it belongs to.
type survivor struct {
	at      Address
	of      wire.Membership
	changes []wire.ChangeState
}

// Recover makes a state directory and an instances file of what the nodes know,
// where both were lost. Nothing is written before all nodes have answered and
// agree, and nothing on the nodes is changed.
func (j *Job) Recover(ctx context.Context, o RecoverOptions) (*Recovered, error) {
	place, err := j.recoveryPlace()
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(place) //nolint:errcheck // it holds nothing that is needed
	if _, err := os.Stat(j.Files.Instances); !errors.Is(err, fs.ErrNotExist) {
		return nil, refuse(fmt.Sprintf("%s is there: it is not written over", j.short(j.Files.Instances)),
			"if the state directory is there too, use it with -stateDir; if not, move the file away")
	}
	// Host keys are pinned under names that nobody knows yet.
	scratch, err := state.CreateAt(filepath.Join(place, "seen"), "seen", j.World.Now())
	if err != nil {
		return nil, err
	}
	at, err := j.whereabouts(ctx, o, scratch)
	if err != nil {
		return nil, err
	}
	members, err := j.askMembers(ctx, at)
	if err != nil {
		return nil, untouched(ctx, err)
	}
	if err := agree(members); err != nil {
		return nil, err
	}
	return j.rebuild(members, scratch, place)
}

// recoveryPlace makes a directory to work in, and removes that of an icm that was
// killed.
func (j *Job) recoveryPlace() (string, error) {
	path := filepath.Join(j.Dir, ".icm-recover")
	if j.Files.StateDir != "" { // on the same file system
		path = filepath.Join(filepath.Dir(j.Files.StateDir), ".icm-recover")
	}
	if err := os.RemoveAll(path); err != nil {
		return "", fmt.Errorf("cannot remove what an earlier icm recover left: %w", err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		return "", fmt.Errorf("cannot make a directory for what is found: %w", err)
	}
	return path, nil
}

// whereabouts are the addresses of the nodes: those that were named, or what
// the provider says.
func (j *Job) whereabouts(ctx context.Context, o RecoverOptions, scratch *state.Dir) ([]Address, error) {
	in, err := j.read()
	if err != nil && (len(o.Nodes) == 0 || o.User == "" || o.KeyFile == "") {
		return nil, hint.New(err, "or name the nodes: icm recover -nodes HOST,HOST -user NAME -key FILE")
	}
	common := Address{User: o.User, KeyFile: j.path(o.KeyFile), KnownHosts: scratch}
	if err == nil {
		f := in.spec.Global
		common.User, common.Bastion = orElse(o.User, f.Get("SSHUser")), f.Get("BastionHost")
		common.KeyFile = j.path(orElse(o.KeyFile, f.Get("SSHPrivateKey")))
	}
	if len(o.Nodes) == 0 {
		return j.providersNodes(ctx, in, common)
	}
	return addresses(o.Nodes, common)
}

// addresses reads nodes that were named, each "host" or "host:port".
func addresses(nodes []string, common Address) ([]Address, error) {
	var out []Address
	for _, node := range nodes {
		a := common
		a.Machine, a.Host = node, node
		if host, port, err := net.SplitHostPort(node); err == nil {
			a.Host = host
			if a.Port, err = strconv.Atoi(port); err != nil {
				return nil, fmt.Errorf("-nodes: %q has no port number after the colon", node)
			}
		}
		out = append(out, a)
	}
	return out, nil
}

// providersNodes asks the provider. One that keeps its own record in the state
// directory has lost it, and cannot tell.
func (j *Job) providersNodes(ctx context.Context, in plans, common Address) ([]Address, error) {
	const instead = "name the nodes: icm recover -nodes HOST,HOST"
	prov, stop, err := j.World.Provider(ctx, in.spec.Provider)
	if err != nil {
		return nil, err
	}
	defer stop() //nolint:errcheck // the answer is what counts
	req, err := j.request(in, common.KnownHosts)
	if err != nil {
		return nil, err
	}
	res, err := prov.Inventory(ctx, req)
	if err != nil {
		return nil, hint.New(err, instead)
	}
	var out []Address
	for _, n := range res.Nodes {
		if n.Virtual != "" {
			continue
		}
		a := common
		a.Machine, a.Host, a.Port = n.MachineName, orElse(n.IPAddress, n.DNSName), n.Port
		a.User = orElse(n.User, a.User)
		out = append(out, a)
	}
	if len(out) == 0 {
		return nil, hint.New(fmt.Errorf("the provider %s cannot tell which nodes there are", in.spec.Provider), instead)
	}
	return out, nil
}

// askMembers connects to the nodes and asks what they know.
func (j *Job) askMembers(ctx context.Context, at []Address) ([]survivor, error) {
	names := make([]string, len(at))
	for i, a := range at {
		names[i] = a.Machine
	}
	out := make([]survivor, len(at))
	err := forEach(ctx, names, j.Parallel, func(ctx context.Context, i int, _ string) error {
		var err error
		out[i], err = j.askMember(ctx, at[i])
		return err
	})
	return out, err
}

func (j *Job) askMember(ctx context.Context, a Address) (survivor, error) {
	m := survivor{at: a}
	node, err := j.World.Connect(ctx, a)
	if err != nil {
		return m, err
	}
	defer node.Close()
	var f wire.Facts
	if err := ask(ctx, node, wire.MethodFacts, wire.FactsRequest{}, &f); err != nil {
		return m, fromAgent(err)
	}
	switch {
	case f.Deployment == "":
		return m, hint.New(errors.New("belongs to no deployment"), "leave it out of -nodes; icm provision takes it in")
	case f.Membership == nil:
		return m, hint.New(fmt.Errorf("belongs to the deployment %s, which did not tell it its name", f.Deployment), "leave it out of -nodes, then release it by hand: see docs/troubleshooting.md")
	}
	m.of = *f.Membership
	var reply wire.ChangesReply
	if err := ask(ctx, node, wire.MethodChanges, wire.ChangesRequest{}, &reply); err != nil {
		return m, fromAgent(err)
	}
	m.changes = reply.Changes
	return m, nil
}

// agree refuses nodes of more than one deployment, and two that say they are
// the same.
func agree(members []survivor) error {
	r := &RefusedError{Text: "nothing was written: the nodes are not those of one deployment"}
	names := map[string]string{}
	for _, m := range members {
		switch {
		case m.of.Deployment != members[0].of.Deployment:
			r.Refusals = append(r.Refusals, Refusal{Node: m.at.Machine, Text: fmt.Sprintf("belongs to the deployment %s, %s to %s", m.of.Deployment, members[0].at.Machine, members[0].of.Deployment), Hint: "recover one deployment at a time, each in a directory of its own"})
		case names[m.of.MachineName] != "":
			r.Refusals = append(r.Refusals, Refusal{Node: m.at.Machine, Text: fmt.Sprintf("is %s, and so is %s", m.of.MachineName, names[m.of.MachineName]), Hint: "name every node once; a copy of a machine is not the machine"})
		}
		names[m.of.MachineName] = m.at.Machine
	}
	if len(r.Refusals) > 0 {
		return r
	}
	return nil
}

// rebuild writes what the members said: the state directory aside, then to its
// place, and the instances file last. Killed at any moment it can be done again.
func (j *Job) rebuild(members []survivor, scratch *state.Dir, place string) (*Recovered, error) {
	id := members[0].of.Deployment
	if !filepath.IsLocal(id) || id != filepath.Base(id) {
		return nil, fmt.Errorf("the nodes belong to a deployment called %q, which cannot be a directory", id)
	}
	final, err := filepath.Abs(orElse(j.Files.StateDir, filepath.Join(j.Dir, id)))
	if err != nil {
		return nil, err
	}
	if err := makeFree(final); err != nil {
		return nil, err
	}
	dir, err := state.CreateAt(filepath.Join(place, "made"), id, j.World.Now())
	if err != nil {
		return nil, err
	}
	slices.SortFunc(members, func(a, b survivor) int {
		return cmp.Or(cmp.Compare(definitionIndex(a), definitionIndex(b)), cmp.Compare(a.of.MachineName, b.of.MachineName))
	})
	res := &Recovered{StateDir: j.short(final)}
	all, err := j.rebuildFiles(members, dir, scratch, final)
	if err == nil {
		res.Operations, err = j.rebuildOperations(members, dir)
	}
	if err == nil {
		err = errors.Join(dir.MarkUnused(), dir.Move(final))
	}
	if err == nil {
		err = state.SaveInstances(j.Files.Instances, all)
	}
	if err != nil {
		return nil, err
	}
	res.Nodes = inventoryRows(all)
	return res, nil
}

// makeFree removes a state directory that was recovered and never used: an icm
// that was killed before it had written the instances file left it.
func makeFree(path string) error {
	if dir, err := state.Open(path); err == nil && dir.Unused() {
		return dir.Remove()
	}
	entries, err := os.ReadDir(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case len(entries) > 0:
		return hint.New(fmt.Errorf("cannot make the state directory: %s is not empty", path), "if the state directory is there, use it with -stateDir")
	}
	return os.Remove(path)
}

func definitionIndex(m survivor) int { return spec.MakeFields(m.of.Fields).Int("DefinitionIndex") }

// rebuildFiles pins the host keys that were seen, and makes the lock's number
// higher than any that a node has seen.
func (j *Job) rebuildFiles(members []survivor, dir, scratch *state.Dir, final string) ([]state.Instance, error) {
	var all []state.Instance
	for _, m := range members {
		if err := dir.RaiseFence(m.of.Fence); err != nil {
			return nil, err
		}
		sub, err := dir.Node(m.of.Definition, m.of.MachineName)
		if err != nil {
			return nil, err
		}
		n := j.recoveredInstance(m)
		n.StateDir = filepath.Join(final, strings.TrimPrefix(sub, dir.Path))
		all = append(all, n)
		if err := repin(scratch, m.at, dir, m.of.MachineName); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// repin takes over the host keys of a node that was reached under an address,
// for the machine's name.
func repin(from *state.Dir, at Address, to *state.Dir, machine string) error {
	keys, err := from.HostKeys(at.Machine)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if err := to.Pin(machine, net.JoinHostPort(at.Host, strconv.Itoa(cmp.Or(at.Port, 22))), key); err != nil {
			return err
		}
	}
	return nil
}

// recoveredInstance is a node's entry: what it was told, and how it was reached
// just now, which is newer.
func (j *Job) recoveredInstance(m survivor) state.Instance {
	n := state.Instance{MachineName: m.of.MachineName, Role: m.of.Role}
	for name, value := range m.of.Fields {
		n.SetField(name, value)
	}
	if net.ParseIP(m.at.Host) != nil {
		n.IPAddress = m.at.Host
	} else if m.at.Host != n.DNSName {
		n.IPAddress, n.DNSName = "", m.at.Host
	}
	n.SetField("SSHUser", m.at.User)
	n.SetField("SSHPrivateKey", j.short(m.at.KeyFile))
	if m.at.Port != 0 {
		n.SetField("SSHPort", strconv.Itoa(m.at.Port))
	}
	return n
}
