package main

import (
	"context"

	"icm/agent/check"
	"icm/agent/engine"
	"icm/agent/host"
	"icm/agent/iris"
	"icm/agent/monitor"
	"icm/agent/server"
	"icm/agent/tasks"
	"icm/internal/kind"
	"icm/internal/wire"
)

// root is where the node's files are.
const root = "/"

// kinds is everything this agent can do, with what internal/kind says of the
// ways back.
func kinds(home string) map[string]engine.Kind {
	table := tasks.Kinds(tasks.Deps{Root: root, Home: home})
	for name, k := range table {
		if info := kind.Table[name]; info.Reversibility == kind.OneWay {
			k.OneWay = info.Why
			table[name] = k
		}
	}
	return table
}

// node is everything this agent can tell.
func node(home string, mon *monitor.Monitor) server.Node {
	instances := iris.New(root, home)
	return server.Node{
		Facts: func(ctx context.Context) (wire.Facts, error) {
			facts, err := host.Facts(root)
			if err != nil {
				return wire.Facts{}, err
			}
			facts.Instances, err = instances.Describe(ctx)
			return facts, err
		},
		Check: func(ctx context.Context, req wire.CheckRequest) (wire.CheckReply, error) {
			return check.Run(ctx, req, check.Hooks{Root: root, Owns: instances.Owns, Kit: tasks.Deps{Root: root, Home: home}.KitNeeds}), nil
		},
		Instances: instances.List,
		Session:   instances.Session,
		Health:    mon.Health,
		Survey:    instances.Survey,
		Looked:    mon.Settled,
	}
}
