package instance

import (
	"fmt"
	"net"
	"strconv"

	"icm/labkit/internal/store"
)

// talk is what members of a mirror say to each other, inside a message.
type talk struct {
	Mirror, System string
	Version        string
	Format         int
	// Of a hello and its answer: who is asked, and what they were.
	Status              string
	Leads, Claiming     bool
	Epoch               store.Epoch
	WasPrimary, Was     bool // the reign was theirs; they had everything in it
	Gave                string
	Member              member
	Members             []member
	Arbiter             string
	QoS                 int // milliseconds
	TLS                 bool
	Histories           map[string]store.History
	Back                map[string]uint64 // databases that must go back to a record
	Foreign             string            // a database that is no copy
	Seqs                map[string]uint64
	Records             map[string][]store.Record
	Behind              uint64
	Active, Bye         bool
	NoFailover, Pending bool
	Arbitrated, Slow    bool
}

// hello is what this member says of itself. The caller holds mu.
func (m *mirror) hello() talk {
	return talk{Mirror: m.conf.Name, System: m.conf.System, Version: m.i.rel.Version, Format: m.i.rel.Format(), Status: m.status,
		Leads: m.leading, Claiming: m.claiming, Epoch: m.conf.Epoch, WasPrimary: m.conf.WasPrimary, Was: m.conf.WasActive, Gave: m.conf.Gave}
}

// meet connects to another member and exchanges hellos.
func (m *mirror) meet(p member) (*link, talk, error) {
	l, err := m.connect(net.JoinHostPort(p.Address, strconv.Itoa(p.Port)))
	if err != nil {
		return nil, talk{}, err
	}
	m.mu.Lock()
	q := m.hello()
	m.mu.Unlock()
	reply, err := l.ask(message{Op: "mirror-hello", Talk: &q})
	if err == nil && reply.Error != "" {
		err = fmt.Errorf("%s", reply.Error)
	}
	if err == nil && reply.Talk == nil {
		err = fmt.Errorf("member %s says nothing", p.System)
	}
	if err != nil {
		l.conn.Close()
		return nil, talk{}, err
	}
	return l, *reply.Talk, nil
}

// answer is what a member says to any other.
func (m *mirror) answer(l *link, q message) message {
	m.mu.Lock()
	defer m.mu.Unlock()
	if q.Talk == nil || m.conf.Name == "" || q.Talk.Mirror != m.conf.Name {
		return message{Error: "ERROR #2086: This mirror is not known to the instance"}
	}
	if err := m.mayTalk(l, q); err != nil {
		return message{Error: err.Error()}
	}
	reply := m.hello()
	switch q.Op {
	case "mirror-hello":
	case "mirror-join":
		if err := m.admit(l, q.Talk.Member, &reply); err != nil {
			return message{Error: err.Error()}
		}
	case "mirror-leave":
		m.expel(q.Talk.System)
	case "mirror-compare":
		m.compare(*q.Talk, &reply)
	case "mirror-pull":
		m.serve(l, *q.Talk, &reply)
	case "mirror-farewell":
		m.farewell(q.Talk.System)
	case "mirror-yield":
		if !m.leading {
			return message{Error: "ERROR #2086: This member is not the primary"}
		}
		go m.i.shutDown(false)
	case "mirror-promote":
		if err := m.promoted(q.Talk.System, &reply); err != nil {
			return message{Error: err.Error()}
		}
	default:
		return message{Error: "ERROR #5001: unknown request"}
	}
	return message{Talk: &reply}
}

// mayTalk lets in members only, and with TLS only those whose certificate is
// the one that was authorised.
func (m *mirror) mayTalk(l *link, q message) error {
	if m.conf.TLS && l.peer == "" {
		return fmt.Errorf("ERROR #2086: Mirror %s requires TLS", m.conf.Name)
	}
	if q.Op == "mirror-join" {
		return nil
	}
	for _, p := range m.conf.Members {
		if p.System == q.Talk.System {
			if m.conf.TLS && p.DN != l.peer {
				return fmt.Errorf("ERROR #2086: The certificate of member %s is not the authorised one", p.System)
			}
			return nil
		}
	}
	return fmt.Errorf("ERROR #2086: Member %s is not authorised", q.Talk.System)
}
