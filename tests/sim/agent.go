package sim

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/vmihailenco/msgpack/v5"

	"icm/agent/engine"
	"icm/agent/server"
	"icm/controller/remote"
	"icm/internal/wire"
)

// Agent is the real engine and server of an agent, on a machine that is
// simulated. It can be stopped and started again, as by systemd.
type Agent struct {
	Machine *Machine
	dir     string // of the journal

	mu     sync.Mutex
	broken string // method under whose next call the line breaks
	addr   string // of its socket, "" while it is stopped
	stop   context.CancelFunc
	ended  chan error
}

// NewAgent makes an agent, stopped, whose journal is in dir.
func NewAgent(m *Machine, dir string) *Agent { return &Agent{Machine: m, dir: dir} }

// Start starts the agent. It goes on with the change it was at.
func (a *Agent) Start() error {
	log := slog.New(slog.DiscardHandler)
	eng, err := engine.OpenWith(a.dir, a.Machine.Kinds(), log, engine.Options{Planned: true})
	if err != nil {
		return err
	}
	// An abstract address needs no file, and ends with its listener.
	l, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: "@icm-sim-" + rand.Text()})
	if err != nil {
		return errors.Join(err, eng.Close())
	}
	ctx, stop := context.WithCancel(context.Background())
	srv := server.Server{
		Build: "sim", Engine: eng, Log: log, Group: os.Getgid(),
		Node: server.Node{Facts: a.Machine.facts, Check: a.Machine.check, Instances: a.Machine.instances, Session: a.Machine.session, Health: a.Machine.health, Survey: a.Machine.survey},
	}
	ended := make(chan error, 1)
	go func() {
		served := make(chan error, 1)
		go func() { served <- srv.Serve(ctx, l) }()
		err := eng.Run(ctx)
		ended <- errors.Join(err, <-served, eng.Close())
	}()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.addr, a.stop, a.ended = l.Addr().String(), stop, ended
	return nil
}

// Stop stops the agent in the middle of whatever it does. The machine and the
// journal stay.
func (a *Agent) Stop() error {
	a.mu.Lock()
	stop, ended := a.stop, a.ended
	a.addr, a.stop, a.ended = "", nil, nil
	a.mu.Unlock()
	if stop == nil {
		return nil
	}
	stop()
	return <-ended
}

func (a *Agent) dial() (*wire.Client, error) {
	a.mu.Lock()
	addr := a.addr
	a.mu.Unlock()
	if addr == "" {
		return nil, fmt.Errorf("%w: the agent does not run", remote.ErrLost)
	}
	conn, err := net.Dial("unix", addr)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", remote.ErrLost, err)
	}
	return wire.NewClient(conn, "test")
}

// Line is a connection to an agent that behaves as remote.Node does: a broken
// one is mended before the next call, and Follow goes on where it was.
type Line struct {
	// Dial makes a connection. An error that is no remote.ErrLost ends the
	// attempts.
	Dial func() (*wire.Client, error)

	cut  func(method string) bool // whether the line breaks under this call
	mu   sync.Mutex
	wire *wire.Client
}

// mendLimit bounds how long an agent may be away.
const mendLimit = 10 * time.Second

func (l *Line) client(ctx context.Context) (*wire.Client, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for deadline := time.Now().Add(mendLimit); l.wire == nil || l.wire.Err() != nil; {
		c, err := l.Dial()
		if err == nil {
			l.wire = c
			break
		}
		if !errors.Is(err, remote.ErrLost) || time.Now().After(deadline) {
			return nil, err
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return l.wire, nil
}

// Call implements deploy.Node.
func (l *Line) Call(ctx context.Context, method string, req, reply any) error {
	c, err := l.client(ctx)
	if err != nil {
		return err
	}
	err = c.Call(ctx, method, req, reply)
	if err == nil && l.cut != nil && l.cut(method) {
		_ = c.Close() // before the answer came
		err = fmt.Errorf("the line broke")
	}
	return lost(c, err)
}

// Break lets the line break under the next call of a method, after the agent
// did what it was asked.
func (a *Agent) Break(method string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.broken = method
}

func (a *Agent) breaks(method string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.broken != method {
		return false
	}
	a.broken = ""
	return true
}

func lost(c *wire.Client, err error) error {
	var said *wire.Error
	if err == nil || c.Err() == nil || errors.As(err, &said) {
		return err
	}
	return fmt.Errorf("%w: %w", remote.ErrLost, err)
}

// Follow implements deploy.Node.
func (l *Line) Follow(ctx context.Context, change string, after uint64, item func(wire.Item) error) error {
	for {
		c, err := l.client(ctx)
		if err != nil {
			return err
		}
		var stop error // of item
		err = c.Stream(ctx, wire.MethodEvents, wire.EventsRequest{After: after, Change: change, Follow: true}, func(body msgpack.RawMessage) error {
			var it wire.Item
			if stop = wire.Decode(body, &it); stop == nil {
				if it.Event != nil {
					after = it.Event.Seq
				}
				stop = item(it)
			}
			return stop
		}, &wire.EventsReply{})
		// An agent that is told to stop ends its calls before the connection.
		if err == nil || stop != nil || ctx.Err() != nil || !ending(c, err) {
			return errors.Join(stop, err)
		}
		_ = c.Close() // it is given up
	}
}

func ending(c *wire.Client, err error) bool {
	var said *wire.Error
	if errors.As(err, &said) {
		return said.Code == wire.CodeCancelled
	}
	return c.Err() != nil
}

// Close implements deploy.Node.
func (l *Line) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.wire == nil {
		return nil
	}
	return l.wire.Close()
}
