package kind

// Sharding is the argument of shard.enable, on every instance of a
// sharded cluster. It restarts an instance that was not
// enabled.
type Sharding struct {
	Instance Instance `json:"instance"`
	// Servers is how many other instances it talks to; MaxServers and
	// MaxServerConn are at least that, and 64 when it is 0.
	Servers int `json:"servers,omitempty"`
	Seconds int `json:"seconds,omitempty"`
}

// Shard is one shard of a namespace-level cluster.
type Shard struct {
	Host      string `json:"host"`
	Port      int    `json:"port"`
	Namespace string `json:"namespace"` // the shard's, on its own instance
	// Mirror, BackupHost and BackupPort are set when the shard is a failover
	// pair; Host is then the primary when it is assigned.
	Mirror     string `json:"mirror,omitempty"`
	BackupHost string `json:"backup_host,omitempty"`
	BackupPort int    `json:"backup_port,omitempty"`
	// QueryOf is, for a query shard, "host:port" of its data shard.
	QueryOf string `json:"query_of,omitempty"`
}

// ShardMaster is the argument of shard.assign, shard.activate and
// shard.deassign, on the shard master (when it is mirrored, on the primary).
// shard.activate verifies the shards and activates new ones; it needs no
// Shards. Data shards are assigned before their query shards, whatever the
// order here.
type ShardMaster struct {
	Instance  Instance `json:"instance"`
	Namespace string   `json:"namespace"` // the master namespace
	Shards    []Shard  `json:"shards,omitempty"`
}

// Roles of node-level sharding.
const (
	DataNode    = "data"
	ComputeNode = "compute"
)

// ClusterInit is the argument of cluster.initialize, on the first data node.
type ClusterInit struct {
	Instance Instance `json:"instance"`
	// Namespace is the cluster namespace, Master the master namespace; empty
	// for the kit's own names, IRISCLUSTER and IRISDM.
	Namespace string `json:"namespace,omitempty"`
	Master    string `json:"master,omitempty"`
	// Mirrored says that the node is the primary of a mirror.
	Mirrored bool `json:"mirrored,omitempty"`
	// Address is "host:port" by which the cluster knows this node; empty for
	// what the instance finds out itself.
	Address string `json:"address,omitempty"`
}

// ClusterNode is the argument of cluster.attach and cluster.detach, on the node
// that comes or goes.
type ClusterNode struct {
	Instance Instance `json:"instance"`
	Role     string   `json:"role"` // DataNode or ComputeNode
	// URL is a data node that is in the cluster: "IRIS://host:port[/namespace]".
	URL string `json:"url"`
	// MirrorRole is "primary", "backup" or "drasync" on members of mirrors.
	MirrorRole string `json:"mirror_role,omitempty"`
	// Address is "host:port" by which the cluster knows this node; empty for
	// what the instance finds out itself.
	Address string `json:"address,omitempty"`
	// Data is, for cluster.detach, the named consent to remove a data node.
	Data bool `json:"data,omitempty"`
}
