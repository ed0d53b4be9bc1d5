package deploy

import (
	"slices"
	"strings"

	"icm/controller/topology"
	"icm/internal/kind"
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
	// mirrored says that the node is known to have been in its mirror.
	mirrored bool
}

// now is what an instance says of itself. The zero value is a node without one,
// or one that was not asked.
type now struct {
	version string
	running bool
	// memberType and status are those of the mirror: "Failover", "Primary".
	memberType, status string
	caughtUp           bool
}

// inMirror reports whether the instance says that it is in a mirror.
func (n now) inMirror() bool {
	return n.memberType != "" && n.memberType != "Not Member" && n.memberType != "Indeterminate"
}

// primary reports whether the instance says that it is the primary now.
func (n now) primary() bool { return n.running && n.status == "Primary" }

// says finds the instance of a node in its facts.
func says(f wire.Facts, instance string) now {
	for _, in := range f.Instances {
		if strings.EqualFold(in.Name, instance) {
			return now{
				version: in.Version, running: strings.HasPrefix(in.Status, "running"),
				memberType: in.MirrorType, status: in.MirrorStatus,
				caughtUp: in.Mirror != nil && in.Mirror.CaughtUp,
			}
		}
	}
	return now{}
}

// selects reports whether a node is one of those that are worked on.
func (c cluster) selects(m member) bool {
	return slices.ContainsFunc(c.selected, func(s member) bool { return s.Machine == m.Machine })
}

// list names members, for sentences.
func list(set []member) string {
	var out []string
	for _, m := range set {
		out = append(out, m.Machine)
	}
	return strings.Join(out, ", ")
}

// installs reports whether something is installed on nodes of a role: an
// instance, or a kit of its own.
func installs(n topology.Node) bool { return n.HasInstance() || products[n.Role] != "" }

// everybody is every node on which something is installed.
func everybody(cluster, member) bool { return true }

// instances are the nodes that run one.
func instances(_ cluster, m member) bool { return m.node.HasInstance() }

// both chooses those whom all selectors choose.
func both(all ...selector) selector {
	return func(c cluster, m member) bool {
		for _, s := range all {
			if !s(c, m) {
				return false
			}
		}
		return true
	}
}

// not chooses the others.
func not(s selector) selector { return func(c cluster, m member) bool { return !s(c, m) } }

// anyOf chooses those whom one of the selectors chooses.
func anyOf(some ...selector) selector {
	return func(c cluster, m member) bool {
		for _, s := range some {
			if s(c, m) {
				return true
			}
		}
		return false
	}
}

// leaving chooses members of mirrors that go on without them: not all members
// are selected.
func leaving(c cluster, m member) bool {
	selected := 0
	for _, s := range c.selected {
		if s.Mirror == m.Mirror {
			selected++
		}
	}
	return m.Mirror != "" && selected < len(c.mirrorMembers(m.Mirror))
}

// unmirrored chooses the nodes that are in no mirror.
func unmirrored(_ cluster, m member) bool { return m.Mirror == "" }

// leads chooses the data servers that work without another: those without a
// mirror, and the first of every mirror.
func leads(c cluster, m member) bool {
	return m.Mirror == "" || c.first(m.Mirror).Machine == m.Machine
}

// async chooses the members of mirrors that cannot take over.
func async(_ cluster, m member) bool { return m.Mirror != "" && memberType(m) == kind.DRAsync }

// mirrorMembers are those of a mirror, in the order of the definitions file,
// as far as they are provisioned.
func (c cluster) mirrorMembers(mirror string) []member {
	var out []member
	for _, n := range c.topo.Nodes {
		if m := c.all[n.MachineName]; m.Mirror == mirror && m.Machine != "" {
			out = append(out, m)
		}
	}
	return out
}

// primary is the member that says it is the primary now. ok is false when
// nobody does.
func (c cluster) primary(mirror string) (m member, ok bool) {
	for _, m := range c.mirrorMembers(mirror) {
		if m.now.primary() {
			return m, true
		}
	}
	return member{}, false
}

// first is the member that the others join, or joined: the primary; when nobody
// says that it is, one of which is known that it was in the mirror; when there
// is no mirror yet, the one that is to be its first primary. A new mirror is
// never made beside one that is only down.
func (c cluster) first(mirror string) member {
	if m, ok := c.primary(mirror); ok {
		return m
	}
	var planned member
	for _, m := range c.mirrorMembers(mirror) {
		if memberType(m) == kind.DRAsync {
			continue
		}
		if m.mirrored || m.now.inMirror() {
			return m
		}
		if planned.Machine == "" {
			planned = m
		}
	}
	return planned
}

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
