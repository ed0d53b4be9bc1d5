package remote

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// Conn is an open SSH connection to a node. It is safe for use by many
// goroutines.
type Conn struct {
	client *ssh.Client
	raw    *watchedConn
	target Target

	lost chan struct{} // closed when the connection has ended
	mu   sync.Mutex
	why  error // why it ended; set before lost is closed
}

// Target is what was dialed.
func (c *Conn) Target() Target { return c.target }

// Done is closed when the connection has ended.
func (c *Conn) Done() <-chan struct{} { return c.lost }

// Err is why the connection ended, ErrLost with the reason, or nil while it
// has not.
func (c *Conn) Err() error {
	select {
	case <-c.lost:
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.why
	default:
		return nil
	}
}

// Close ends the connection and everything on it.
func (c *Conn) Close() error {
	c.end(fmt.Errorf("%w: closed by icm", ErrLost))
	err := c.client.Close()
	<-c.lost
	if errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// end remembers the first reason.
func (c *Conn) end(why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.why == nil {
		c.why = why
	}
}

// watch notices the end of the connection, gives the bastion back, and asks a
// silent peer whether it is still there.
func (c *Conn) watch(every time.Duration, release func()) {
	go func() {
		err := c.client.Wait()
		if err == nil {
			err = io.EOF
		}
		c.end(fmt.Errorf("%w: %v", ErrLost, err))
		close(c.lost)
		release()
	}()
	go c.keepAlive(every)
}

// keepAlive asks after `every` of silence, and gives the peer twice that to
// answer: a dead one is noticed after 15 s at the default, an idle one costs
// one small packet in 5 s.
func (c *Conn) keepAlive(every time.Duration) {
	timer := time.NewTimer(every)
	defer timer.Stop()
	for {
		select {
		case <-c.lost:
			return
		case <-timer.C:
		}
		if quiet := c.raw.quiet(); quiet < every {
			timer.Reset(every - quiet)
			continue
		}
		c.ask(2 * every)
		timer.Reset(every)
	}
}

func (c *Conn) ask(limit time.Duration) {
	dead := time.AfterFunc(limit, func() {
		c.end(fmt.Errorf("%w: no sign of life for %s", ErrLost, c.raw.quiet().Round(time.Millisecond)))
		// Not c.client.Close: it would wait to say goodbye to the dead.
		_ = c.raw.Close()
	})
	defer dead.Stop()
	// A server need not know the request; its refusal is a sign of life too.
	_, _, _ = c.client.SendRequest("keepalive@openssh.com", true, nil)
}
