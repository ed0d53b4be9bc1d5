package topology

// DataServers are the DM nodes: one, or the members of its mirror, the primary
// first.
func (t *Topology) DataServers() []Node { return t.WithRole("DM") }

// AppServers are the AM nodes.
func (t *Topology) AppServers() []Node { return t.WithRole("AM") }

// ShardServers are the DS nodes.
func (t *Topology) ShardServers() []Node { return t.WithRole("DS") }

// DataNodes are the DATA nodes of a node-level sharded cluster.
func (t *Topology) DataNodes() []Node { return t.WithRole("DATA") }

// ComputeNodes are the COMPUTE nodes of a node-level sharded cluster.
func (t *Topology) ComputeNodes() []Node { return t.WithRole("COMPUTE") }

// NodeLevel reports whether the deployment is a node-level sharded cluster.
func (t *Topology) NodeLevel() bool { return len(t.DataNodes()) > 0 }

// FirstDataNode is the DATA node on which the cluster is begun: node 1.
func (t *Topology) FirstDataNode() (Node, bool) {
	if nodes := t.DataNodes(); len(nodes) > 0 {
		return nodes[0], true
	}
	return Node{}, false
}

// LicenseServers are the nodes that serve licenses to all others: the DM
// nodes, or of a node-level cluster node 1 with the members of its mirror.
func (t *Topology) LicenseServers() []Node {
	if !t.NodeLevel() {
		return t.DataServers()
	}
	first := t.DataNodes()[0]
	if first.Mirror == "" {
		return []Node{first}
	}
	return t.MirrorOf(first).Members
}

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

// MirrorOf is the mirror that a node belongs to; without members when it
// belongs to none.
func (t *Topology) MirrorOf(n Node) Mirror {
	for _, m := range t.Mirrors() {
		if n.Mirror != "" && m.Name == n.Mirror {
			return m
		}
	}
	return Mirror{}
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
// or the DM nodes where there are none; in a node-level cluster the COMPUTE
// nodes, or the DATA nodes where there are none.
func (t *Topology) WebTargets() []Node {
	for _, nodes := range [][]Node{t.AppServers(), t.DataServers(), t.ComputeNodes()} {
		if len(nodes) > 0 {
			return nodes
		}
	}
	return t.DataNodes()
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
