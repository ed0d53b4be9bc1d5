package iris

import (
	"fmt"
	"strings"

	"icm/internal/kind"
)

// This file holds the ObjectScript of sharding. Which instance is a shard or a
// node of which other one, only these methods tell.

const enableSharding = `set sc=$SYSTEM.Sharding.EnableSharding()`

// shardRoom is how many instances a sharded cluster's member may talk to.
func shardRoom(servers int) string {
	return fmt.Sprintf("kill new\nset new(\"MaxServers\")=%[1]d,new(\"MaxServerConn\")=%[1]d\nset sc=##class(Config.config).Modify(.new)", servers)
}

func listShards(namespace string) string {
	return "set sc=$SYSTEM.Sharding.ListShards(" + quote(namespace) + ")"
}

// assignShard has as many arguments as the shard needs: for a plain one those
// that every release takes.
func assignShard(namespace string, s kind.Shard) string {
	args := fmt.Sprintf("%s,%s,%d,%s", quote(namespace), quote(s.Host), s.Port, quote(s.Namespace))
	if s.Mirror != "" || s.QueryOf != "" {
		args += "," + quote(s.Mirror) + "," + quote(s.BackupHost)
		if s.BackupHost == "" {
			args += `,""`
		} else {
			args += fmt.Sprintf(",%d", s.BackupPort)
		}
	}
	if s.QueryOf != "" {
		args += `,"",` + quote(s.QueryOf)
	}
	return "set sc=$SYSTEM.Sharding.AssignShard(" + args + ")"
}

func deassignShard(namespace string, s kind.Shard) string {
	return fmt.Sprintf("set sc=$SYSTEM.Sharding.DeassignShard(%s,%s,%d,%s)", quote(namespace), quote(s.Host), s.Port, quote(s.Namespace))
}

func activateShards(namespace string) string {
	return fmt.Sprintf("set sc=$SYSTEM.Sharding.VerifyShards(%[1]s)\nif +sc=1 set sc=$SYSTEM.Sharding.ActivateNewShards(%[1]s)", quote(namespace))
}

func initializeCluster(a kind.ClusterInit) string {
	method := "Initialize"
	if a.Mirrored {
		method = "InitializeMirrored"
	}
	args := []string{orNothing(a.Namespace), orNothing(a.Master), "", "", orNothing(hostOf(a.Address))}
	return "set sc=$SYSTEM.Cluster." + method + "(" + strings.TrimRight(strings.Join(args, ","), ",") + ")"
}

func attachNode(a kind.ClusterNode) string {
	args := quote(a.URL)
	method := "AttachAsDataNode"
	switch {
	case a.MirrorRole != "":
		method = "AttachAsMirroredNode"
		args += "," + quote(a.MirrorRole)
	case a.Role == kind.ComputeNode:
		method = "AttachAsComputeNode"
	}
	if host := hostOf(a.Address); host != "" {
		args += "," + quote(host)
	}
	return "set sc=$SYSTEM.Cluster." + method + "(" + args + ")"
}

const (
	detachNode = `set sc=$SYSTEM.Cluster.Detach()`
	listNodes  = `set sc=$SYSTEM.Cluster.ListNodes()`
)

// orNothing leaves an empty argument out: the method's own default counts.
func orNothing(s string) string {
	if s == "" {
		return ""
	}
	return quote(s)
}

// hostOf is the host of "host:port".
func hostOf(address string) string {
	if i := strings.LastIndexByte(address, ':'); i >= 0 {
		address = address[:i]
	}
	return strings.Trim(address, "[]")
}
