package instance

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"icm/labkit/internal/agentd"
	"icm/labkit/internal/control"
	"icm/labkit/internal/release"
	"icm/labkit/internal/store"
)

// mayLead says whether this member has all data and nobody else can be
// primary, and names the reign that would begin. In doubt it may not.
func (m *mirror) mayLead(life int) (store.Epoch, bool) {
	m.mu.Lock()
	if !m.alive(life) || m.ending || !m.eligible() {
		m.mu.Unlock()
		return 0, false
	}
	if m.misbehaves("mirror-split-brain") { // asks nobody
		next := m.conf.Epoch.Next()
		m.mu.Unlock()
		return next, true
	}
	m.claiming = true
	peers := m.peers()
	next := m.conf.Epoch.Next()
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		m.claiming = false
		m.mu.Unlock()
	}()
	var silent []member
	for _, p := range peers {
		if p.Type != failover {
			continue
		}
		if l, reply, err := m.meet(p); err == nil {
			l.conn.Close()
			if !m.before(reply) {
				return 0, false
			}
			continue
		}
		silent = append(silent, p)
	}
	for _, p := range silent {
		if !m.gone(p) && !m.granted(next) {
			return 0, false
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return next, m.alive(life) && !m.ending
}

// eligible is what a member must be before it looks at others. The caller
// holds mu.
func (m *mirror) eligible() bool {
	if m.conf.Type != failover || m.foreign != "" || m.misbehaves("mirror-refuse-takeover") {
		return false
	}
	if m.i.get("MirrorMember", "ValidatedMember") == "0" {
		return false
	}
	if release.Compare(m.i.rel.Version, m.conf.Newest) < 0 {
		return false // a newer version was primary: this member must be upgraded first
	}
	return m.conf.Epoch == 0 || m.conf.WasPrimary || m.conf.WasActive || m.conf.Gave != ""
}

// before says whether this member goes before another one that is up and
// does not lead either.
func (m *mirror) before(other talk) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case other.Leads || other.Claiming || other.Epoch.Number() > m.conf.Epoch.Number():
		return false
	case other.Epoch.Number() < m.conf.Epoch.Number():
		return m.conf.WasPrimary || m.conf.WasActive
	case m.conf.WasPrimary:
		return true
	}
	return m.heir || m.conf.WasActive && (other.Gave == m.conf.System || !other.WasPrimary && other.Gave == "" && !other.Was)
}

// gone says whether another member that does not answer is certain not to
// lead, now or when it comes back without meeting us.
func (m *mirror) gone(p member) bool {
	m.mu.Lock()
	conf, heir := m.conf, m.heir
	m.mu.Unlock()
	a, err := m.askAgent(p.Agent, agentd.Question{Op: "instance", Instance: p.Instance})
	if err != nil {
		// Nobody can take over from a primary that had no active backup; and a
		// primary that said goodbye waits for us.
		return heir || conf.WasPrimary && len(conf.Active) == 0
	}
	if a.Mirror.Name == conf.Name && a.Status != "down" && a.Status != "crashed" {
		return false
	}
	return mayFollow(conf, a.Mirror, heir)
}

// mayFollow decides by what a member that is down left on its disk.
func mayFollow(me mirrorConfig, other control.Mirror, heir bool) bool {
	if other.Name != me.Name {
		return me.WasPrimary || me.Epoch == 0 // it never was, or is no more, in this mirror
	}
	switch {
	case other.Epoch.Number() > me.Epoch.Number():
		return false
	case other.Epoch.Number() < me.Epoch.Number(), me.WasPrimary, heir:
		return true
	case other.WasPrimary:
		return me.WasActive && slices.Contains(other.Active, me.System) && !other.NoFailover && !me.NoFailover
	case me.Gave != "":
		return true // it never began the reign we gave it
	}
	return other.Gave == me.System && me.WasActive
}

// granted asks the arbiter, where both sides had agreed that it decides.
func (m *mirror) granted(next store.Epoch) bool {
	m.mu.Lock()
	conf := m.conf
	m.mu.Unlock()
	if conf.Arbiter == "" || !conf.Arbitrated || conf.NoFailover {
		return false
	}
	a, err := m.askAgent(conf.Arbiter, agentd.Question{Op: "claim", Mirror: conf.Name, System: conf.System, Epoch: conf.Epoch, Next: next})
	return err == nil && a.Status == agentd.Granted
}

// lead is a reign: from becoming primary to stepping down or the end.
func (m *mirror) lead(next store.Epoch, life int) {
	m.mu.Lock()
	c := &m.conf
	c.Epoch, c.WasPrimary, c.WasActive, c.Active, c.Gave, c.NoFailover, c.Arbitrated = next, true, false, nil, "", false, false
	c.Newest = m.i.rel.Version
	m.leading, m.followers, m.recent, m.heir = true, map[string]*follower{}, map[string][]store.Record{}, false
	reign := control.Reign{Mirror: c.Name, System: c.System, Epoch: next, Since: time.Now()}
	if err := errors.Join(m.save(), control.Note(m.i.mgr(), reign)); err != nil {
		m.leading = false
		m.mu.Unlock()
		m.trouble(err)
		return
	}
	m.i.log.write(0, "Mirror.Event", fmt.Sprintf("Mirror %s: epoch %d begins", c.Name, next.Number()))
	m.setStatus("Primary")
	m.mu.Unlock()
	var lastBeat, lastLook time.Time
	for {
		m.mu.Lock()
		goesOn := m.alive(life) && m.leading
		m.mu.Unlock()
		if !goesOn {
			m.stepDown()
			return
		}
		if time.Since(lastBeat) > min(time.Second, m.qos()/4) {
			lastBeat = time.Now()
			m.agreeOnArbiter(m.beat(nil))
		}
		if time.Since(lastLook) > time.Second {
			lastLook = time.Now()
			go m.lookForRivals()
		}
		m.dismissSilent()
		if !m.i.pause(mirrorTick / 4) {
			m.stepDown()
			return
		}
	}
}

