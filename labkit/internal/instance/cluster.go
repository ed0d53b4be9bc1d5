package instance

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"

	"icm/labkit/internal/cpf"
	"icm/labkit/internal/script"
	"icm/labkit/internal/store"
)

// Names that node-level sharding has unless others are given.
const (
	clusterNS = "IRISCLUSTER"
	masterNS  = "IRISDM"
	nodeOne   = "IRISNODE1" // the ECP server of the first node
)

// node is one node of a node-level cluster. The list is a global of the
// cluster namespace, which all nodes share.
type node struct {
	ID         int
	Type       string // Data, Compute
	Host       string
	Port       int
	Mirror     string
	BackupHost string
	BackupPort int
	Role       string // primary, backup or drasync when it attaches
}

func (n node) shard(master string) shard {
	return shard{Host: n.Host, Port: n.Port, Namespace: master, Mirror: n.Mirror, BackupHost: n.BackupHost, BackupPort: n.BackupPort, Active: true}
}

// cluster is what a new node must know.
type cluster struct {
	Namespace, Master string
	Host              string // of the first node
	Port              int
	Dir               string
	Mirror            string
}

func nodeKey(id int) string { return store.Key(nodeGlobal, strconv.Itoa(id)) }

func (i *Instance) ownPort() int {
	port, _ := strconv.Atoi(i.get("Startup", "DefaultPort"))
	return port
}

// newDatabase makes a local database and a namespace on it, mirrored or not.
func (i *Instance) newDatabase(name, dir, mirrored string) error {
	if dir == "" {
		dir = filepath.Join(i.mgr(), strings.ToLower(name))
	}
	if err := i.createDatabase(dir, true); err != nil {
		return err
	}
	if mirrored != "" {
		if err := i.mirror.addDatabase(name, dir); err != nil {
			return err
		}
	}
	if err := i.put("Databases", name, slashed(dir)); err != nil {
		return err
	}
	return i.put("Namespaces", name, name)
}

// initialize makes this instance the first node of a cluster.
func (i *Instance) initialize(a args, mirrored bool) error {
	if err := i.mayShard(); err != nil {
		return err
	}
	cns, mns := strings.ToUpper(a.text(0)), strings.ToUpper(a.text(1))
	if cns == "" {
		cns = clusterNS
	}
	if mns == "" {
		mns = masterNS
	}
	if i.get("Cluster", "Namespace") != "" {
		return errors.New("ERROR #9320: This instance is a node of a cluster already")
	}
	first := node{ID: 1, Type: "Data", Host: a.text(4), Port: i.ownPort()}
	if first.Host == "" {
		first.Host = ownAddress()
	}
	if mirrored {
		if !i.mirror.isPrimary() {
			return errors.New("ERROR #9321: This instance is not the primary of a mirror")
		}
		first.Mirror, first.Host = i.mirrorSelf(first.Host)
	}
	if err := i.newDatabase(mns, a.text(2), first.Mirror); err != nil {
		return err
	}
	if err := i.put("Namespaces", cns, mns); err != nil {
		return err
	}
	if err := i.putCluster(cns, mns, 1); err != nil {
		return err
	}
	return i.recordNode(cns, mns, first)
}

// ownAddress is what others can reach this machine by when nobody said: names
// may not be known to them.
func ownAddress() string {
	addrs, _ := net.InterfaceAddrs()
	for _, a := range addrs {
		if ip, ok := a.(*net.IPNet); ok && ip.IP.To4() != nil && ip.IP.IsGlobalUnicast() {
			return ip.IP.String()
		}
	}
	return hostname()
}

// mirrorSelf is the mirror and the address this member has in it.
func (i *Instance) mirrorSelf(host string) (string, string) {
	i.mirror.mu.Lock()
	defer i.mirror.mu.Unlock()
	for _, p := range i.mirror.conf.Members {
		if p.System == i.mirror.conf.System {
			host = p.Address
		}
	}
	return i.mirror.conf.Name, host
}

func (i *Instance) putCluster(cns, mns string, id int) error {
	return errors.Join(i.put("Cluster", "Namespace", cns), i.put("Cluster", "Master", mns), i.put("Cluster", "Node", strconv.Itoa(id)))
}

// recordNode adds a node to the lists of nodes and shards.
func (i *Instance) recordNode(cns, mns string, n node) error {
	if err := putObject(i, cns, nodeKey(n.ID), n); err != nil {
		return err
	}
	s := n.shard(mns)
	if n.Type == "Compute" {
		data, _, err := i.active(cns)
		if err != nil {
			return err
		}
		s.Namespace, s.QueryOf = cns, data[n.ID%len(data)].addr()
	}
	return putObject(i, cns, shardKey(s.Host, s.Port, s.Namespace), s)
}

