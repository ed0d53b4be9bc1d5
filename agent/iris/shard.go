package iris

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"icm/internal/cpf"
	"icm/internal/hint"
	"icm/internal/kind"
	"icm/internal/wire"
)

// Marks of what an instance is to a sharded cluster. Releases keep that in
// places of their own.
const (
	shardingMark = "sharding "
	// ShardingPending: it is being enabled, which ends with a restart.
	ShardingPending = shardingMark + "is being enabled"
	// ShardingOn: it was enabled, and the instance was started anew.
	ShardingOn = shardingMark + "enabled"
	// ShardMasterMark and ClusterMark: shards were assigned to it; it is a node.
	ShardMasterMark = "shard master"
	ClusterMark     = "node of a cluster"
)

// Sharding says what the instance is to a sharded cluster, in the words of
// wire.Instance.
func (n *Node) Sharding(in wire.Instance) string {
	for _, m := range []struct{ mark, word string }{{ClusterMark, "node"}, {ShardMasterMark, "master"}} {
		if is, err := n.Marked(in.Name, m.mark); err == nil && is {
			return m.word
		}
	}
	f, err := ReadCPF(in)
	if err != nil {
		f = cpf.Parse(nil)
	}
	if _, node := f.Get("Namespaces", "IRISCLUSTER"); node {
		return "node"
	}
	if on, err := n.ShardingState(in); err == nil && on == ShardingOn {
		return "enabled"
	}
	return ""
}

// ShardingState is ShardingOn, ShardingPending, or "".
func (n *Node) ShardingState(in wire.Instance) (string, error) {
	state, err := n.Marking(in.Name, shardingMark)
	if err != nil || state != "" {
		return shardingMark + state, err
	}
	f, err := ReadCPF(in)
	if err != nil {
		return "", err
	}
	if v, _ := f.Get("Startup", "EnableSharding"); v == "1" {
		return ShardingOn, nil // somebody else's work
	}
	return "", nil
}

// MarkSharding remembers a state.
func (n *Node) MarkSharding(in wire.Instance, state string) error {
	return n.Mark(in.Name, state, shardingMark)
}

// EnableSharding makes the instance fit for a sharded cluster from its next
// start on.
func (n *Node) EnableSharding(ctx context.Context, in wire.Instance) error {
	return explainSharding(n.Execute(ctx, in, "enable sharding", enableSharding))
}

// RoomForShards is how many other instances this one may talk to, in both
// directions.
func RoomForShards(in wire.Instance) (int, error) {
	f, err := ReadCPF(in)
	if err != nil {
		return 0, err
	}
	room := -1
	for key, usual := range map[string]int{"MaxServers": 2, "MaxServerConn": 1} {
		n := usual
		if v, ok := f.Get("config", key); ok {
			if n, err = strconv.Atoi(v); err != nil {
				return 0, fmt.Errorf("cannot read [config] %s of %s: %q is no number", key, in.Name, v)
			}
		}
		if room < 0 || n < room {
			room = n
		}
	}
	return room, nil
}

// AllowShards makes that room; it counts from the next start on.
func (n *Node) AllowShards(ctx context.Context, in wire.Instance, servers int) error {
	return n.Execute(ctx, in, "allow for more shard servers", shardRoom(servers))
}

// Listing is what an instance lists of its shards or nodes. How many columns
// there are differs between releases; host and port stand in words of their own.
type Listing struct{ lines [][]string }

func parseListing(text string) Listing {
	var l Listing
	for line := range strings.Lines(text) {
		if words := strings.Fields(line); len(words) > 0 {
			l.lines = append(l.lines, words)
		}
	}
	return l
}

// Has reports whether host and port are listed, one behind the other.
func (l Listing) Has(host string, port int) bool {
	return slices.ContainsFunc(l.lines, func(words []string) bool {
		for i := range len(words) - 1 {
			if strings.EqualFold(words[i], host) && words[i+1] == strconv.Itoa(port) {
				return true
			}
		}
		return false
	})
}

// HasNew reports whether a shard is listed that was not activated yet; releases
// without a column for that list none.
func (l Listing) HasNew() bool {
	return slices.ContainsFunc(l.lines, func(words []string) bool { return words[len(words)-1] == "New" })
}