// depose ends a reign that somebody else's has followed.
func (m *mirror) depose() {
	m.mu.Lock()
	m.conf.WasPrimary, m.conf.Active = false, nil
	m.save()
	m.mu.Unlock()
	m.stepDown()
}

// stepDown ends a reign. Writers that wait for a backup learn that their
// record was not acknowledged.
func (m *mirror) stepDown() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.leading = false
	if m.conf.Name != "" {
		m.setStatus("Transition")
	}
	m.moved.Broadcast()
}

// beat tells the arbiter who reigns and who is active, without the members
// in but. The answer is "" when there is no arbiter or it is silent.
func (m *mirror) beat(but []string) string {
	m.mu.Lock()
	q := agentd.Question{Op: "beat", Mirror: m.conf.Name, System: m.conf.System, Epoch: m.conf.Epoch, Quiet: m.conf.QoS}
	for _, a := range m.conf.Active {
		if !slices.Contains(but, a) {
			q.Active = append(q.Active, a)
		}
	}
	addr := m.conf.Arbiter
	m.mu.Unlock()
	if addr == "" {
		return ""
	}
	a, err := m.askAgent(addr, q)
	if err != nil {
		return ""
	}
	if a.Status == agentd.Deposed {
		m.i.log.write(2, "Mirror.Event", fmt.Sprintf("Mirror: the arbiter says that %s is primary in epoch %d; this member steps down", a.Primary, a.Epoch.Number()))
		m.depose()
	}
	return a.Status
}

// agreeOnArbiter switches between deciding with the arbiter and without it.
// A primary relies on the arbiter before its backup does, and stops relying
// on it after its backup has.
func (m *mirror) agreeOnArbiter(answer string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if answer == agentd.Granted {
		m.setArbitrated(true)
		return
	}
	for _, system := range m.conf.Active {
		if f := m.followers[system]; f == nil || f.arbitrated {
			m.wantArbiter(false)
			return
		}
	}
	m.setArbitrated(false)
}

func (m *mirror) setArbitrated(on bool) {
	m.wantArbiter(on)
	if m.conf.Arbitrated != on {
		m.conf.Arbitrated = on
		m.save()
	}
}

// lookForRivals meets failover members that do not follow, in case one leads.
func (m *mirror) lookForRivals() {
	m.mu.Lock()
	if m.looking {
		m.mu.Unlock()
		return
	}
	m.looking = true
	var rivals []member
	for _, p := range m.peers() {
		if f := m.followers[p.System]; p.Type == failover && (f == nil || f.links == 0) {
			rivals = append(rivals, p)
		}
	}
	mine := m.conf.Epoch
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		m.looking = false
		m.mu.Unlock()
	}()
	for _, p := range rivals {
		l, reply, err := m.meet(p)
		if err != nil {
			continue
		}
		l.conn.Close()
		switch {
		case !reply.Leads || reply.Epoch.Number() < mine.Number():
		case reply.Epoch.Number() > mine.Number():
			m.i.alert(2, "Mirror.Event", fmt.Sprintf("Mirror: %s is primary in epoch %d; this member steps down", p.System, reply.Epoch.Number()))
			m.depose()
		default:
			m.i.alert(3, "Mirror.Event", fmt.Sprintf("Mirror: SPLIT BRAIN: %s is primary in epoch %d too", p.System, mine.Number()))
			m.mu.Lock()
			m.ending = true // no more writes on either side
			m.setStatus("Error")
			m.mu.Unlock()
		}
	}
}

// dismissSilent takes the active role from members that are gone. Where the
// arbiter decides, it must know first; without it the primary is in trouble,
// and acknowledges nothing.
func (m *mirror) dismissSilent() {
	m.mu.Lock()
	var silent []string
	for _, system := range m.conf.Active {
		f := m.followers[system]
		if f == nil || f.links == 0 || f.stale || time.Since(f.heard) > m.conf.QoS {
			silent = append(silent, system)
		}
	}
	arbitrated, ending := m.conf.Arbitrated, m.ending
	if len(silent) == 0 {
		if m.status == "In Trouble" && m.leading {
			m.setStatus("Primary")
		}
		m.mu.Unlock()
		return
	}
	m.mu.Unlock()
	if ending {
		return
	}
	if arbitrated && m.beat(silent) != agentd.Granted {
		m.mu.Lock()
		if m.leading {
			m.setStatus("In Trouble")
		}
		m.mu.Unlock()
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.leading {
		return
	}
	m.conf.Active = slices.DeleteFunc(m.conf.Active, func(s string) bool { return slices.Contains(silent, s) })
	if err := m.save(); err != nil {
		m.i.log.write(2, "Mirror.Event", "Mirror: "+err.Error())
		return
	}
	for _, system := range silent {
		if f := m.followers[system]; f != nil {
			f.stale = false
		}
	}
	m.i.log.write(1, "Mirror.Event", fmt.Sprintf("Mirror: %v did not acknowledge in time and is no longer active", silent))
	m.setStatus("Primary")
	m.moved.Broadcast()
}
