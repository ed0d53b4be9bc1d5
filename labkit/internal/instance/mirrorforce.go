package instance

import (
	"errors"
	"fmt"
	"time"
)

// becomePrimary makes this member primary on purpose: an active backup makes
// the primary stop and takes over. It says whether that came about.
func (m *mirror) becomePrimary() bool {
	m.mu.Lock()
	leading, status, kind := m.leading, m.status, m.conf.Type
	m.conf.NoFailover = false // the operator overrides it
	q := m.hello()
	m.mu.Unlock()
	if leading {
		return true
	}
	if kind != failover || status != "Backup" && status != "Waiting" {
		return false
	}
	if l, _ := m.findPrimary(); l != nil {
		_, err := l.ask(message{Op: "mirror-yield", Talk: &q})
		l.conn.Close()
		if err != nil {
			return false
		}
	}
	return m.await(func() bool { return m.leading })
}

// await waits until a condition holds, as long as scripts may be kept waiting.
func (m *mirror) await(holds func() bool) bool {
	deadline := time.After(10 * m.qos())
	for {
		m.mu.Lock()
		done := holds()
		m.mu.Unlock()
		if done {
			return true
		}
		select {
		case <-deadline:
			return false
		default:
		}
		if !m.i.pause(mirrorTick / 4) {
			return false
		}
	}
}

// promote makes a DR async a failover member; a backup there is becomes a DR
// async in exchange.
func (m *mirror) promote() error {
	m.mu.Lock()
	q, kind, behind := m.hello(), m.conf.Type, m.behind
	m.mu.Unlock()
	if kind != drAsync {
		return errors.New("ERROR #2086: Only a disaster recovery async can be promoted")
	}
	if behind > 0 {
		return fmt.Errorf("ERROR #2086: This member lacks %d records", behind)
	}
	l, _ := m.findPrimary()
	if l == nil {
		return errors.New("ERROR #2088: No primary answers; see PromoteWithNoPartner")
	}
	defer l.conn.Close()
	reply, err := l.ask(message{Op: "mirror-promote", Talk: &q})
	if err == nil && reply.Error != "" {
		err = errors.New(reply.Error)
	}
	if err == nil && !m.await(func() bool { return m.conf.Type == failover }) {
		err = errors.New("ERROR #2086: The promotion did not take effect in time")
	}
	return err
}

// promoted is the primary's part. The caller holds mu.
func (m *mirror) promoted(system string, reply *talk) error {
	if !m.leading {
		return errors.New("ERROR #2086: This member is not the primary")
	}
	for n, p := range m.conf.Members {
		switch {
		case p.System == system:
			m.conf.Members[n].Type = failover
		case p.Type == failover && p.System != m.conf.System:
			m.conf.Members[n].Type = drAsync
			for at, a := range m.conf.Active {
				if a == p.System {
					m.conf.Active = append(m.conf.Active[:at], m.conf.Active[at+1:]...)
					break
				}
			}
		}
	}
	reply.Members = m.conf.Members
	m.moved.Broadcast()
	return m.save()
}

// promoteAlone makes a DR async the primary when no other member is there.
// What it lacks is lost: the operator has said so by asking.
func (m *mirror) promoteAlone() error {
	if l, _ := m.findPrimary(); l != nil {
		l.conn.Close()
		return errors.New("ERROR #2086: A primary is running")
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.conf.Type != drAsync {
		return errors.New("ERROR #2086: Only a disaster recovery async can be promoted")
	}
	for n, p := range m.conf.Members {
		if p.System == m.conf.System {
			m.conf.Members[n].Type = failover
		} else if p.Type == failover {
			m.conf.Members[n].Type = drAsync
		}
	}
	m.conf.Type, m.conf.WasPrimary, m.conf.Active = failover, true, nil
	return m.record()
}
