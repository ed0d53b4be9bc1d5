package crash

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"icm/agent/check"
	"icm/agent/engine"
	"icm/agent/engine/crash"
	"icm/agent/host"
	"icm/agent/iris"
	"icm/agent/server"
	"icm/agent/tasks"
	"icm/agent/unit"
	"icm/internal/kind"
	"icm/internal/wire"
)

// runAgent is the agent of a node: everything as in package main of the agent,
// but for systemd, and for the fault it is told.
func runAgent() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.DiscardHandler)
	u := units{unit.New("/")}
	node := iris.New("/", wire.AgentHome)
	node.Poll = 20 * time.Millisecond
	deps := tasks.Deps{Root: "/", Home: wire.AgentHome, IRIS: node, Units: u}
	table := tasks.Kinds(deps)
	for name, k := range table {
		if info := kind.Table[name]; info.Reversibility == kind.OneWay {
			k.OneWay = info.Why
			table[name] = k
		}
	}
	eng, err := engine.OpenWith(wire.AgentHome, table, log, engine.Options{Fault: armed, Planned: true})
	if err != nil {
		return err
	}
	l, err := server.Listen(wire.AgentSocket, -1)
	if err != nil {
		return errors.Join(err, eng.Close())
	}
	srv := server.Server{Build: "crash", Engine: eng, Log: log, Group: -1, Node: server.Node{
		Facts: func(ctx context.Context) (wire.Facts, error) {
			f, err := host.Facts("/")
			if err == nil {
				f.Instances, err = node.Describe(ctx)
			}
			return f, err
		},
		Check: func(ctx context.Context, req wire.CheckRequest) (wire.CheckReply, error) {
			return check.Run(ctx, req, check.Hooks{Root: "/", Owns: node.Owns, Kit: deps.KitNeeds, Units: u}), nil
		},
		Instances: node.List, Session: node.Session,
	}}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ctx, l) }()
	err = eng.Run(ctx)
	stop()
	return errors.Join(err, <-served, eng.Close())
}

// armed is the fault that stands in the file in /run, if any.
func armed(p engine.FaultPoint) error {
	data, err := os.ReadFile("/run/" + faultFile)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	fault, err := crash.At(strings.TrimSpace(string(data)))
	if err != nil {
		return fmt.Errorf("the fault: %w", err)
	}
	return fault(p)
}