// admitNode is done by any node of the cluster that a new one asks.
func (i *Instance) admitNode(who node) (shardTalk, error) {
	cns, mns := i.get("Cluster", "Namespace"), i.get("Cluster", "Master")
	if cns == "" {
		return shardTalk{}, errors.New("ERROR #9322: " + hostname() + " is no node of a cluster")
	}
	nodes, err := objects[node](i, cns, nodeGlobal)
	if err != nil {
		return shardTalk{}, err
	}
	if len(nodes) == 0 {
		return shardTalk{}, errors.New("ERROR #9322: the cluster has no nodes")
	}
	who.ID = 1
	for _, n := range nodes {
		who.ID = max(who.ID, n.ID+1)
		if n.Host == who.Host && n.Port == who.Port {
			return shardTalk{}, fmt.Errorf("ERROR #9320: %s:%d is node %d already", n.Host, n.Port, n.ID)
		}
	}
	switch who.Role {
	case "backup", "drasync":
		found := false
		for _, n := range nodes {
			if n.Mirror == who.Mirror && n.Mirror != "" {
				found, who.ID = true, n.ID
				if who.Role == "backup" {
					n.BackupHost, n.BackupPort = who.Host, who.Port
					err = i.recordNode(cns, mns, n)
				}
			}
		}
		if !found {
			err = errors.New("ERROR #9323: no node of the cluster is primary of mirror " + who.Mirror)
		}
	default:
		err = i.recordNode(cns, mns, who)
	}
	out := cluster{Namespace: cns, Master: mns, Host: nodes[0].Host, Port: nodes[0].Port, Mirror: nodes[0].Mirror}
	if out.Dir, _, _ = i.location(mns); nodes[0].Mirror != "" {
		out.Dir = ":mirror:" + nodes[0].Mirror + ":" + mns
	} else if id := i.get("Cluster", "Node"); id != "1" {
		out.Dir, _, _ = i.location(cns)
	}
	return shardTalk{Cluster: out, Node: who}, err
}

// attach makes this instance a node of the cluster at url.
func (i *Instance) attach(url, host string, who node) error {
	if err := i.mayShard(); err != nil {
		return err
	}
	if i.get("Cluster", "Namespace") != "" {
		return errors.New("ERROR #9320: This instance is a node of a cluster already")
	}
	addr, ok := strings.CutPrefix(strings.ToUpper(url), "IRIS://")
	addr, _, _ = strings.Cut(strings.ToLower(addr), "/")
	if _, _, err := net.SplitHostPort(addr); !ok || err != nil {
		return fmt.Errorf("ERROR #9324: Cluster URL %q is not IRIS://host:port/namespace", url)
	}
	who.Host, who.Port = host, i.ownPort()
	if host == "" {
		who.Host = ownAddress()
	}
	if who.Role != "" {
		if who.Mirror, who.Host = i.mirrorSelf(who.Host); who.Mirror == "" {
			return errors.New("ERROR #9321: This instance is not a mirror member")
		}
		if who.Role == "primary" && !i.mirror.isPrimary() {
			return errors.New("ERROR #9321: This instance is not the primary of a mirror")
		}
	}
	reply, err := i.askShardAt(addr, shardTalk{Verb: "attach", Node: who})
	if err != nil {
		return fmt.Errorf("ERROR #9325: Cannot attach to %s: %w", url, plain(err))
	}
	return i.settle(reply.Cluster, reply.Node)
}

// settle makes the databases and namespaces of a node.
func (i *Instance) settle(c cluster, me node) error {
	if me.Type == "Data" {
		if err := i.newDatabase(c.Master, "", me.Mirror); err != nil {
			return err
		}
	}
	sameMirror := me.Mirror != "" && me.Mirror == c.Mirror
	globals := c.Master
	if !sameMirror {
		globals = c.Namespace
		flag := "0"
		if c.Mirror != "" {
			flag = "1"
		}
		if err := i.put("ECPServers", nodeOne, fmt.Sprintf("%s,%d,%s", c.Host, c.Port, flag)); err != nil {
			return err
		}
		if err := i.put("Databases", c.Namespace, c.Dir+","+nodeOne); err != nil {
			return err
		}
	}
	if err := i.put("Namespaces", c.Namespace, globals); err != nil {
		return err
	}
	return i.putCluster(c.Namespace, c.Master, me.ID)
}

