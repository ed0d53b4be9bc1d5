package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"golang.org/x/crypto/ssh"

	"icm/internal/hint"
)

// jump is one connection to a bastion, shared by all nodes behind it: two
// hundred logins at once would run into its MaxStartups.
type jump struct {
	users int           // guarded by Dialer.mu
	ready chan struct{} // closed when conn or err is set
	conn  *Conn
	err   error
}

func (d *Dialer) connectThrough(ctx context.Context, t Target) (net.Conn, func(), error) {
	via, release, err := d.bastion(ctx, *t.Bastion)
	if err != nil {
		return nil, nil, fmt.Errorf("bastion %s: %w", t.Bastion.Addr, err)
	}
	raw, err := via.client.DialContext(ctx, "tcp", t.hostPort())
	if err == nil {
		return raw, release, nil
	}
	release()
	return nil, nil, sortTunnel(ctx, t, err)
}

// bastion returns a live connection to b, and what gives it back.
func (d *Dialer) bastion(ctx context.Context, b Target) (*Conn, func(), error) {
	key := b.User + "@" + b.hostPort()
	for {
		j, mine := d.takeJump(key)
		if mine {
			j.conn, j.err = d.Dial(ctx, b)
			close(j.ready)
		}
		release := func() { d.dropJump(key, j) }
		select {
		case <-j.ready:
		case <-ctx.Done():
			release()
			return nil, nil, sortConnect(b.hostPort(), ctx.Err())
		}
		if j.err == nil && j.conn.Err() == nil {
			return j.conn, release, nil
		}
		d.forgetJump(key, j)
		release()
		// Whoever dialed may have been cancelled, or the line have broken since;
		// neither is our error.
		if mine || j.err != nil && !errors.Is(j.err, context.Canceled) {
			return nil, nil, errors.Join(j.err, ctx.Err())
		}
	}
}

func (d *Dialer) takeJump(key string) (j *jump, mine bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	j = d.jumps[key]
	if j == nil {
		j, mine = &jump{ready: make(chan struct{})}, true
		d.jumps[key] = j
	}
	j.users++
	return j, mine
}

// forgetJump makes the next caller dial anew.
func (d *Dialer) forgetJump(key string, j *jump) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.jumps[key] == j {
		delete(d.jumps, key)
	}
}

// dropJump closes the connection with its last user.
func (d *Dialer) dropJump(key string, j *jump) {
	d.mu.Lock()
	j.users--
	last := j.users == 0
	if last && d.jumps[key] == j {
		delete(d.jumps, key)
	}
	d.mu.Unlock()
	if !last {
		return
	}
	<-j.ready
	if j.conn != nil {
		_ = j.conn.Close() // nobody uses it any more
	}
}

// sortTunnel sorts why the bastion did not open a stream to the node.
func sortTunnel(ctx context.Context, t Target, err error) error {
	var refused *ssh.OpenChannelError
	through := fmt.Sprintf("%s through bastion %s", t.hostPort(), t.Bastion.Addr)
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return context.Canceled
	case errors.As(err, &refused) && refused.Reason == ssh.Prohibited:
		return hint.New(fmt.Errorf("%w: bastion %s does not let us through", ErrProtocol, t.Bastion.Addr),
			"set AllowTcpForwarding yes in the bastion's sshd_config")
	case errors.As(err, &refused) && strings.Contains(strings.ToLower(refused.Message), "refused"):
		return hint.New(fmt.Errorf("%w: nothing listens at %s", ErrRefused, through),
			"the node may still be starting; otherwise start sshd there")
	default:
		return hint.New(fmt.Errorf("%w: %s: %v", ErrUnreachable, through, rootCause(err)),
			"check that the bastion reaches the node's address")
	}
}
