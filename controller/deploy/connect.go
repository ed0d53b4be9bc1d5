package deploy

import (
	"context"
	"errors"
	"net"
	"strconv"

	"icm/controller/state"
	"icm/plugins/provider"
)

// connectFirst connects to nodes for the first time, or again: by key, and
// where that is refused by the password given for first contact. Nodes may
// still be starting.
func (j *Job) connectFirst(ctx context.Context, s *site) (map[string]Node, error) {
	nodes := s.real()
	conns := make([]Node, len(nodes))
	first, err := s.dir.FirstKeys()
	if err != nil {
		return nil, err
	}
	err = forEach(ctx, machineNames(nodes), j.Parallel, func(ctx context.Context, i int, name string) error {
		j.World.Report.Report(Event{Kind: Starting, Subject: name, Preposition: "", Text: "Configuring " + name})
		a, err := j.address(nodes[i], s.dir)
		if err != nil {
			return err
		}
		a.Patient, a.FirstBoot = true, boots(first[name])
		n, _ := s.topo.Node(name)
		if !n.Fields.Bool("SSHOnly") {
			a.Password = n.Fields.Secret("SSHPassword")
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

// boots reports whether a node may be starting for the first time: its first
// host key is still in use.
func boots(first state.FirstKey) bool { return first.Line != "" && !first.Replaced }

// hostPort is a node's address as known_hosts writes it.
func hostPort(n provider.Node) string {
	host := n.IPAddress
	if host == "" {
		host = n.DNSName
	}
	port := n.Port
	if port == 0 {
		port = 22
	}
	return net.JoinHostPort(host, strconv.Itoa(port))
}

// rootCause is the innermost error: what the system said, without the path
// that the sentence around it names already.
func rootCause(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

// portals are the addresses of the Management Portals of the data servers, or
// of all instances where there is no data server.
func portals(s *site) []string {
	var out []string
	for _, inst := range s.real() {
		n, ok := s.topo.Node(inst.MachineName)
		if !ok || n.Role != "DM" {
			continue
		}
		if url := s.settings[n.MachineName].portal(); url != "" {
			out = append(out, url)
		}
	}
	return out
}

// kitCredentials are "user:password" for the kit's URL, from the file that
// KitCredentials names.
func (j *Job) kitCredentials(s *site, node string) ([]byte, error) {
	n, _ := s.topo.Node(node)
	return readSecretFile(j.path(n.Fields.Get("KitCredentials")))
}
