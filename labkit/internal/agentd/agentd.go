// Package agentd is ISCAgent's stand-in: it tells mirror members how the
// instances of its machine are, and is an arbiter where it is told to be one.
package agentd

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"icm/labkit/internal/control"
	"icm/labkit/internal/registry"
	"icm/labkit/internal/store"
)

// Conf is the agent's configuration file.
const Conf = "/etc/iscagent/iscagent.conf"

// Question is one line of JSON, and so is the Answer.
type Question struct {
	Op       string // version, instance, beat, claim
	Instance string
	// What follows is for an arbiter.
	Mirror, System string
	Epoch          store.Epoch
	Next           store.Epoch // of a claim: the reign that is to begin
	Active         []string
	Quiet          time.Duration // how long a primary may be silent
}

// Answer is what the agent knows.
type Answer struct {
	Version string
	Status  string
	Port    string // super-server port of a running instance
	Mirror  control.Mirror
	Why     string // of a refusal
	Epoch   store.Epoch
	Primary string
}

// Port is the port of this machine's agent.
func Port() int {
	if n, err := strconv.Atoi(setting("application_server.port")); err == nil {
		return n
	}
	return 2188
}

func setting(name string) string {
	data, err := os.ReadFile(Conf)
	if err != nil {
		return ""
	}
	for _, l := range strings.Split(string(data), "\n") {
		if k, v, ok := strings.Cut(l, "="); ok && strings.TrimSpace(k) == name {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// Version is the version of the agent installed here.
func Version() string {
	data, err := os.ReadFile(filepath.Join(registry.Dir(), "ISCAgent.version"))
	if err != nil {
		return "0"
	}
	return strings.TrimSpace(string(data))
}

// Ask asks an agent over a connection that dial opens.
func Ask(dial func(addr string, limit time.Duration) (net.Conn, error), addr string, q Question) (Answer, error) {
	c, err := dial(addr, time.Second)
	if err != nil {
		return Answer{}, err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(2 * time.Second))
	if err := json.NewEncoder(c).Encode(q); err != nil {
		return Answer{}, err
	}
	var a Answer
	err = json.NewDecoder(c).Decode(&a)
	return a, err
}

// Agent is one agent: of this machine, or one of several in a test.
type Agent struct {
	Registry string // directory of the instances it knows
	Version  string
	arbiter  arbiter
}

// Run serves at the configured address until ctx is cancelled.
func Run(ctx context.Context) error {
	l, err := net.Listen("tcp", net.JoinHostPort(setting("application_server.interface_address"), strconv.Itoa(Port())))
	if err != nil {
		return fmt.Errorf("cannot start agent: %w", err)
	}
	fmt.Printf("ISCAgent[%d]: Starting\n", os.Getpid())
	fmt.Printf("ISCAgent[%d]: Starting ApplicationServer on *:%d\n", os.Getpid(), Port())
	return (&Agent{Registry: registry.Dir()}).Serve(ctx, l)
}

// Serve answers on l until ctx is cancelled.
func (a *Agent) Serve(ctx context.Context, l net.Listener) error {
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	for {
		c, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		go a.talk(c)
	}
}

func (a *Agent) talk(c net.Conn) {
	defer c.Close()
	c.SetDeadline(time.Now().Add(5 * time.Second))
	var q Question
	if json.NewDecoder(c).Decode(&q) == nil {
		json.NewEncoder(c).Encode(a.answer(q))
	}
}

func (a *Agent) answer(q Question) Answer {
	out := Answer{Version: a.Version}
	if out.Version == "" {
		out.Version = Version()
	}
	switch q.Op {
	case "instance":
		out.Status = "unknown"
		if inst, found, err := registry.Find(a.Registry, q.Instance); err == nil && found {
			s := control.Look(inst.Mgr())
			out.Status, out.Port, out.Mirror = s.Status, s.SuperServer, control.LoadMirror(inst.Mgr())
		}
	case "beat":
		a.arbiter.beat(q, &out)
	case "claim":
		a.arbiter.claim(q, &out)
	}
	return out
}
