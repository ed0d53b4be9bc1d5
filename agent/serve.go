package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"icm/agent/engine"
	"icm/agent/iris"
	"icm/agent/monitor"
	"icm/agent/server"
	"icm/internal/wire"
)

// The agent rests most of its life on machines whose memory is for IRIS: it
// collects early, and harder when it grows.
const (
	gcPercent   = 50
	memoryLimit = 64 << 20 // bytes; soft
)

// serve answers controllers and runs changes until ctx ends. A task that is
// running then stays "doing", and is run again at the next start.
func serve(ctx context.Context, w world) error {
	debug.SetGCPercent(gcPercent)
	debug.SetMemoryLimit(memoryLimit)
	log := slog.New(slog.NewTextHandler(w.Err, &slog.HandlerOptions{ReplaceAttr: withoutTime}))
	fault, err := faults(w)
	if err != nil {
		return err
	}
	eng, err := engine.OpenWith(w.home(), kinds(w.home()), log, engine.Options{Fault: fault, Planned: true})
	if err != nil {
		return err
	}
	return errors.Join(serveWith(ctx, w, eng, log), eng.Close())
}

// withoutTime drops the time of a line: systemd's journal has its own.
func withoutTime(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

// serveWith runs the engine, the socket and the watchdog. When one of them
// ends all do.
func serveWith(ctx context.Context, w world, eng *engine.Engine, log *slog.Logger) error {
	group, err := server.GroupID(wire.AgentGroup)
	if err != nil {
		return err
	}
	listener, err := server.Listen(w.socket(), group)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	mon := monitor.New(root, w.home(), eng, iris.New(root, w.home()), log)
	srv := &server.Server{Build: build, Engine: eng, Node: node(w.home(), mon), Log: log, Group: group}
	parts := []func(context.Context) error{
		eng.Run,
		mon.Run,
		func(ctx context.Context) error { return srv.Serve(ctx, listener) },
		func(ctx context.Context) error { return watchdog(ctx, w.socket(), eng, log) },
	}
	ended := make(chan error, len(parts))
	for _, part := range parts {
		go func() { ended <- part(ctx) }()
	}
	log.Info("serving", "build", build, "socket", w.socket())
	notify(log, daemon.SdNotifyReady)
	err = <-ended
	notify(log, daemon.SdNotifyStopping)
	cancel()
	for range len(parts) - 1 {
		err = errors.Join(err, <-ended)
	}
	return err
}

// notify tells systemd; without systemd nobody listens, which is no error.
func notify(log *slog.Logger, state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		log.Error("cannot tell systemd", "state", state, "err", err)
	}
}

// watchdog tells systemd at half the interval it asked for that the agent is
// alive: its engine's lock can be had, and its socket says hello. When that
// does not come systemd starts the agent again.
func watchdog(ctx context.Context, socket string, eng *engine.Engine, log *slog.Logger) error {
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		return fmt.Errorf("cannot read what systemd expects of the watchdog: %w", err)
	}
	if interval == 0 {
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(interval / 2)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := alive(ctx, socket, eng, interval/4); err != nil {
			log.Error("the watchdog finds the agent stuck", "err", err)
			continue // one more try before systemd loses its patience
		}
		if _, err := daemon.SdNotify(false, daemon.SdNotifyWatchdog); err != nil {
			return fmt.Errorf("cannot tell systemd: %w", err)
		}
	}
}

func alive(ctx context.Context, socket string, eng *engine.Engine, limit time.Duration) error {
	if err := eng.Check(); err != nil {
		return err
	}
	conn, err := connect(ctx, socket, limit)
	if err != nil {
		return err
	}
	if err := conn.SetDeadline(time.Now().Add(limit)); err != nil {
		return errors.Join(err, conn.Close())
	}
	client, err := wire.NewClient(conn, build)
	if err != nil {
		return err
	}
	return client.Close()
}
