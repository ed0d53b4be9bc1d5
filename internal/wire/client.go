package wire

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/vmihailenco/msgpack/v5"
)

// cancelWait is how long a cancelled call may take to end.
const cancelWait = 10 * time.Second

// itemsAhead is how many items of one call may wait for their reader. When
// they are full the connection is not read, which slows the agent down, until
// itemWait has passed: then the call is given up for the sake of the others.
const (
	itemsAhead = 256
	itemWait   = 5 * time.Second
)

// errSlow is why a call was given up.
var errSlow = errors.New("items came faster than they were taken")

// errClosed is why calls fail after Close.
var errClosed = errors.New("the connection was closed")

// Client is the controller's end of a connection. Its methods may be called
// from any goroutine.
type Client struct {
	peer Hello
	out  *sender

	mu    sync.Mutex
	last  uint64
	calls map[uint64]*pending
}

// pending is a call that has not ended.
type pending struct {
	frames chan Frame    // items, then the reply or error
	gone   chan struct{} // closed when nobody reads frames any more
	slow   chan struct{} // closed when the reader took too long
}

// NewClient waits for the agent's marker and exchanges hellos. It owns rw from
// then on, and closes it when that fails. A peer without a common version is a
// *Error with CodeVersion. Where rw has no deadlines, closing it from outside
// is how a caller ends NewClient early.
func NewClient(rw io.ReadWriteCloser, build string) (*Client, error) {
	c := &Client{out: newSender(rw), calls: map[uint64]*pending{}}
	in := bufio.NewReaderSize(rw, 4<<10)
	timer := time.AfterFunc(helloTimeout, func() { c.out.close(errors.New("the agent did not answer in time")) })
	err := c.greet(in, build)
	if !timer.Stop() {
		<-c.out.done
		err = c.out.err
	}
	if err != nil {
		c.out.close(err)
		return nil, c.reason(err)
	}
	go c.read(in)
	return c, nil
}

// reason prefers why we closed to what reading from the closed stream said.
func (c *Client) reason(err error) error {
	<-c.out.done
	var e *Error
	if errors.As(err, &e) {
		return err
	}
	return c.out.err
}

func (c *Client) greet(in *bufio.Reader, build string) error {
	if err := skipGreeting(in); err != nil {
		return err
	}
	// Reading before writing: over a stream without buffers two sides that
	// both begin by writing would wait for each other.
	var err error
	if c.peer, err = readHello(in); err != nil {
		c.out.complain(err)
		return err
	}
	hello, err := helloFrame(build)
	if err != nil {
		return err
	}
	if err := c.out.send(context.Background(), hello); err != nil {
		return fmt.Errorf("cannot send the hello: %w", err)
	}
	return nil
}

// Peer is the agent's hello.
func (c *Client) Peer() Hello { return c.peer }

// Done is closed when the connection has ended; Err then says why.
func (c *Client) Done() <-chan struct{} { return c.out.done }

// Err says why the connection ended, or nil while it has not.
func (c *Client) Err() error {
	select {
	case <-c.out.done:
		return c.out.err
	default:
		return nil
	}
}

// Close ends the connection. Open calls fail.
func (c *Client) Close() error {
	c.out.close(errClosed)
	return nil
}

// Call makes a call and decodes its answer into reply. What the agent refused
// is a *Error. When ctx is cancelled the agent is asked to give the call up;
// Call returns when it has, or after ten seconds.
func (c *Client) Call(ctx context.Context, method string, req, reply any) error {
	return c.Stream(ctx, method, req, nil, reply)
}

// Stream is Call for a method that answers with items: onItem gets them in
// order, from this goroutine. An error of onItem ends the call and is
// returned. A slow onItem slows the whole connection down when many items
// wait; one that does long work must do it elsewhere.
func (c *Client) Stream(ctx context.Context, method string, req any, onItem func(msgpack.RawMessage) error, reply any) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	body, err := Encode(req)
	if err != nil {
		return err
	}
	ahead := 1 // the answer
	if onItem != nil {
		ahead = itemsAhead
	}
	id, p, err := c.begin(ahead)
	if err != nil {
		return err
	}
	defer c.end(id, p)
	if err := c.out.send(ctx, Frame{Kind: FrameCall, ID: id, Method: method, Body: body}); err != nil {
		return c.lost(method, err)
	}
	for {
		select {
		case f := <-p.frames:
			over, err := take(f, onItem, reply)
			if err == nil && !over {
				continue
			}
			if !over {
				c.giveUp(id, p)
			}
			return err
		case <-ctx.Done():
			c.giveUp(id, p)
			return ctx.Err()
		case <-p.slow:
			c.giveUp(id, p)
			return fmt.Errorf("cannot go on with %q: %w", method, errSlow)
		case <-c.out.done:
			return c.lastFrames(method, p, onItem, reply)
		}
	}
}

