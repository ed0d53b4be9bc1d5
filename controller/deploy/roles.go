package deploy

import (
	"strings"

	"icm/controller/topology"
	"icm/internal/wire"
)

// This file says who is what to whom. What a node is meant to be comes from the
// topology; what its instance is now, it is asked.

// cluster is the deployment as recipes see it. Nodes that were not selected are
// there too: others need their addresses.
type cluster struct {
	topo     *topology.Topology
	selected []member // in the order of the definitions file
	all      map[string]member
}

// member is a node: its arguments, its place, and what its instance says.
type member struct {
	settings
	node topology.Node
	now  now
}

// now is what an instance says of itself. The zero value is a node without one,
// or one that was not asked.
type now struct {
	version string
	running bool
	// memberType and status are those of the mirror: "Failover", "Primary".
	memberType, status string
}

// says finds the instance of a node in its facts.
func says(f wire.Facts, instance string) now {
	for _, in := range f.Instances {
		if strings.EqualFold(in.Name, instance) {
			return now{
				version: in.Version, running: strings.HasPrefix(in.Status, "running"),
				memberType: in.MirrorType, status: in.MirrorStatus,
			}
		}
	}
	return now{}
}

// list names members, for sentences.
func list(set []member) string {
	var out []string
	for _, m := range set {
		out = append(out, m.Machine)
	}
	return strings.Join(out, ", ")
}

// everybody is every node on which something is installed.
func everybody(_ cluster, m member) bool { return m.node.HasInstance() }

// role chooses the nodes of some roles.
func role(roles ...string) selector {
	return func(_ cluster, m member) bool {
		for _, r := range roles {
			if m.Role == r {
				return true
			}
		}
		return false
	}
}

// server is the data server of an application server; its Machine is "" when it
// is not provisioned.
func (c cluster) server(m member) member {
	data, _ := c.topo.DataServer(m.node)
	return c.all[data.MachineName]
}

// clients is how many application servers a data server has, in the whole
// deployment.
func (c cluster) clients() int { return len(c.topo.AppServers()) }
