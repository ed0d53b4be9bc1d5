package swarm

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"
)

// unsent is how much a connection may hold that has not left yet, in bytes: what
// is asked of somebody else meanwhile should not come anyway.
const unsent = 256 << 10

// tcpNotsentLowat is TCP_NOTSENT_LOWAT, which package syscall does not name.
const tcpNotsentLowat = 25

// quicken sets what a connection of ours wants of TCP. Without it all works
// too.
func quicken(conn net.Conn) {
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpNotsentLowat, unsent)
	})
}

// dial connects to a peer for a transfer.
func dial(ctx context.Context, conf *tls.Config, to Peer, digest Sum) (net.Conn, *bufio.Reader, error) {
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", to.Addr)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot be reached: %w", err)
	}
	return shake(ctx, raw, conf, to, digest)
}

// shake makes a connection of ours from any stream that leads to a peer.
func shake(ctx context.Context, raw net.Conn, conf *tls.Config, to Peer, digest Sum) (net.Conn, *bufio.Reader, error) {
	quicken(raw)
	conf = conf.Clone()
	conf.ServerName = to.Name
	conn := tls.Client(raw, conf)
	in := bufio.NewReaderSize(conn, inBuffer)
	err := conn.HandshakeContext(ctx)
	if err == nil {
		_, err = conn.Write(helloFrame(digest))
	}
	if err == nil {
		deadline, _ := ctx.Deadline()
		if deadline.IsZero() {
			deadline = time.Now().Add(greetLimit)
		}
		var said Sum
		said, err = readHello(conn, in, deadline)
		if err == nil && said != digest {
			err = errors.New("it answered for another file")
		}
	}
	if err != nil {
		_ = raw.Close()
		return nil, nil, explain(err)
	}
	return conn, in, nil
}

// Feed offers what a transfer has to a node, over a stream that leads to it,
// until the node has all, which is no error, or ctx or the stream ends.
func (t *Transfer) Feed(ctx context.Context, raw net.Conn, node string) error {
	limited, cancel := context.WithTimeout(ctx, t.opts.times.dial)
	conn, in, err := shake(limited, raw, t.tls, Peer{Name: node}, t.opts.Digest)
	cancel()
	if err != nil {
		return err
	}
	l := &link{conn: conn, in: in, name: node}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	err = t.run(l)
	if errors.Is(err, errComplete) {
		return nil
	}
	return err
}
