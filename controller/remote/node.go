package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	"icm/internal/wire"
)

// ConnectOptions say how patient a connection to a node is.
type ConnectOptions struct {
	// Wait is for the first login.
	Wait Wait
	// Again is for coming back after the line broke; its For is 15 minutes when
	// 0, which lasts for a reboot of a big machine.
	Again Wait
}

// Node is a node with its agent. It is safe for use by many goroutines.
type Node struct {
	dialer *Dialer
	target Target
	ours   string // build of this icm
	again  Wait
	// mending is held by whoever reconnects. It is not mu: that would keep
	// everybody else, Close too, waiting as long.
	mending chan struct{}

	mu      sync.Mutex
	conn    *Conn
	agent   *wire.Client
	outcome Outcome
	closed  bool
}

// Connect logs in and bootstraps.
func (d *Dialer) Connect(ctx context.Context, t Target, src AgentSource, opts ConnectOptions) (*Node, error) {
	conn, err := d.DialUntilUp(ctx, t, opts.Wait)
	if err != nil {
		return nil, err
	}
	agent, outcome, err := Bootstrap(ctx, conn, src)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	opts.Again.For = orDefault(opts.Again.For, 15*time.Minute)
	return &Node{dialer: d, target: t, ours: src.Build(), again: opts.Again,
		mending: make(chan struct{}, 1), conn: conn, agent: agent, outcome: outcome}, nil
}

// Agent is the agent as connected now; after a break Call and Follow connect
// again, and Agent is another one.
func (n *Node) Agent() *wire.Client {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.agent
}

// Conn is the SSH connection as it is now.
func (n *Node) Conn() *Conn {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.conn
}

// Outcome is what the bootstrap did.
func (n *Node) Outcome() Outcome { return n.outcome }

// Run runs a command; see [Conn.Run].
func (n *Node) Run(ctx context.Context, cmd Cmd) (Result, error) { return n.Conn().Run(ctx, cmd) }

// Copy copies files; see [Conn.Copy].
func (n *Node) Copy(ctx context.Context, cp Copy) error { return n.Conn().Copy(ctx, cp) }

// Close ends the connection. The agent goes on with what it does.
func (n *Node) Close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed = true
	return errors.Join(n.agent.Close(), n.conn.Close())
}

// Call calls a method of the agent. A line that is known to be broken is
// mended first; a call whose line breaks under it is not repeated, because
// not every method may be.
func (n *Node) Call(ctx context.Context, method string, req, reply any) error {
	agent := n.Agent()
	if agent.Err() != nil {
		var err error
		if agent, err = n.reconnect(ctx, agent); err != nil {
			return err
		}
	}
	return n.sort(agent, agent.Call(ctx, method, req, reply))
}

// sort makes a broken line ErrLost.
func (n *Node) sort(agent *wire.Client, err error) error {
	var said *wire.Error
	if err == nil || agent.Err() == nil || errors.As(err, &said) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrLost, err)
}

// PutFile streams size bytes of r to the agent's store, on a session of its
// own so that calls are not held up. The agent checks the checksum.
func (n *Node) PutFile(ctx context.Context, name string, r io.Reader, size int64, sha256 string) error {
	var said tail
	res, err := n.Run(ctx, Cmd{Line: putFileCommand(n.target.User, name, size, sha256), Stdin: r, Stderr: &said})
	if err == nil && res.Exit != 0 {
		err = errors.New(lastLine(said.String(), fmt.Sprintf("the agent ended with status %d", res.Exit)))
	}
	if err != nil {
		return fmt.Errorf("cannot send %s: %w", name, err)
	}
	return nil
}

func putFileCommand(user, name string, size int64, sha256 string) string {
	return asRoot(user) + QuoteArgs(wire.AgentLib+"/current/icm-agent", "put", name, strconv.FormatInt(size, 10), sha256)
}