// detach takes this node out of its cluster, unless it holds rows.
func (i *Instance) detach() error {
	cns, mns := i.get("Cluster", "Namespace"), i.get("Cluster", "Master")
	id, _ := strconv.Atoi(i.get("Cluster", "Node"))
	if cns == "" {
		return errors.New("ERROR #9322: This instance is no node of a cluster")
	}
	nodes, err := objects[node](i, cns, nodeGlobal)
	if err != nil {
		return err
	}
	if id == 1 && len(nodes) > 1 {
		return errors.New("ERROR #9326: The first node can be detached only as the last one")
	}
	for _, n := range nodes {
		if n.ID != id {
			continue
		}
		ns := cns
		if n.Type == "Data" {
			ns = mns
			count, err := i.countRows(mns)
			if err != nil {
				return err
			}
			if count > 0 {
				return fmt.Errorf("ERROR #9318: This node holds %d rows", count)
			}
		}
		if err := errors.Join(i.Kill(cns, nodeKey(id)), i.Kill(cns, shardKey(n.Host, n.Port, ns))); err != nil {
			return err
		}
	}
	for _, p := range []string{"Namespace", "Master", "Node"} {
		if err := i.remove("Cluster", p); err != nil {
			return err
		}
	}
	return errors.Join(i.remove("Namespaces", cns), i.remove("Namespaces", mns), i.remove("Databases", cns), i.remove("Databases", mns), i.remove("ECPServers", nodeOne))
}

func (i *Instance) listNodes(s *script.Session) error {
	cns := i.get("Cluster", "Namespace")
	if cns == "" {
		return errors.New("ERROR #9322: This instance is no node of a cluster")
	}
	nodes, err := objects[node](i, cns, nodeGlobal)
	if err != nil {
		return err
	}
	s.Print("NodeId  NodeType    Host                Port    Mirror\n")
	for _, n := range nodes {
		mirror := n.Mirror
		if n.BackupHost != "" {
			mirror += fmt.Sprintf(" (backup %s:%d)", n.BackupHost, n.BackupPort)
		}
		s.Print(fmt.Sprintf("%-7d %-11s %-19s %-7d %s\n", n.ID, n.Type, n.Host, n.Port, mirror))
	}
	return nil
}

func clusterMethods() map[string]method {
	attach := func(kind string) method {
		return func(i *Instance, _ *script.Session, a args) (string, error) {
			return status(i.attach(a.text(0), a.text(1), node{Type: kind}))
		}
	}
	return map[string]method{
		"Initialize":          func(i *Instance, _ *script.Session, a args) (string, error) { return status(i.initialize(a, false)) },
		"InitializeMirrored":  func(i *Instance, _ *script.Session, a args) (string, error) { return status(i.initialize(a, true)) },
		"AttachAsDataNode":    attach("Data"),
		"AttachAsComputeNode": attach("Compute"),
		"AttachAsMirroredNode": func(i *Instance, _ *script.Session, a args) (string, error) {
			role := strings.ToLower(a.text(1))
			if role != "primary" && role != "backup" && role != "drasync" {
				return status(errors.New("ERROR #9327: The role is primary, backup or drasync"))
			}
			return status(i.attach(a.text(0), a.text(2), node{Type: "Data", Role: role}))
		},
		"Detach":    func(i *Instance, _ *script.Session, _ args) (string, error) { return status(i.detach()) },
		"ListNodes": func(i *Instance, s *script.Session, _ args) (string, error) { return status(i.listNodes(s)) },
	}
}

// configCluster is the action ConfigShardedCluster; it does nothing to a node.
func (i *Instance) configCluster(a cpf.Action) error {
	if i.get("Cluster", "Namespace") != "" {
		return nil
	}
	if err := i.enableSharding(); err != nil {
		return err
	}
	i.sharding = true // the action takes care of the restart
	host, ns := a.Prop("Host"), ""
	if rest, ok := strings.CutPrefix(a.Prop("ClusterURL"), "IRIS://"); ok {
		_, ns, _ = strings.Cut(rest, "/")
	}
	switch role := strings.ToLower(a.Prop("Role")); role {
	case "node1":
		none := script.Arg{Omit: true}
		return i.initialize(args{{Value: ns}, none, none, none, {Value: host}}, a.Prop("Member") != "")
	case "data":
		return i.attach(a.Prop("ClusterURL"), host, node{Type: "Data", Role: strings.ToLower(a.Prop("Member"))})
	case "compute":
		return i.attach(a.Prop("ClusterURL"), host, node{Type: "Compute"})
	}
	return complain("Role must be node1, data or compute")
}
