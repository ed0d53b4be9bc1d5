package deploy

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"icm/controller/state"
	"icm/internal/hint"
	"icm/internal/wire"
)

// machine is the name of a machine, in its parts.
type machine struct {
	label, kind, tag string
	number           int
}

func (m machine) String() string {
	return fmt.Sprintf("%s-%s-%s-%04d", m.label, m.kind, m.tag, m.number)
}

var machineName = regexp.MustCompile(`^([A-Za-z0-9_]+)-([A-Z]+)-([A-Za-z0-9_]+)-([0-9]+)$`)

// parseMachine reads "ACME-DM-TEST-0001".
func parseMachine(name string) (machine, bool) {
	p := machineName.FindStringSubmatch(name)
	if p == nil {
		return machine{}, false
	}
	n, err := strconv.Atoi(p[4])
	return machine{p[1], p[2], p[3], n}, err == nil
}

// strays are the nodes that were named, or those of ICM's instances file, whose
// label, tag and user then count where the operator gave none.
func (j *Job) strays(o *AdoptOptions, scratch *state.Dir) ([]*stray, error) {
	if o.From != "" {
		return j.fromICM(o, scratch)
	}
	if err := j.keys(*o); err != nil {
		return nil, err
	}
	at, err := addresses(o.Nodes, Address{User: o.User, KeyFile: j.path(o.KeyFile), KnownHosts: scratch})
	if err != nil {
		return nil, err
	}
	out := make([]*stray, len(at))
	for i, a := range at {
		out[i] = &stray{at: a}
		if slices.ContainsFunc(at[:i], func(b Address) bool { return b.Machine == a.Machine }) {
			return nil, fmt.Errorf("-nodes: %s stands there twice", a.Machine)
		}
	}
	return out, nil
}

// keys refuses what icm could not log in with later.
func (j *Job) keys(o AdoptOptions) error {
	for _, path := range []string{o.KeyFile, o.KeyFile + ".pub"} {
		if _, err := os.Stat(j.path(path)); err != nil {
			return hint.New(fmt.Errorf("cannot read the key %s: %v", path, rootCause(err)), "-key names the private key; `ssh-keygen -y -f KEY >KEY.pub` makes the public one of it")
		}
	}
	return nil
}

func (j *Job) fromICM(o *AdoptOptions, scratch *state.Dir) ([]*stray, error) {
	all, err := state.LoadInstances(j.path(o.From))
	if err != nil {
		return nil, err
	}
	r := &RefusedError{Text: "nothing was changed: not every node of " + o.From + " can be adopted"}
	var out []*stray
	for _, n := range all {
		m, ok := parseMachine(n.MachineName)
		switch {
		case n.Role == "LB":
			continue // it is no machine
		case !ok:
			r.add(n.MachineName, "is no name that icm could give: Label-ROLE-Tag-NNNN", "name the nodes with -nodes")
		case n.Role != "DM" && n.Role != "AM":
			r.add(n.MachineName, "is of role "+n.Role+": icm adopts data servers and application servers", "name those with -nodes, and leave the others as they are")
		case !strings.EqualFold(n.Field("Containerless"), "true"):
			r.add(n.MachineName, "was deployed in a container: icm adopts what was installed from a kit", "")
		}
		m.kind = n.Role
		o.Label, o.Tag = orElse(o.Label, m.label), orElse(o.Tag, m.tag)
		o.User, o.KeyFile = orElse(o.User, n.Field("SSHUser")), orElse(o.KeyFile, n.Field("SSHPrivateKey"))
		o.Namespace = orElse(o.Namespace, n.Field("Namespace"))
		a := Address{Machine: n.MachineName, Host: orElse(n.IPAddress, n.DNSName), Port: number(n.Field("SSHPort")), KnownHosts: scratch}
		out = append(out, &stray{at: a, name: n.MachineName, role: n.Role, machine: m})
	}
	if len(r.Refusals) > 0 {
		return nil, r
	}
	if len(out) == 0 {
		return nil, refuse("there is no node in "+o.From, "name the nodes with -nodes")
	}
	for _, s := range out {
		s.at.User, s.at.KeyFile = o.User, j.path(o.KeyFile)
	}
	return out, j.keys(*o)
}

func (e *RefusedError) add(node, text, next string) {
	e.Refusals = append(e.Refusals, Refusal{Node: node, Text: text, Hint: next})
}

// choose finds the instance that is meant: the one of that name, or the only
// one.
func choose(list []wire.Surveyed, name string) (wire.Surveyed, error) {
	var names []string
	for _, in := range list {
		if strings.EqualFold(in.Instance.Name, name) {
			return in, nil
		}
		names = append(names, in.Instance.Name)
	}
	slices.Sort(names)
	switch {
	case len(list) == 0:
		return wire.Surveyed{}, hint.New(errors.New("there is no instance of IRIS on it: iris qlist names none"), "icm provision and icm install bring one to a bare node")
	case name != "":
		return wire.Surveyed{}, hint.New(fmt.Errorf("there is no instance %s on it, only %s", name, strings.Join(names, " and ")), "choose one with -instance NAME")
	case len(list) > 1:
		return wire.Surveyed{}, hint.New(fmt.Errorf("there are the instances %s on it", strings.Join(names, " and ")), "choose one with -instance NAME")
	}
	return list[0], nil
}

// judge decides what each node is, and refuses what icm could not look after.
func judge(strays []*stray, o AdoptOptions) error {
	r := &RefusedError{Text: "nothing was changed: not every node can be adopted"}
	for _, s := range strays {
		if t := s.found.Instance.MirrorType; t != "" && !strings.EqualFold(t, "Not Member") {
			r.add(s.at.Machine, s.found.Instance.Name+" is a member of a mirror, which icm does not adopt yet", "leave mirrors out; they go on as they are")
		}
		role := "DM"
		if len(s.found.DataServers) > 0 {
			role = "AM"
		}
		if s.role != "" && s.role != role {
			r.add(s.at.Machine, fmt.Sprintf("is %s in %s, and by its configuration it is %s", s.role, o.From, role), "[ECPServers] in its iris.cpf tells an application server")
		}
		s.role = role
		for _, server := range s.found.DataServers {
			if !slices.ContainsFunc(strays, func(d *stray) bool { return d.answersTo(server) }) {
				r.add(s.at.Machine, "is an application server of "+server+", which is not among the nodes", "adopt both together")
			}
		}
	}
	if len(r.Refusals) > 0 {
		return r
	}
	return nameThem(strays, o)
}

// nameThem gives the nodes their names, the data server's first. Nodes of ICM's
// keep theirs.
func nameThem(strays []*stray, o AdoptOptions) error {
	slices.SortStableFunc(strays, func(a, b *stray) int {
		return cmp.Or(-cmp.Compare(a.role, b.role), cmp.Compare(a.number, b.number)) // "DM" before "AM"
	})
	if len(strays) > 1 && strays[1].role == "DM" {
		return refuse(fmt.Sprintf("nothing was changed: %s and %s both hold their own data", strays[0].at.Machine, strays[1].at.Machine),
			"they are two deployments: adopt each in a directory of its own")
	}
	for i, s := range strays {
		if s.name == "" {
			s.machine = machine{o.Label, s.role, o.Tag, i + 1}
		}
	}
	return nil
}

// answersTo reports whether "host:port" is this node.
func (s *stray) answersTo(server string) bool {
	host, _, err := net.SplitHostPort(server)
	if err != nil {
		return false
	}
	return host == s.at.Host || strings.EqualFold(host, s.facts.Hostname) || slices.Contains(s.facts.Addresses, host)
}
