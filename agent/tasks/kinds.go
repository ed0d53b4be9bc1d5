// Package tasks is everything an agent can do to a node: one file per subject,
// each kind with its look, do and undo. How it is done on Linux is in
// agent/host and agent/unit, how it is done to IRIS in agent/iris.
package tasks

import (
	"icm/agent/engine"
	"icm/agent/host"
	"icm/agent/iris"
	"icm/internal/kind"
)

// Deps is what the kinds use of the node.
type Deps struct {
	// Root is "/"; tests of kinds that only handle files use a directory.
	Root string
	// Home is the agent's own directory, where kits and copies lie.
	Home string
	// IRIS is IRIS on this node; nil makes one from Root and Home.
	IRIS *iris.Node
	// Units is systemd; nil is the one of this node.
	Units Units
	// Blocks is where block devices are found; the zero value is this node.
	Blocks host.Blocks
}

// Kinds is the table of everything this agent can do. Its keys are those of
// icm/internal/kind.Table.
func Kinds(d Deps) map[string]engine.Kind {
	d = d.withDefaults()
	table := map[string]engine.Kind{
		kind.VolumeMount:   volumeMount(d),
		kind.VolumeRelease: volumeRelease(d),
		kind.SSHHarden:     d.remembered(kind.SSHHarden, sshHarden(d)),
		kind.AccountEnsure: d.remembered(kind.AccountEnsure, accountEnsure(d)),
		kind.KernelSet:     d.remembered(kind.KernelSet, kernelSet(d)),
		kind.DirEnsure:     dirEnsure(d),
		kind.KitFetch:      kitFetch(d),
		kind.KitUnpack:     kitUnpack(d),
		kind.KitRemove:     kitRemove(d),
		kind.IRISInstall:   irisInstall(d),
		kind.IRISUpgrade:   irisUpgrade(d),
		kind.IRISSnapshot:  irisSnapshot(d),
		kind.IRISDiscard:   irisDiscard(d),
		kind.IRISLicense:   irisLicense(d),
		kind.IRISConfigure: irisConfigure(d),
		kind.IRISUnit:      irisUnit(d),
		kind.IRISRelease:   irisRelease(d),
		kind.IRISStart:     irisStart(d),
		kind.IRISStop:      irisStop(d),
		kind.IRISHealth:    irisHealth(d),
		kind.IRISVerify:    irisVerify(d),
		kind.IRISNamespace: irisNamespace(d),
		kind.IRISRemove:    irisRemove(d),
		kind.ECPServe:      ecpServe(d),
		kind.ECPConnect:    ecpConnect(d),
		kind.DataRemove:    dataRemove(d),

		kind.AgentInstall:      agentInstall(d),
		kind.AgentRun:          agentRun(d),
		kind.AgentRemove:       agentRemove(d),
		kind.TLSInstall:        tlsInstall(d),
		kind.MirrorCreate:      mirrorCreate(d),
		kind.MirrorJoin:        mirrorJoin(d),
		kind.MirrorAdmit:       mirrorAdmit(d),
		kind.MirrorArbiter:     mirrorArbiter(d),
		kind.MirrorDatabase:    mirrorDatabase(d),
		kind.MirrorWait:        mirrorWait(d),
		kind.MirrorTakeover:    mirrorTakeover(d),
		kind.MirrorLeave:       mirrorLeave(d),
		kind.ShardEnable:       shardEnable(d),
		kind.ShardAssign:       shardAssign(d),
		kind.ShardActivate:     shardActivate(d),
		kind.ShardDeassign:     shardDeassign(d),
		kind.ClusterInitialize: clusterInitialize(d),
		kind.ClusterAttach:     clusterAttach(d),
		kind.ClusterDetach:     clusterDetach(d),
		kind.IRISTLS:           irisTLS(d),
		kind.IRISUser:          irisUser(d),
		kind.GatewayInstall:    gatewayInstall(d),
		kind.GatewayConfigure:  gatewayConfigure(d),
		kind.GatewayCheck:      gatewayCheck(d),
		kind.GatewayRemove:     gatewayRemove(d),
	}
	table[kind.NodeRestore] = nodeRestore(d, table)
	for name, k := range table {
		k.Do, k.Undo = alone(k.Do), alone(k.Undo)
		table[name] = k
	}
	return table
}
