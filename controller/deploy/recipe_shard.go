package deploy

import (
	"fmt"

	"icm/internal/kind"
)

// enableSharding is for every instance of a sharded cluster of either kind.
func enableSharding(c cluster, m member) []draft {
	if !c.topo.Sharded() && !c.topo.NodeLevel() {
		return nil
	}
	return []draft{{
		key: "sharding", kind: kind.ShardEnable, summary: "Enable sharding on " + m.Instance.Name,
		args: kind.Sharding{Instance: m.Instance, Servers: c.shardServers()},
	}}
}

// shardServers is how many instances one of them may talk to. It goes in steps,
// so that a few more shards later need no restart.
func (c cluster) shardServers() int {
	const step = 64
	n := len(c.topo.ShardServers()) + len(c.topo.WithRole("QS")) + len(c.topo.AppServers()) + len(c.topo.DataNodes()) + len(c.topo.ComputeNodes())
	return (n + step) / step * step
}

// assignShards tells the shard master its shards.
func assignShards(c cluster, m member) []draft {
	master := kind.ShardMaster{Instance: m.Instance, Namespace: m.Namespace, Shards: c.shards()}
	if len(master.Shards) == 0 {
		return nil
	}
	return []draft{
		{key: "assign", kind: kind.ShardAssign, summary: fmt.Sprintf("Assign %d shards to namespace %s", len(master.Shards), m.Namespace), args: master},
		{key: "activate", kind: kind.ShardActivate, summary: "Verify the shards and activate them", args: kind.ShardMaster{Instance: m.Instance, Namespace: m.Namespace}, need: ifEither, with: []string{"assign"}},
	}
}

// shards are all of the deployment, query shards after the data shards they
// answer for, in turn.
func (c cluster) shards() []kind.Shard {
	var out []kind.Shard
	for _, n := range c.topo.ShardServers() {
		if m := c.all[n.MachineName]; m.Machine != "" && leads(c, m) {
			out = append(out, c.shard(m))
		}
	}
	for _, n := range c.topo.WithRole("QS") {
		m := c.all[n.MachineName]
		data, ok := c.topo.ShardOf(n)
		if of := c.all[data.MachineName]; ok && m.Machine != "" && of.Machine != "" {
			s := c.shard(m)
			s.QueryOf = joinPort(of.Peer, of.superServer())
			out = append(out, s)
		}
	}
	return out
}

func (c cluster) shard(m member) kind.Shard {
	s := kind.Shard{Host: m.Peer, Port: m.superServer(), Namespace: m.Namespace}
	if m.Mirror == "" {
		return s
	}
	s.Mirror = m.Mirror
	for _, other := range c.mirrorMembers(m.Mirror) {
		if other.Machine != m.Machine {
			s.BackupHost, s.BackupPort = other.Peer, other.superServer()
		}
	}
	return s
}

// first data node of a node-level cluster.
func isNode1(c cluster, m member) bool {
	n, ok := c.topo.FirstDataNode()
	return ok && leads(c, m) && (n.MachineName == m.Machine || m.Mirror != "" && n.Mirror == m.Mirror)
}

// node1 is it.
func (c cluster) node1() member {
	n, _ := c.topo.FirstDataNode()
	if n.Mirror != "" {
		return c.first(n.Mirror)
	}
	return c.all[n.MachineName]
}

// beginCluster makes a node-level cluster of one node.
func beginCluster(c cluster, m member) []draft {
	return []draft{{
		key: "cluster", kind: kind.ClusterInitialize, summary: "Initialize the cluster on " + m.Machine,
		args: kind.ClusterInit{Instance: m.Instance, Namespace: c.clusterNamespace(), Address: joinPort(m.Peer, m.superServer()), Mirrored: m.Mirror != ""},
	}}
}

// clusterNamespace is the field's, or the kit's own where that is USER.
func (c cluster) clusterNamespace() string {
	if n := c.node1(); n.ownNamespace() {
		return n.Namespace
	}
	return ""
}

// attachNode takes a data or compute node into the cluster.
func attachNode(c cluster, m member) []draft {
	return []draft{{key: "cluster", kind: kind.ClusterAttach, summary: "Attach " + m.Machine + " to the cluster", args: c.clusterNode(m)}}
}

func (c cluster) clusterNode(m member) kind.ClusterNode {
	first := c.node1()
	n := kind.ClusterNode{
		Instance: m.Instance, Role: kind.DataNode, Address: joinPort(m.Peer, m.superServer()),
		URL: "IRIS://" + joinPort(first.Peer, first.superServer()),
	}
	if ns := c.clusterNamespace(); ns != "" {
		n.URL += "/" + ns
	}
	if m.Role == "COMPUTE" {
		n.Role = kind.ComputeNode
	}
	if m.Mirror != "" {
		n.MirrorRole = "primary"
		if !leads(c, m) {
			n.MirrorRole = string(m.node.Member)
		}
		switch n.MirrorRole {
		case "async":
			n.MirrorRole = "drasync"
		case "primary":
			if !leads(c, m) {
				n.MirrorRole = "backup"
			}
		}
	}
	return n
}
