package sim

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"icm/internal/kitname"
)

// Net is what the machines of a site see of each other: their mirrors.
type Net struct {
	mu      sync.Mutex
	mirrors map[string]*mirror
}

// NewNet makes a net without mirrors.
func NewNet() *Net { return &Net{mirrors: map[string]*mirror{}} }

// mirror is a set of instances, of which one is the primary.
type mirror struct {
	primary string
	newest  string // version that has been primary: older ones cannot follow
	arbiter string
	members map[string]*simMember
}

// simMember is an instance as the others see it.
type simMember struct {
	async, up bool
	stuck     bool // cannot take over
	version   string
}

// takeoverLimit bounds how long a member waits to become the primary.
const takeoverLimit = 5 * time.Second

// create makes a mirror of one.
func (n *Net) create(name, machine, version string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.mirrors[name] != nil {
		return fmt.Errorf("there is a mirror %s already", name)
	}
	n.mirrors[name] = &mirror{primary: machine, newest: version, members: map[string]*simMember{machine: {up: true, version: version}}}
	return nil
}

// join makes a member. Who is asked must be one, and up.
func (n *Net) join(name, machine, first, version string, async bool) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	m := n.mirrors[name]
	if m == nil || m.members[first] == nil || !m.members[first].up {
		return fmt.Errorf("%s is no member of mirror %s that answers", first, name)
	}
	m.members[machine] = &simMember{async: async, up: true, version: version}
	return nil
}

// leave takes a member out.
func (n *Net) leave(machine string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for name, m := range n.mirrors {
		delete(m.members, machine)
		if len(m.members) == 0 {
			delete(n.mirrors, name)
		}
	}
}

// is tells that an instance is up or down; failover lets another member take
// over from a primary that went down.
func (n *Net) is(machine, version string, up, failover bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, m := range n.mirrors {
		me := m.members[machine]
		if me == nil {
			continue
		}
		me.up, me.version = up, version
		if !up && m.primary == machine {
			m.primary = ""
		}
		if m.primary == "" && (up || failover) {
			m.elect()
		}
	}
}

func (m *mirror) elect() {
	for machine, s := range m.members {
		if s.up && !s.async && !s.stuck && kitname.Compare(s.version, m.newest) >= 0 {
			m.primary, m.newest = machine, s.version
			return
		}
	}
}

// place is what an instance says of itself: nothing when it is in no mirror.
func (n *Net) place(machine string) (mirror, kind, status string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for name, m := range n.mirrors {
		me := m.members[machine]
		switch {
		case me == nil:
		case !me.up:
			return name, "", ""
		case m.primary == machine:
			return name, "Failover", "Primary"
		case me.async:
			return name, "Disaster Recovery", "Connected"
		case m.primary == "":
			return name, "Failover", "Waiting"
		default:
			return name, "Failover", "Backup"
		}
	}
	return "", "", ""
}

// arbiter is that of a member's mirror.
func (n *Net) arbiter(machine string, change func(*mirror)) (arbiter string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, m := range n.mirrors {
		if m.members[machine] != nil {
			change(m)
			return m.arbiter
		}
	}
	return ""
}

// stick keeps a member from taking over, or no longer.
func (n *Net) stick(machine string, stuck bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, m := range n.mirrors {
		if me := m.members[machine]; me != nil {
			me.stuck = stuck
		}
	}
}

// takeOver waits until a member is the primary.
func (n *Net) takeOver(ctx context.Context, machine string) error {
	ctx, cancel := context.WithTimeout(ctx, takeoverLimit)
	defer cancel()
	for {
		if _, _, status := n.place(machine); status == "Primary" {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.New("waited to become the primary, last seen: Backup")
		case <-time.After(time.Millisecond):
		}
	}
}
