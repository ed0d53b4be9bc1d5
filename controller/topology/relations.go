package topology

// DataServers are the DM nodes: one, or the members of its mirror, the primary
// first.
func (t *Topology) DataServers() []Node { return t.WithRole("DM") }

// AppServers are the AM nodes.
func (t *Topology) AppServers() []Node { return t.WithRole("AM") }

// ShardServers are the DS nodes.
func (t *Topology) ShardServers() []Node { return t.WithRole("DS") }

// LicenseServers are the nodes that serve licenses to all others.
func (t *Topology) LicenseServers() []Node { return t.DataServers() }

// Arbiter is the AR node.
func (t *Topology) Arbiter() (Node, bool) {
	if found := t.WithRole("AR"); len(found) > 0 {
		return found[0], true
	}
	return Node{}, false
}

// Sharded reports whether the deployment is a sharded cluster, so that its DM
// is the shard master.
func (t *Topology) Sharded() bool { return len(t.ShardServers()) > 0 }

// Mirrored reports whether the data server is a mirror.
func (t *Topology) Mirrored() bool {
	servers := t.DataServers()
	return len(servers) > 0 && servers[0].Member != NotMirrored
}

// DataServer is the node whose databases the given AM or WS node works on; of
// a mirror, the one that starts as primary. A WS node works on the DM only
// where there are no AM nodes: see [Topology.WebTargets].
func (t *Topology) DataServer(n Node) (Node, bool) {
	servers := t.DataServers()
	if len(servers) == 0 || n.Role != "AM" && n.Role != "WS" {
		return Node{}, false
	}
	return servers[0], true
}

// WebTargets are the nodes that Web Gateways send requests to: the AM nodes,
// or the DM nodes where there are none.
func (t *Topology) WebTargets() []Node {
	if app := t.AppServers(); len(app) > 0 {
		return app
	}
	return t.DataServers()
}

// WebTargetsOf are the targets of one WS node, its default server first, which
// is another one for each WS node in turn.
func (t *Topology) WebTargetsOf(n Node) []Node {
	return rotate(t.WebTargets(), place(t.WithRole("WS"), n))
}

// ShardOf is the DS node, of a mirrored pair the primary, that a QS node is
// assigned to in turn.
func (t *Topology) ShardOf(n Node) (Node, bool) {
	var shards []Node
	for _, ds := range t.ShardServers() {
		if ds.Member == NotMirrored || ds.Member == Primary {
			shards = append(shards, ds)
		}
	}
	if n.Role != "QS" || len(shards) == 0 {
		return Node{}, false
	}
	return shards[place(t.WithRole("QS"), n)%len(shards)], true
}

func place(nodes []Node, n Node) int {
	for i := range nodes {
		if nodes[i].MachineName == n.MachineName {
			return i
		}
	}
	return 0
}

func rotate(nodes []Node, by int) []Node {
	if len(nodes) == 0 {
		return nil
	}
	by %= len(nodes)
	return append(append([]Node(nil), nodes[by:]...), nodes[:by]...)
}
