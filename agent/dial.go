package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"time"
)

// How long dial waits for the socket, such as just after the service was
// started, and how often it looks.
const (
	dialWait  = 10 * time.Second
	dialPause = 50 * time.Millisecond
)

// dial joins standard input and output to the agent's socket. It writes
// nothing of its own: the marker comes from the service.
func dial(ctx context.Context, w world) error {
	conn, err := connect(ctx, w.socket(), dialWait)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	go func() {
		_, _ = io.Copy(conn, w.In) // its end is told below; an error ends both ways
		_ = conn.CloseWrite()
	}()
	if _, err := io.Copy(w.Out, conn); err != nil && ctx.Err() == nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("the connection to the agent broke: %w", err)
	}
	return nil
}

// connect dials the socket until it is there, for a bounded time.
func connect(ctx context.Context, socket string, limit time.Duration) (*net.UnixConn, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(dialPause)
	defer tick.Stop()
	var last error // not what running out of time looks like
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
		if err == nil {
			return conn.(*net.UnixConn), nil
		}
		if errors.Is(err, fs.ErrPermission) {
			return nil, fmt.Errorf("the agent's service does not let this user in: %w", err) // waiting never helps
		}
		if timeout := net.Error(nil); last == nil || !errors.As(err, &timeout) || !timeout.Timeout() {
			last = err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("the agent's service does not answer at %s, after %s: %w", socket, limit, last)
		}
	}
}
