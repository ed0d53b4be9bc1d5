package instance

import (
	"net"
	"strconv"
	"time"

	"icm/labkit/internal/agentd"
	"icm/labkit/internal/store"
)

// mirrorTick is the pause between looks at partners that do not answer.
const mirrorTick = 200 * time.Millisecond

// loop finds out what this member is, again and again, until the end.
func (m *mirror) loop() {
	m.mu.Lock()
	m.setStatus("Transition")
	m.mu.Unlock()
	for {
		if l := m.findPrimary(); l != nil {
			m.follow(l)
			l.conn.Close()
		} else if m.mayLead() {
			m.lead()
			return
		} else {
			m.mu.Lock()
			m.setStatus("Waiting")
			m.mu.Unlock()
		}
		if !m.i.pause(mirrorTick) {
			return
		}
	}
}

// findPrimary connects to the member that says it is the primary.
func (m *mirror) findPrimary() *link {
	for _, p := range m.others() {
		l, reply, err := m.meet(p)
		if err != nil {
			continue
		}
		if reply.Role == "Primary" {
			return l
		}
		l.conn.Close()
	}
	return nil
}

func (m *mirror) meet(p member) (*link, message, error) {
	l, err := dialLink(net.JoinHostPort(p.Address, strconv.Itoa(p.Port)))
	if err != nil {
		return nil, message{}, err
	}
	m.mu.Lock()
	hello := message{Op: "mirror-hello", Mirror: m.conf.Name, System: m.conf.System, Was: m.conf.WasPrimary}
	m.mu.Unlock()
	reply, err := l.ask(hello)
	if err != nil {
		l.conn.Close()
		return nil, message{}, err
	}
	return l, reply, nil
}

// mayLead says whether this member has all data and nobody else can be
// primary. In doubt it may not.
func (m *mirror) mayLead() bool {
	m.mu.Lock()
	conf := m.conf
	peers := m.peers()
	m.mu.Unlock()
	if conf.Type != failover || m.i.get("MirrorMember", "ValidatedMember") == "0" {
		return false
	}
	alone := true
	for _, p := range peers {
		if p.Type != failover {
			continue
		}
		alone = false
		if l, reply, err := m.meet(p); err == nil {
			l.conn.Close()
			// Both are up and neither leads: the last primary does.
			return conf.WasPrimary && reply.Role != "Primary"
		}
		if !conf.WasPrimary && !conf.WasActive {
			return false
		}
		if !m.isDown(p, conf.Arbiter) {
			return false
		}
	}
	return alone || conf.WasPrimary || conf.WasActive
}

// isDown asks the partner's agent, and the arbiter when that is silent too.
func (m *mirror) isDown(p member, arbiter string) bool {
	a, err := agentd.Ask(net.JoinHostPort(p.Address, strconv.Itoa(p.AgentPort)), agentd.Question{Op: "instance", Instance: p.Instance})
	if err == nil {
		return a.Status == "down" || a.Status == "crashed"
	}
	if arbiter == "" {
		return false
	}
	seen, err := agentd.Ask(arbiter, agentd.Question{Op: "reachable", Address: net.JoinHostPort(p.Address, strconv.Itoa(p.Port))})
	return err == nil && seen.Status == "no"
}

func (m *mirror) lead() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.setStatus("Primary")
}

// follow takes records from the primary until it goes away.
func (m *mirror) follow(l *link) {
	m.mu.Lock()
	if m.conf.Type == failover {
		m.setStatus("Synchronizing")
	} else {
		m.setStatus("Connected")
	}
	m.mu.Unlock()
	for {
		select {
		case <-m.i.ended:
			return
		default:
		}
		reply, err := l.ask(m.pull())
		if err != nil || reply.Role != "Primary" {
			return
		}
		if err := m.receive(reply); err != nil {
			m.i.alert(2, "Mirror.Event", "Mirror: cannot apply journal data: "+err.Error())
			m.mu.Lock()
			m.setStatus("In Trouble")
			m.mu.Unlock()
			return
		}
		if reply.Bye {
			return
		}
	}
}

func (m *mirror) pull() message {
	m.mu.Lock()
	defer m.mu.Unlock()
	seqs := map[string]uint64{}
	for name, dir := range m.conf.Databases {
		if db := m.i.set.Mounted(dir); db != nil {
			seqs[name] = db.Seq()
		}
	}
	return message{Op: "mirror-pull", Mirror: m.conf.Name, System: m.conf.System, Seqs: seqs}
}

