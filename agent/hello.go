package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"golang.org/x/sys/unix"

	"icm/internal/wire"
)

// helloLimit bounds hello: it is asked again and again while an agent is new.
const helloLimit = 2 * time.Second

// hello prints the build and the process of the agent that answers at the
// socket. The watcher of updates reads it; see the controller's switch.sh.
func hello(ctx context.Context, w world) error {
	conn, err := connect(ctx, w.socket(), helloLimit)
	if err != nil {
		return err
	}
	pid, err := listener(conn)
	if err == nil {
		err = conn.SetDeadline(time.Now().Add(helloLimit))
	}
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	client, err := wire.NewClient(conn, build)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w.Out, "%s %d\n", client.Peer().Build, pid)
	return errors.Join(err, client.Close())
}

// listener is the process that listens at the other end.
func listener(conn *net.UnixConn) (int32, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Ucred
	var credErr error
	err = raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err := errors.Join(err, credErr); err != nil {
		return 0, fmt.Errorf("cannot find out who listens: %w", err)
	}
	return cred.Pid, nil
}
