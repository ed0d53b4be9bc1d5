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
)

// Conf is the agent's configuration file.
const Conf = "/etc/iscagent/iscagent.conf"

// Question is one line of JSON, and so is the Answer.
type Question struct {
	Op       string // version, instance, reachable
	Instance string
	Address  string
}

// Answer is what the agent knows.
type Answer struct {
	Version string
	Status  string
	Port    string // super-server port of a running instance
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

// Ask asks the agent at addr.
func Ask(addr string, q Question) (Answer, error) {
	c, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return Answer{}, err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(4 * time.Second))
	if err := json.NewEncoder(c).Encode(q); err != nil {
		return Answer{}, err
	}
	var a Answer
	err = json.NewDecoder(c).Decode(&a)
	return a, err
}

// Run serves until ctx is cancelled.
func Run(ctx context.Context) error {
	addr := net.JoinHostPort(setting("application_server.interface_address"), strconv.Itoa(Port()))
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("cannot start agent: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	fmt.Printf("ISCAgent[%d]: Starting\n", os.Getpid())
	fmt.Printf("ISCAgent[%d]: Starting ApplicationServer on *:%d\n", os.Getpid(), Port())
	for {
		c, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		go answer(c)
	}
}

func answer(c net.Conn) {
	defer c.Close()
	c.SetDeadline(time.Now().Add(5 * time.Second))
	var q Question
	if json.NewDecoder(c).Decode(&q) != nil {
		return
	}
	a := Answer{Version: Version()}
	switch q.Op {
	case "instance":
		a.Status = "unknown"
		if inst, found, err := registry.Find(registry.Dir(), q.Instance); err == nil && found {
			s := control.Look(inst.Mgr())
			a.Status, a.Port = s.Status, s.SuperServer
		}
	case "reachable":
		a.Status = "no"
		if probe, err := net.DialTimeout("tcp", q.Address, time.Second); err == nil {
			probe.Close()
			a.Status = "yes"
		}
	}
	json.NewEncoder(c).Encode(a)
}