// lastFrames takes what arrived before the connection ended: an answer that
// was given counts.
func (c *Client) lastFrames(method string, p *pending, onItem func(msgpack.RawMessage) error, reply any) error {
	for {
		select {
		case f := <-p.frames:
			if over, err := take(f, onItem, reply); over || err != nil {
				return err
			}
		default:
			return c.lost(method, c.out.err)
		}
	}
}

func (c *Client) lost(method string, err error) error {
	return fmt.Errorf("the connection ended during %q: %w", method, err)
}

// take handles one frame of a call and reports whether it was the last.
func take(f Frame, onItem func(msgpack.RawMessage) error, reply any) (over bool, err error) {
	switch {
	case f.Kind == FrameError:
		return true, decodeError(f.Body)
	case f.Kind == FrameReply && reply == nil:
		return true, nil
	case f.Kind == FrameReply:
		return true, Decode(f.Body, reply)
	case onItem == nil:
		return false, errors.New("the agent sent items to a call that has none")
	}
	return false, onItem(f.Body)
}

// begin registers a call, for which that many frames may wait to be taken.
func (c *Client) begin(ahead int) (uint64, *pending, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.Err(); err != nil {
		return 0, nil, err
	}
	c.last++
	p := &pending{frames: make(chan Frame, ahead), gone: make(chan struct{}), slow: make(chan struct{})}
	c.calls[c.last] = p
	return c.last, p, nil
}

func (c *Client) end(id uint64, p *pending) {
	close(p.gone)
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.calls, id)
}

// giveUp asks the agent to end a call and waits, a bounded time, until it has.
func (c *Client) giveUp(id uint64, p *pending) {
	ctx, cancel := context.WithTimeout(context.Background(), cancelWait)
	defer cancel()
	if err := c.out.send(ctx, Frame{Kind: FrameCancel, ID: id}); err != nil {
		return // the connection is gone, and the call with it
	}
	for {
		select {
		case f := <-p.frames:
			if f.Kind != FrameItem {
				return
			}
		case <-p.slow:
			return // its frames are thrown away
		case <-ctx.Done():
			return
		case <-c.out.done:
			return
		}
	}
}

// read hands frames to their calls until the connection ends.
func (c *Client) read(in io.Reader) {
	for {
		f, err := ReadFrame(in)
		if err == nil {
			err = c.hand(f)
		}
		if errors.Is(err, io.EOF) {
			err = errors.New("the agent closed the connection")
		}
		if err != nil {
			c.out.close(err)
			return
		}
	}
}

func (c *Client) hand(f Frame) error {
	if f.Kind != FrameItem && f.Kind != FrameReply && f.Kind != FrameError {
		return fmt.Errorf("the agent sent a frame of kind %d", f.Kind)
	}
	if f.ID == 0 && f.Kind == FrameError {
		return decodeError(f.Body) // about the connection, not a call
	}
	c.mu.Lock()
	p := c.calls[f.ID]
	c.mu.Unlock()
	if p == nil {
		return nil // of a call that was given up
	}
	select {
	case p.frames <- f:
		return nil
	default:
	}
	c.handSlowly(p, f)
	return nil
}

// handSlowly waits for room, for a bounded time.
func (c *Client) handSlowly(p *pending, f Frame) {
	timer := time.NewTimer(itemWait)
	defer timer.Stop()
	select {
	case p.frames <- f:
	case <-p.gone:
	case <-c.out.done:
	case <-timer.C:
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.calls[f.ID] == p {
			delete(c.calls, f.ID)
			close(p.slow)
		}
	}
}
