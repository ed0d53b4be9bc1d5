package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// Options are what all connections of a [Dialer] share. The zero value is
// good; the times are there for tests.
type Options struct {
	// Parallel bounds the handshakes under way at once; 0 is 48. One costs 3 ms
	// of CPU here and 40 ms of waiting there, so width hides the waiting.
	Parallel int
	// ConnectTimeout bounds the TCP connection; 0 is 10 s.
	ConnectTimeout time.Duration
	// HandshakeTimeout bounds key exchange and login; 0 is 30 s, because PAM
	// and name services of a starting node can be slow.
	HandshakeTimeout time.Duration
	// KeepAlive is how long a connection may be silent before it is asked
	// whether it is still there; 0 is 5 s. See keepalive.go.
	KeepAlive time.Duration
	// FirstContact is told, aloud, when a host key was accepted without
	// anything to check it against. It may be called from many goroutines.
	FirstContact func(machine, fingerprint string)
	// Passphrase is asked once per encrypted key file.
	Passphrase Passphrase
	// AgentSocket is SSH_AUTH_SOCK, used for targets without a key; "" is none.
	AgentSocket string
}

// Dialer makes connections. It is safe for use by many goroutines.
type Dialer struct {
	opts  Options
	slots chan struct{}

	mu    sync.Mutex
	keys  map[string]ssh.Signer // by file
	jumps map[string]*jump      // by user@host:port
}

// NewDialer returns a Dialer.
func NewDialer(opts Options) *Dialer {
	if opts.Parallel <= 0 {
		opts.Parallel = 48
	}
	opts.ConnectTimeout = orDefault(opts.ConnectTimeout, 10*time.Second)
	opts.HandshakeTimeout = orDefault(opts.HandshakeTimeout, 30*time.Second)
	opts.KeepAlive = orDefault(opts.KeepAlive, 5*time.Second)
	return &Dialer{
		opts:  opts,
		slots: make(chan struct{}, opts.Parallel),
		keys:  map[string]ssh.Signer{},
		jumps: map[string]*jump{},
	}
}

func orDefault(d, def time.Duration) time.Duration {
	if d <= 0 {
		return def
	}
	return d
}

// Dial connects and logs in. Its errors are those of errors.go.
func (d *Dialer) Dial(ctx context.Context, t Target) (*Conn, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	methods, closeAgent, err := d.auth(t)
	if err != nil {
		return nil, err
	}
	defer closeAgent()
	raw, release, err := d.connect(ctx, t)
	if err != nil {
		return nil, err
	}
	conn, err := d.login(ctx, t, raw, methods)
	if err != nil {
		_ = raw.Close() // the login's error is the one that matters
		release()
		return nil, err
	}
	conn.watch(d.opts.KeepAlive, release)
	return conn, nil
}

// connect opens the byte stream to the node's sshd, through the bastion if
// there is one. release gives the bastion back.
func (d *Dialer) connect(ctx context.Context, t Target) (raw net.Conn, release func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, d.opts.ConnectTimeout)
	defer cancel()
	if t.Bastion != nil {
		return d.connectThrough(ctx, t)
	}
	raw, err = (&net.Dialer{}).DialContext(ctx, "tcp", t.hostPort())
	if err != nil {
		if errors.Is(ctx.Err(), context.Canceled) {
			return nil, nil, context.Canceled
		}
		return nil, nil, sortConnect(t.hostPort(), err)
	}
	return raw, func() {}, nil
}

// login runs the SSH handshake and pins the host key.
func (d *Dialer) login(ctx context.Context, t Target, raw net.Conn, methods []ssh.AuthMethod) (*Conn, error) {
	select {
	case d.slots <- struct{}{}:
		defer func() { <-d.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	check := newHostKeyCheck(t)
	banner := &banner{}
	watched := &watchedConn{Conn: raw}
	client, err := handshake(ctx, watched, t, d.opts.HandshakeTimeout, &ssh.ClientConfig{
		User:              t.User,
		Auth:              methods,
		HostKeyCallback:   check.callback,
		HostKeyAlgorithms: check.algorithms(),
		BannerCallback:    banner.keep,
		ClientVersion:     "SSH-2.0-icm",
	})
	switch {
	case check.refused != nil: // x/crypto does not always hand it through
		return nil, check.refused
	case err != nil && banner.saysBooting():
		return nil, fmt.Errorf("%w: the node is still booting", ErrRefused)
	case err != nil:
		return nil, sortHandshake(t, check.seen != nil, err)
	}
	if err := check.settle(d.opts.FirstContact); err != nil {
		return nil, errors.Join(err, client.Close())
	}
	return &Conn{client: client, raw: watched, target: t, lost: make(chan struct{})}, nil
}

func handshake(ctx context.Context, raw net.Conn, t Target, limit time.Duration, config *ssh.ClientConfig) (*ssh.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	// Closing works on every kind of stream; deadlines do not on one that goes
	// through a bastion.
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
	cc, chans, reqs, err := ssh.NewClientConn(raw, t.hostPort(), config)
	if !stop() {
		err = errors.Join(ctx.Err(), err)
	}
	if err != nil {
		return nil, err
	}
	return ssh.NewClient(cc, chans, reqs), nil
}

// banner keeps the beginning of what sshd said before the login.
type banner struct{ text string }

func (b *banner) keep(text string) error {
	if room := 1024 - len(b.text); room > 0 {
		b.text += text[:min(room, len(text))]
	}
	return nil
}

// saysBooting knows what pam_nologin says while systemd is still starting.
func (b *banner) saysBooting() bool {
	return strings.Contains(b.text, "not permitted to log in yet") || strings.Contains(b.text, "System is booting up")
}
