package monitor

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"icm/agent/host"
	"icm/agent/unit"
	"icm/internal/wire"
)

// How often the agent looks by itself, and how long one round and one check of
// it may take.
const (
	every      = time.Minute
	roundLimit = 2 * time.Minute
	checkLimit = 45 * time.Second
)

// Engine is what the monitor asks of the engine.
type Engine interface {
	// WhileIdle is a context that ends when a change begins.
	WhileIdle(ctx context.Context) (idleCtx context.Context, stop func(), idle bool)
	Changes(ctx context.Context, id string) ([]wire.ChangeState, error)
	Look(ctx context.Context, tasks []wire.Task) ([]wire.Look, error)
	Busy() string
	Deployment() string
	Membership() (*wire.Membership, error)
}

// Instances is what the monitor asks of IRIS. *iris.Node is one.
type Instances interface {
	List(ctx context.Context) ([]wire.Instance, error)
	MirrorState(ctx context.Context, in wire.Instance) (wire.MirrorState, error)
}

// Units is what the monitor asks of systemd. *unit.Manager is one.
type Units interface {
	Status(ctx context.Context, name string) (unit.Status, error)
	Failed(ctx context.Context) ([]string, error)
}

// Monitor watches one node. New makes one; its fields are set before Run.
type Monitor struct {
	Root string // "/" on a node
	Home string // the agent's directory, where it keeps what it found

	Engine Engine
	IRIS   Instances
	Units  Units
	Log    *slog.Logger
	// Now is the node's clock, Usage how full the file system of a path is.
	Now   func() time.Time
	Usage func(path string) (Usage, error)
	// Every is how often it looks by itself.
	Every time.Duration

	round   sync.Mutex // held while it looks
	mu      sync.Mutex // guards mem and pending
	mem     memory
	pending []wire.Task // see Settled
}

// New makes the monitor of this node.
func New(root, home string, e Engine, iris Instances, log *slog.Logger) *Monitor {
	m := &Monitor{
		Root: root, Home: home, Engine: e, IRIS: iris, Units: unit.New(root), Log: log,
		Now: time.Now, Usage: usageOf, Every: every,
	}
	m.recall()
	return m
}

// Run looks again and again until ctx ends. No error ends it.
func (m *Monitor) Run(ctx context.Context) error {
	tick := time.NewTicker(m.Every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			m.look(ctx)
		case <-ctx.Done():
			return nil
		}
	}
}

// recall reads what was found before the agent was started again. What cannot
// be read is begun anew: it is no more than history.
func (m *Monitor) recall() {
	m.mu.Lock()
	defer m.mu.Unlock()
	mem, err := readMemory(m.Home)
	if err != nil {
		m.Log.Error("what the monitor found before is lost", "err", err)
	}
	m.mem = mem
}

// Health answers what ails the node.
func (m *Monitor) Health(ctx context.Context, req wire.HealthRequest) (wire.HealthReply, error) {
	if req.Seen {
		m.seen()
	}
	if old := m.age(); req.Seen || old < 0 || old >= time.Duration(req.MaxAge)*time.Second {
		m.look(ctx)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	reply := wire.HealthReply{Now: m.Now().UTC(), At: m.mem.At, Busy: m.Engine.Busy()}
	reply.Findings = m.mem.open()
	if req.Past {
		reply.Past = m.mem.Past
	}
	return reply, nil
}

// age is how long ago it looked, negative when it never did.
func (m *Monitor) age() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.mem.At.IsZero() {
		return -1
	}
	return max(0, m.Now().Sub(m.mem.At)) // a clock that was set back makes nothing young
}

// look makes one round, unless a change is running. Findings of a round that a
// change cut off are dropped.
func (m *Monitor) look(ctx context.Context) {
	m.round.Lock()
	defer m.round.Unlock()
	ctx, stop, idle := m.Engine.WhileIdle(ctx)
	defer stop()
	if !idle {
		return
	}
	limited, cancel := context.WithTimeoutCause(ctx, roundLimit, fmt.Errorf("the round did not end within %s", roundLimit))
	defer cancel()
	m.mu.Lock()
	v := &view{Monitor: m, mem: m.mem.clone(), now: m.Now().UTC(), pending: m.pending}
	m.pending = nil
	m.mu.Unlock()
	v.prepare(limited)
	for _, c := range checks() {
		v.run(limited, c)
	}
	if ctx.Err() != nil {
		return
	}
	v.settle()
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := v.mem.save(m.Home, m.mem); err != nil {
		m.Log.Error("cannot keep what the monitor found", "err", err)
	}
	m.mem = v.mem
}

// Usage is how full a file system is, in bytes and in files. What only root may
// use, or a quota keeps back, is in neither size nor free, as df has it.
type Usage struct {
	Size, Free         int64
	Inodes, InodesFree int64
}

func usageOf(path string) (Usage, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return Usage{}, err
	}
	return Usage{
		Size: int64(st.Blocks-st.Bfree+st.Bavail) * st.Bsize, Free: int64(st.Bavail) * st.Bsize,
		Inodes: int64(st.Files), InodesFree: int64(st.Ffree),
	}, nil
}

func (m *Monitor) mounts() ([]host.Mount, error) {
	return host.Blocks{Proc: m.path("/proc")}.Mounts()
}