func (m *mirror) receive(reply message) error {
	m.mu.Lock()
	dirs := map[string]string{}
	for name, dir := range m.conf.Databases {
		dirs[name] = dir
	}
	m.mu.Unlock()
	for name, recs := range reply.Records {
		db, err := m.i.set.Mount(dirs[name])
		if err == nil {
			err = m.i.set.Receive(db, recs)
		}
		if err != nil {
			return err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(reply.Members) > 0 && len(reply.Members) != len(m.conf.Members) {
		m.conf.Members = reply.Members
		m.save()
	}
	switch {
	case m.conf.Type != failover:
	case reply.Active:
		m.setStatus("Backup")
	default:
		m.setStatus("Synchronizing")
	}
	return nil
}

// answer is the primary's side, and what any member says of itself.
func (m *mirror) answer(q message) message {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.conf.Name == "" || q.Mirror != m.conf.Name {
		return message{Error: "ERROR #2086: Mirror " + q.Mirror + " is not known to this instance"}
	}
	switch q.Op {
	case "mirror-hello":
		return message{Role: m.status, Was: m.conf.WasPrimary}
	case "mirror-join":
		return m.admit(q.Member)
	case "mirror-pull":
		return m.serve(q)
	}
	return message{Error: "ERROR #5001: unknown request"}
}

func (m *mirror) admit(who member) message {
	if m.status != "Primary" {
		return message{Error: "ERROR #2086: This member is not the primary"}
	}
	kept := m.conf.Members[:0:0]
	failovers := 0
	for _, p := range m.conf.Members {
		if p.System != who.System {
			kept = append(kept, p)
			if p.Type == failover {
				failovers++
			}
		}
	}
	if who.Type == failover && failovers >= 2 {
		return message{Error: "ERROR #2207: The mirror has two failover members already"}
	}
	m.conf.Members = append(kept, who)
	if err := m.save(); err != nil {
		return message{Error: "ERROR #5001: " + err.Error()}
	}
	return message{Members: m.conf.Members, Value: m.conf.Arbiter}
}

// serve gives a follower what it lacks, or waits a while for something new.
// A follower that lacks nothing is active: it will be waited for.
func (m *mirror) serve(q message) message {
	if m.status != "Primary" {
		return message{Role: m.status}
	}
	wasActive := m.active[q.System] != nil
	if wasActive {
		m.active[q.System] = q.Seqs
		m.moved.Broadcast()
	}
	deadline := time.Now().Add(time.Second)
	wake := time.AfterFunc(time.Second, m.moved.Broadcast)
	defer wake.Stop()
	for {
		lacking := m.lacking(q.Seqs)
		if len(lacking) == 0 && !m.ending && !wasActive {
			m.active[q.System] = q.Seqs
			return m.reply(q, nil)
		}
		if len(lacking) > 0 || m.ending || time.Now().After(deadline) || m.status != "Primary" {
			return m.reply(q, lacking)
		}
		m.moved.Wait()
	}
}

func (m *mirror) reply(q message, recs map[string][]store.Record) message {
	return message{Role: "Primary", Members: m.conf.Members, Records: recs, Active: m.active[q.System] != nil, Bye: m.ending && len(recs) == 0}
}

// lacking collects records after those a follower has, from memory when
// possible.
func (m *mirror) lacking(seqs map[string]uint64) map[string][]store.Record {
	out := map[string][]store.Record{}
	for name, have := range seqs {
		db := m.i.set.Mounted(m.conf.Databases[name])
		if db == nil || db.Seq() <= have {
			continue
		}
		recent := m.recent[name]
		if len(recent) > 0 && recent[0].Seq <= have+1 {
			for n, rec := range recent {
				if rec.Seq > have {
					out[name] = recent[n:]
					break
				}
			}
			continue
		}
		if recs, err := db.Since(have, 1000); err == nil && len(recs) > 0 {
			out[name] = recs
		}
	}
	return out
}

// stop says goodbye, so that an active backup takes over at once.
func (m *mirror) stop() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.status != "Primary" || len(m.active) == 0 {
		return
	}
	m.ending = true
	m.moved.Broadcast()
}
