package instance

import (
	"errors"
	"fmt"
	"maps"
	"time"

	"icm/labkit/internal/control"
	"icm/labkit/internal/release"
	"icm/labkit/internal/store"
)

// mirrorTick is the pause between looks at partners that do not answer.
const mirrorTick = 200 * time.Millisecond

// loop finds out what this member is, again and again, until the end.
func (m *mirror) loop(life int) {
	for {
		m.mu.Lock()
		alive := m.alive(life) && !m.ending
		m.mu.Unlock()
		if !alive {
			return
		}
		if l, hello := m.findPrimary(); l != nil {
			m.follow(l, hello, life)
			l.conn.Close()
		} else if next, ok := m.mayLead(life); ok {
			m.lead(next, life)
		} else {
			m.waiting(life)
		}
		if !m.i.pause(mirrorTick) {
			return
		}
	}
}

// waiting is the state of a member that has no primary and may not be one.
func (m *mirror) waiting(life int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case !m.alive(life):
	case m.foreign != "":
		m.setStatus("In Trouble")
	default:
		m.setStatus("Waiting")
	}
}

// findPrimary connects to the member that says it is the primary.
func (m *mirror) findPrimary() (*link, talk) {
	for _, p := range m.others() {
		l, reply, err := m.meet(p)
		if err != nil {
			continue
		}
		if reply.Leads {
			return l, reply
		}
		l.conn.Close()
	}
	return nil, talk{}
}

// follow takes records from the primary until it goes away.
func (m *mirror) follow(l *link, hello talk, life int) {
	l.limit = m.qos()
	if err := m.subject(hello, life); err != nil {
		m.trouble(err)
		return
	}
	compared := map[string]string{}
	for {
		m.mu.Lock()
		alive := m.alive(life) && !m.ending
		m.mu.Unlock()
		if !alive {
			return
		}
		dirs := m.directories()
		if !maps.Equal(dirs, compared) {
			if err := m.agree(l, dirs); err != nil {
				m.trouble(err)
				return
			}
			compared = dirs
		}
		q := m.pull(dirs)
		reply, err := l.ask(message{Op: "mirror-pull", Talk: &q})
		if err != nil || reply.Talk == nil || !reply.Talk.Leads {
			return
		}
		if err := m.receive(*reply.Talk, dirs); err != nil {
			m.trouble(err)
			return
		}
		if reply.Talk.Bye {
			l.ask(message{Op: "mirror-farewell", Talk: &q})
			return
		}
	}
}

// trouble says why this member cannot follow, once.
func (m *mirror) trouble(err error) {
	m.mu.Lock()
	text := err.Error()
	news := m.said != text && err != errGone
	if err != errGone {
		m.foreign, m.said = text, text
	}
	m.moved.Broadcast()
	m.mu.Unlock()
	if news {
		m.i.alert(2, "Mirror.Event", "Mirror: "+text)
	}
}

var errGone = errors.New("the primary went away")

// subject makes this member a follower of the primary that said hello.
func (m *mirror) subject(hello talk, life int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.alive(life) {
		return errGone
	}
	if hello.Format > m.i.rel.Format() {
		return fmt.Errorf("cannot follow %s: its journal has format %d, this version reads up to %d", hello.System, hello.Format, m.i.rel.Format())
	}
	m.heir, m.foreign, m.agreed = false, "", map[string]bool{}
	if m.conf.Epoch != hello.Epoch || m.conf.WasPrimary || m.conf.Gave != "" {
		m.conf.Epoch, m.conf.WasPrimary, m.conf.WasActive, m.conf.Active, m.conf.Gave = hello.Epoch, false, false, nil, ""
	}
	m.conf.NoFailover, m.conf.Arbitrated = false, false
	if release.Compare(hello.Version, m.conf.Newest) > 0 {
		m.conf.Newest = hello.Version
	}
	m.setStatus(m.followerStatus(false))
	return m.save()
}

// followerStatus is the word for a follower. The caller holds mu.
func (m *mirror) followerStatus(active bool) string {
	switch {
	case m.conf.Type == failover && active:
		return "Backup"
	case m.conf.Type == failover:
		return "Synchronizing"
	}
	return "Connected"
}

