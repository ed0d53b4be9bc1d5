package remote

import (
	"context"
	"errors"
	"fmt"

	"github.com/vmihailenco/msgpack/v5"

	"icm/internal/wire"
)

// Follow hands on what the agent says of a change, events from after a number
// on, until the change has ended. When the line breaks it comes back and asks
// for what it has not seen, for as long as ConnectOptions.Again says; no event
// is handed on twice. An error of item ends it.
func (n *Node) Follow(ctx context.Context, change string, after uint64, item func(wire.Item) error) error {
	f := &following{last: after, item: item}
	agent := n.Agent()
	for {
		err := agent.Stream(ctx, wire.MethodEvents,
			wire.EventsRequest{After: f.last, Change: change, Follow: true}, f.take, &wire.EventsReply{})
		err = n.sort(agent, err)
		if f.refused != nil {
			return f.refused
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !errors.Is(err, ErrLost) {
			return err
		}
		if agent, err = n.reconnect(ctx, agent); err != nil {
			return err
		}
	}
}

type following struct {
	last    uint64
	item    func(wire.Item) error
	refused error // item's own
}

func (f *following) take(body msgpack.RawMessage) error {
	var it wire.Item
	if err := wire.Decode(body, &it); err != nil {
		f.refused = err // an item that cannot be read will not get better
		return err
	}
	if it.Event != nil {
		if it.Event.Seq <= f.last {
			return nil
		}
		f.last = it.Event.Seq
	}
	f.refused = f.item(it)
	return f.refused
}

// reconnect replaces a dead agent connection, and the SSH connection below it
// if that is dead too. Whoever comes second finds it done.
func (n *Node) reconnect(ctx context.Context, dead *wire.Client) (*wire.Client, error) {
	select {
	case n.mending <- struct{}{}:
		defer func() { <-n.mending }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if agent := n.Agent(); agent != dead {
		return agent, nil
	}
	return retry(ctx, n.again, "the agent answers again", n.attach)
}

// attach connects to the agent that runs, of whatever build, and never puts another one there: a
// change may be under way.
func (n *Node) attach(ctx context.Context) (*wire.Client, error) {
	conn := n.Conn()
	if conn.Err() != nil {
		var err error
		if conn, err = n.dialer.Dial(ctx, n.target); err != nil {
			return nil, err
		}
		if err := n.replace(conn, nil); err != nil {
			return nil, err
		}
	}
	agent, st, err := conn.probe(ctx, n.outcome.Build, n.ours)
	if err == nil && agent == nil && st.Active && st.Oldest <= wire.Version && st.Newest >= wire.OldestVersion {
		// Another icm replaced it meanwhile. The change goes on in that one.
		agent, _, err = conn.probe(ctx, st.Build, n.ours)
	}
	switch {
	case err == nil && agent != nil:
		return agent, n.replace(conn, agent)
	case err == nil:
		// systemd starts it again in seconds.
		return nil, fmt.Errorf("%w: the agent does not run", ErrLost)
	case errors.Is(err, errNoAnswer):
		return nil, fmt.Errorf("%w: %w", ErrLost, err)
	}
	return nil, err
}

// replace takes over a new connection, and a new agent if there is one, unless
// the node was closed meanwhile.
func (n *Node) replace(conn *Conn, agent *wire.Client) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return errors.Join(fmt.Errorf("%w: closed by icm", context.Canceled), conn.Close())
	}
	n.conn = conn
	if agent != nil {
		n.agent = agent
	}
	return nil
}
