// Package server is the agent's door: a Unix socket, who may come in, and
// which method is answered by whom.
package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"

	"icm/agent/engine"
	"icm/internal/wire"
)

// maxConns bounds the connections at one time. A controller needs one, and one
// more while it comes back.
const maxConns = 32

// Node is what the methods that are not the engine's ask of the node. A nil
// function makes its method unknown.
type Node struct {
	Facts     func(ctx context.Context) (wire.Facts, error)
	Check     func(ctx context.Context, req wire.CheckRequest) (wire.CheckReply, error)
	Instances func(ctx context.Context) ([]wire.Instance, error)
	Session   func(ctx context.Context, req wire.SessionRequest) (wire.SessionReply, error)
	Survey    func(ctx context.Context, req wire.SurveyRequest) (wire.SurveyReply, error)
	Health    func(ctx context.Context, req wire.HealthRequest) (wire.HealthReply, error)
	// Looked is told of every look that the engine answered; nil tells nobody.
	Looked func(tasks []wire.Task, looks []wire.Look)
}

// Server answers controllers.
type Server struct {
	Build  string
	Engine *engine.Engine
	Node   Node
	Log    *slog.Logger
	// Group may connect besides root; -1 is nobody.
	Group int
}

// Serve answers connections until ctx ends, then waits for the open ones to
// end. It owns the listener.
func (s *Server) Serve(ctx context.Context, l *net.UnixListener) error {
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	var conns sync.WaitGroup
	defer conns.Wait()
	room := make(chan struct{}, maxConns)
	handlers := s.handlers()
	for {
		conn, err := l.AcceptUnix()
		if ctx.Err() != nil {
			if err == nil {
				_ = conn.Close()
			}
			return nil
		}
		if err != nil {
			return errors.Join(err, l.Close())
		}
		select {
		case room <- struct{}{}:
		default:
			s.Log.Error("connection refused", "err", "too many are open")
			_ = conn.Close()
			continue
		}
		conns.Go(func() {
			defer func() { <-room }()
			s.answer(ctx, conn, handlers)
		})
	}
}

func (s *Server) answer(ctx context.Context, conn *net.UnixConn, handlers map[string]wire.Handler) {
	peer, err := credentials(conn)
	if err == nil {
		err = admit(peer, s.Group)
	}
	if err != nil {
		s.Log.Error("connection refused", "err", err)
		_ = conn.Close()
		return
	}
	if err := wire.Serve(ctx, conn, s.Build, handlers); err != nil {
		s.Log.Info("connection ended", "err", err)
	}
}