// agree goes back to the last records that primary and follower share.
func (m *mirror) agree(l *link, dirs map[string]string) error {
	for range 3 {
		m.mu.Lock()
		q := m.hello()
		m.mu.Unlock()
		q.Histories = map[string]store.History{}
		for name, dir := range dirs {
			db, err := m.i.set.Mount(dir)
			if err != nil {
				return err
			}
			q.Histories[name] = db.History()
		}
		reply, err := l.ask(message{Op: "mirror-compare", Talk: &q})
		if err != nil || reply.Talk == nil {
			return errGone
		}
		if reply.Talk.Foreign != "" {
			return errors.New("database " + reply.Talk.Foreign + " is not a copy of the primary's; it must be restored from a backup of it")
		}
		if len(reply.Talk.Back) == 0 {
			return nil
		}
		for name, seq := range reply.Talk.Back {
			m.i.log.write(1, "Mirror.Event", fmt.Sprintf("Mirror: database %s is rolled back from record %d to %d, which the mirror went on from",
				name, q.Histories[name].Seq, seq))
			if err := m.rollBack(name, dirs[name], seq); err != nil {
				return err
			}
		}
	}
	return errors.New("databases do not agree with the primary's after going back")
}

// rollBack takes back what the mirror went on without. Had this member
// acknowledged it, then a split brain has cost data: that is written down.
func (m *mirror) rollBack(name, dir string, seq uint64) error {
	db := m.i.set.Mounted(dir)
	if db == nil {
		return errGone // this instance is ending
	}
	lost, err := m.i.set.Rollback(db, seq)
	if err != nil || lost == 0 {
		return err
	}
	m.mu.Lock()
	loss := control.Loss{Mirror: m.conf.Name, System: m.conf.System, Database: name, Records: lost}
	m.mu.Unlock()
	m.i.alert(3, "Mirror.Event", "Mirror: SPLIT BRAIN: "+loss.Describe())
	return control.Note(m.i.mgr(), loss)
}

func (m *mirror) pull(dirs map[string]string) talk {
	seqs := map[string]uint64{}
	for name, dir := range dirs {
		if db := m.i.set.Mounted(dir); db != nil {
			seqs[name] = db.Seq()
		}
	}
	slow := m.misbehaves("mirror-never-catches-up")
	m.mu.Lock()
	defer m.mu.Unlock()
	return talk{Mirror: m.conf.Name, System: m.conf.System, Seqs: seqs, Arbitrated: m.conf.Arbitrated, Slow: slow}
}

func (m *mirror) receive(reply talk, dirs map[string]string) error {
	behind := reply.Behind // when the primary answered
	for name, recs := range reply.Records {
		behind -= min(behind, uint64(len(recs)))
		db := m.i.set.Mounted(dirs[name])
		if db == nil {
			return errGone // this instance is ending
		}
		if err := m.i.set.Receive(db, recs); err != nil {
			return fmt.Errorf("cannot apply journal data: %w", err)
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for name := range dirs {
		m.agreed[name] = true
	}
	m.said = ""
	m.moved.Broadcast()
	old := fmt.Sprint(m.conf.Members, m.conf.Arbiter, m.conf.WasActive, m.conf.NoFailover, m.conf.Arbitrated)
	if len(reply.Members) > 0 {
		m.conf.Members, m.conf.Arbiter = reply.Members, reply.Arbiter
	}
	m.conf.WasActive = reply.Active && m.conf.Type == failover
	m.conf.NoFailover, m.conf.Arbitrated = reply.NoFailover, reply.Arbitrated
	m.heir = reply.Bye && m.conf.WasActive && !reply.NoFailover
	m.behind = behind
	m.adoptType()
	if fmt.Sprint(m.conf.Members, m.conf.Arbiter, m.conf.WasActive, m.conf.NoFailover, m.conf.Arbitrated) != old {
		if err := m.save(); err != nil {
			return err
		}
	}
	m.setStatus(m.followerStatus(reply.Active))
	return nil
}

// adoptType follows the primary's list, which may have promoted or demoted
// this member.
func (m *mirror) adoptType() {
	for _, p := range m.conf.Members {
		if p.System == m.conf.System && p.Type != m.conf.Type {
			m.conf.Type, m.status = p.Type, ""
		}
	}
}

func (m *mirror) qos() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.conf.QoS == 0 {
		return defaultQoS
	}
	return m.conf.QoS
}