// String is the listing without what says how far its shards are.
func (l Listing) String() string {
	var out []string
	for _, words := range l.lines {
		words = slices.DeleteFunc(slices.Clone(words), func(w string) bool { return w == "New" || w == "Active" })
		out = append(out, strings.Join(words, " "))
	}
	return strings.Join(out, "; ")
}

// list runs code that prints a listing and leaves a status in sc.
func (n *Node) list(ctx context.Context, in wire.Instance, what, code string) (Listing, error) {
	reply, err := n.objectScript(ctx, in, wire.SessionRequest{Namespace: "%SYS", Code: code + "\n" + report})
	if err != nil {
		return Listing{}, fmt.Errorf("cannot %s: %w", what, err)
	}
	text, said, ok := strings.Cut(reply.Out, "icm-status:")
	if said, _, _ = strings.Cut(said, "\n"); ok && !reply.Failed && strings.TrimSpace(said) == "ok" {
		return parseListing(text), nil
	}
	if !ok {
		said = lastLines(reply.Out, 3)
	}
	return Listing{}, fmt.Errorf("cannot %s: %s says: %s", what, in.Name, strings.TrimSpace(said))
}

// ListShards lists the shards of a master namespace.
func (n *Node) ListShards(ctx context.Context, in wire.Instance, namespace string) (Listing, error) {
	return n.list(ctx, in, "list the shards of "+namespace, listShards(namespace))
}

// AssignShard gives the master namespace a shard. One that it has already is no
// error: two listings may write one host in two ways.
func (n *Node) AssignShard(ctx context.Context, in wire.Instance, namespace string, s kind.Shard) error {
	err := n.Execute(ctx, in, fmt.Sprintf("assign shard %s:%d", s.Host, s.Port), assignShard(namespace, s))
	if err != nil && strings.Contains(err.Error(), "assigned already") {
		return nil
	}
	return explainSharding(err)
}

// DeassignShard takes a shard away; the instance refuses when it holds data.
func (n *Node) DeassignShard(ctx context.Context, in wire.Instance, namespace string, s kind.Shard) error {
	return explainSharding(n.Execute(ctx, in, fmt.Sprintf("deassign shard %s:%d", s.Host, s.Port), deassignShard(namespace, s)))
}

// ActivateShards verifies all shards and makes the new ones take data.
func (n *Node) ActivateShards(ctx context.Context, in wire.Instance, namespace string) error {
	return explainSharding(n.Execute(ctx, in, "activate the shards of "+namespace, activateShards(namespace)))
}

// InitializeCluster makes a cluster with this instance as its first data node.
func (n *Node) InitializeCluster(ctx context.Context, in wire.Instance, a kind.ClusterInit) error {
	return explainSharding(n.Execute(ctx, in, "initialize the cluster", initializeCluster(a)))
}

// AttachNode makes the instance a node of a cluster that is there.
func (n *Node) AttachNode(ctx context.Context, in wire.Instance, a kind.ClusterNode) error {
	return explainSharding(n.Execute(ctx, in, "attach to the cluster at "+a.URL, attachNode(a)))
}

// DetachNode takes the instance out of its cluster; it refuses when it holds
// data.
func (n *Node) DetachNode(ctx context.Context, in wire.Instance) error {
	return explainSharding(n.Execute(ctx, in, "detach from the cluster", detachNode))
}

// ListNodes lists the nodes of the cluster that the instance is in; it is an
// error when it is in none.
func (n *Node) ListNodes(ctx context.Context, in wire.Instance) (Listing, error) {
	return n.list(ctx, in, "list the nodes of the cluster", listNodes)
}

// explainSharding adds what to do about errors that operators meet.
func explainSharding(err error) error {
	if err == nil {
		return nil
	}
	said := strings.ToLower(err.Error())
	for _, e := range []struct{ words, advice string }{
		{"licen", "put a licence key that allows sharding into LicenseDir, and run the command again"},
		{"rows", "move the data away first: what a shard holds would be lost to the cluster"},
		{"does not answer", "look whether the instance there runs, has sharding enabled, and can be reached through the firewalls between the two"},
		{"sharding is not enabled", "the instance there was not made ready for sharding: run the command again"},
	} {
		if strings.Contains(said, e.words) {
			return hint.New(err, e.advice)
		}
	}
	return err
}
