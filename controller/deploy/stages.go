package deploy

import (
	"icm/internal/wire"
)

// The tables of the verbs: who does what, in which order.

// provisionStages configures nodes that can be reached.
func provisionStages(nodes []settings) []draftStage {
	return []draftStage{onEach("configure nodes", nodes, wire.Hold, configureNode)}
}

// installTable: kits are everywhere before anything is installed, and data
// servers serve before application servers connect to them.
var installTable = []section{{whole, []step{
	{name: "stage kits", who: everybody, what: just(stageForInstall)},
	{name: "install", who: everybody, what: just(installInstance)},
	{name: "start data servers", who: role("DM"), what: inOrder(just(startInstance), serveData), onError: wire.Hold},
	{name: "start application servers", who: role("AM"), what: inOrder(just(startInstance), serveApplications), onError: wire.Hold},
	{name: "clean up", who: everybody, what: just(cleanAfterInstall), onError: wire.Hold},
}}}

// upgradeTable: one node after the other, application servers first, so that
// no application server is ever older than its data server for long and the
// service loses one node at a time.
var upgradeTable = []section{{whole, []step{
	{name: "stage kits", who: everybody, what: just(stageForUpgrade)},
	{name: "upgrade %s", who: role("AM"), what: upgradeInstance, width: oneByOne},
	{name: "upgrade %s", who: role("DM"), what: upgradeInstance, width: oneByOne},
	{name: "forget the old version", who: everybody, what: inOrder(just(forgetOld), just(cleanAfterUpgrade)), onError: wire.Hold},
}}}

// uninstallTable: application servers before the data servers they use. dataToo
// names the nodes whose data goes as well.
func uninstallTable(dataToo map[string]bool) []section {
	remove := func(_ cluster, m member) []draft { return removeInstance(m.settings, dataToo[m.Machine]) }
	return []section{{whole, []step{
		{name: "uninstall application servers", who: role("AM"), what: remove, onError: wire.Hold},
		{name: "uninstall data servers", who: role("DM"), what: remove, onError: wire.Hold},
	}}}
}

// startTable: data servers first.
var startTable = []section{{whole, []step{
	{name: "start data servers", who: role("DM"), what: just(startOnly), onError: wire.Hold},
	{name: "start application servers", who: role("AM"), what: just(startOnly), onError: wire.Hold},
}}}

// stopTable: application servers first.
var stopTable = []section{{whole, []step{
	{name: "stop application servers", who: role("AM"), what: just(stopOnly), onError: wire.Hold},
	{name: "stop data servers", who: role("DM"), what: just(stopOnly), onError: wire.Hold},
}}}

// releaseStages lets go of nodes that stay: all of icm where there is no
// instance, only the logins where one goes on running.
func releaseStages(empty, running []settings) []draftStage {
	return []draftStage{
		onEach("release nodes", empty, wire.Hold, releaseNode),
		onEach("release logins", running, wire.Hold, releaseLogins),
	}
}
