package deploy

import (
	"icm/internal/wire"
)

// cluster is the selected nodes as the recipes see them. The data servers are
// there even when only application servers were selected: those need their
// addresses.
type cluster struct {
	data, apps []settings          // selected, in order of their names
	server     map[string]settings // application server → its data server
	clients    map[string]int      // data server → application servers in the whole deployment
	version    map[string]string   // node → version that is installed, "" for none
}

func (c cluster) all() []settings {
	return append(append([]settings{}, c.data...), c.apps...)
}

// provisionStages configures nodes that can be reached.
func provisionStages(nodes []settings) []draftStage {
	return []draftStage{onEach("configure nodes", nodes, wire.Hold, configureNode)}
}

// installStages: kits are everywhere before anything is installed, and data
// servers serve before application servers connect to them.
func installStages(c cluster) []draftStage {
	return []draftStage{
		onEach("stage kits", c.all(), wire.Undo, func(s settings) []draft { return stageKit(s, keyInstall) }),
		onEach("install", c.all(), wire.Undo, installInstance),
		onEach("start data servers", c.data, wire.Hold, func(s settings) []draft {
			return append(startInstance(s), serveData(s, c.clients[s.Machine])...)
		}),
		onEach("start application servers", c.apps, wire.Hold, func(s settings) []draft {
			return append(startInstance(s), serveApplications(s, c.server[s.Machine])...)
		}),
		onEach("clean up", c.all(), wire.Hold, func(s settings) []draft { return cleanKit(s, keyInstall) }),
	}
}

// upgradeStages: one node after the other, application servers first, so that
// no application server is ever older than its data server for long and the
// service loses one node at a time.
func upgradeStages(c cluster) []draftStage {
	stages := []draftStage{
		onEach("stage kits", c.all(), wire.Undo, func(s settings) []draft { return stageKit(s, keyUpgrade) }),
	}
	for _, s := range append(append([]settings{}, c.apps...), c.data...) {
		stages = append(stages, onEach("upgrade "+s.Machine, []settings{s}, wire.Undo, func(s settings) []draft {
			return upgradeInstance(s, c.version[s.Machine])
		}))
	}
	return append(stages, onEach("forget the old version", c.all(), wire.Hold, func(s settings) []draft {
		return append(forgetOld(s), cleanKit(s, keyUpgrade)...)
	}))
}

// uninstallStages: application servers before the data servers they use.
// dataToo names the nodes whose data goes as well.
func uninstallStages(c cluster, dataToo map[string]bool) []draftStage {
	remove := func(s settings) []draft { return removeInstance(s, dataToo[s.Machine]) }
	return []draftStage{
		onEach("uninstall application servers", c.apps, wire.Hold, remove),
		onEach("uninstall data servers", c.data, wire.Hold, remove),
	}
}

// releaseStages lets go of nodes that stay: all of icm where there is no
// instance, only the logins where one goes on running.
func releaseStages(empty, running []settings) []draftStage {
	return []draftStage{
		onEach("release nodes", empty, wire.Hold, releaseNode),
		onEach("release logins", running, wire.Hold, releaseLogins),
	}
}

// startStages: data servers first.
func startStages(c cluster) []draftStage {
	return []draftStage{
		onEach("start data servers", c.data, wire.Hold, startOnly),
		onEach("start application servers", c.apps, wire.Hold, startOnly),
	}
}

// stopStages: application servers first.
func stopStages(c cluster) []draftStage {
	return []draftStage{
		onEach("stop application servers", c.apps, wire.Hold, stopOnly),
		onEach("stop data servers", c.data, wire.Hold, stopOnly),
	}
}
