package deploy

import (
	"icm/internal/wire"
)

// The tables of the verbs: who does what, in which order.

// provisionStages configures nodes that can be reached.
func provisionStages(nodes []settings) []draftStage {
	return []draftStage{onEach("configure nodes", nodes, wire.Hold, configureNode)}
}

// dataRoles keep data, appRoles work on that of others.
var (
	dataRoles = role("DM", "DS", "DATA")
	appRoles  = role("AM", "QS", "COMPUTE")
)

// installTable: kits are everywhere before anything is installed. An arbiter
// runs before a mirror is made, a mirror is made before others join it, data
// servers serve before application servers connect to them, and shards are
// there before they are assigned.
var installTable = []section{{whole, []step{
	{name: "stage kits", who: everybody, what: just(stageForInstall)},
	{name: "install", who: instances, what: just(installInstance)},
	{name: "install web servers", who: role("WS"), what: installGateway},
	{name: "install the arbiter", who: role("AR"), what: inOrder(installArbiter, startArbiter)},
	{name: "start data servers", who: both(dataRoles, leads), what: inOrder(prepareMember, just(startInstance), enableSharding, createMirror, serveData, letGatewaysIn), onError: wire.Hold},
	{name: "join mirrors", who: both(dataRoles, not(leads), not(async)), what: inOrder(prepareMember, just(startInstance), enableSharding, joinMirror, settleMember, serveData, letGatewaysIn), onError: wire.Hold},
	{name: "join asyncs", who: both(dataRoles, async), what: inOrder(prepareMember, just(startInstance), joinMirror, settleMember, serveData), onError: wire.Hold},
	{name: "begin the cluster", who: both(role("DATA"), isNode1), what: beginCluster, onError: wire.Hold},
	{name: "attach %s", who: both(role("DATA"), leads, not(isNode1)), what: attachNode, width: oneByOne, onError: wire.Hold},
	{name: "attach %s", who: both(role("DATA"), not(leads)), what: attachNode, width: oneByOne, onError: wire.Hold},
	{name: "start application servers", who: appRoles, what: inOrder(just(startInstance), enableSharding, serveApplications, letGatewaysIn), onError: wire.Hold},
	{name: "attach %s", who: role("COMPUTE"), what: attachNode, width: oneByOne, onError: wire.Hold},
	{name: "assign shards", who: both(role("DM"), leads), what: assignShards, onError: wire.Hold},
	{name: "configure web servers", who: role("WS"), what: bindGateway, onError: wire.Hold},
	{name: "clean up", who: everybody, what: just(cleanAfterInstall), onError: wire.Hold},
}}}

// uninstallTable: those that use others before those that are used. dataToo
// names the nodes whose data goes as well.
func uninstallTable(dataToo map[string]bool) []section {
	remove := func(_ cluster, m member) []draft { return removeInstance(m.settings, dataToo[m.Machine]) }
	return []section{{whole, []step{
		{name: "uninstall web servers", who: role("WS"), what: removeGateway, onError: wire.Hold},
		{name: "uninstall application servers", who: appRoles, what: remove, onError: wire.Hold},
		{name: "leave mirrors", who: leaving, what: leaveMirror, onError: wire.Hold},
		{name: "uninstall backups and asyncs", who: both(dataRoles, not(leads)), what: remove, onError: wire.Hold},
		{name: "uninstall data servers", who: both(dataRoles, leads), what: remove, onError: wire.Hold},
		{name: "uninstall the arbiter", who: role("AR"), what: removeArbiter, onError: wire.Hold},
	}}}
}

// startTable: data servers first. Which member of a mirror becomes primary they
// find out among themselves.
var startTable = []section{{whole, []step{
	{name: "start data servers", who: dataRoles, what: just(startOnly), onError: wire.Hold},
	{name: "start application servers", who: appRoles, what: just(startOnly), onError: wire.Hold},
}}}

// stopTable: application servers first, and the primary of a mirror last: then
// nobody takes over from it.
var stopTable = []section{{whole, []step{
	{name: "stop application servers", who: appRoles, what: just(stopOnly), onError: wire.Hold},
	{name: "stop backups and asyncs", who: both(dataRoles, not(leads)), what: just(stopOnly), onError: wire.Hold},
	{name: "stop data servers", who: both(dataRoles, leads), what: stopLast, onError: wire.Hold},
}}}

// releaseStages lets go of nodes that stay: all of icm where there is no
// instance; where one goes on running the logins, and, for good, its service.
func releaseStages(empty, running []settings, forGood bool) []draftStage {
	instances := releaseLogins
	if forGood {
		instances = releaseInstance
	}
	return []draftStage{
		onEach("release nodes", empty, wire.Hold, releaseNode),
		onEach("release instances", running, wire.Hold, instances),
	}
}
