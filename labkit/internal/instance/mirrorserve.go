package instance

import (
	"time"

	"icm/labkit/internal/store"
)

// ship waits until every active backup has the record, or is none any more.
func (m *mirror) ship(db *store.DB, rec store.Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	name := m.mirrored(db.Dir)
	if name == "" {
		return nil
	}
	m.recent[name] = append(m.recent[name], rec)
	if len(m.recent[name]) > 1000 {
		m.recent[name] = append([]store.Record(nil), m.recent[name][500:]...)
	}
	m.moved.Broadcast()
	for m.lag(name, rec.Seq) {
		if !m.leading || m.conf.Epoch != rec.Epoch || m.isOver() {
			return errNotPrimary
		}
		m.moved.Wait()
	}
	if !m.leading || m.conf.Epoch != rec.Epoch {
		return errNotPrimary
	}
	return nil
}

func (m *mirror) isOver() bool {
	select {
	case <-m.i.ended:
		return true
	default:
		return false
	}
}

// lag says whether an active backup lacks record seq of a database it has.
func (m *mirror) lag(name string, seq uint64) bool {
	for _, system := range m.conf.Active {
		f := m.followers[system]
		if f == nil {
			return true
		}
		if have, has := f.seqs[name]; has && have < seq {
			return true
		}
	}
	return false
}

// follower returns what the primary knows of a member. The caller holds mu.
func (m *mirror) follower(system string) *follower {
	f := m.followers[system]
	if f == nil {
		f = &follower{}
		m.followers[system] = f
	}
	return f
}

// wantArbiter is what the active backups are told next.
func (m *mirror) wantArbiter(on bool) {
	if m.arbiterWanted != on {
		m.arbiterWanted = on
		m.moved.Broadcast()
	}
}

// bind counts the connections of a follower; the last one to end makes it
// silent at once.
func (m *mirror) bind(l *link, system string) *follower {
	f := m.follower(system)
	if l.release == nil {
		f.links++
		l.release = func() {
			m.mu.Lock()
			defer m.mu.Unlock()
			f.links--
			m.moved.Broadcast()
		}
	}
	return f
}

// compare tells a follower which databases have to go back, and how far.
func (m *mirror) compare(q talk, reply *talk) {
	reply.Back = map[string]uint64{}
	for name, theirs := range q.Histories {
		db := m.i.set.Mounted(m.conf.Databases[name])
		if db == nil {
			continue
		}
		common := db.History().Common(theirs)
		if common < theirs.Seq {
			reply.Back[name] = common
			continue
		}
		if sum, err := db.SumAt(theirs.Seq); err != nil || sum != theirs.Sum {
			reply.Foreign = name
		}
	}
}

// serve gives a follower what it lacks, or waits a while for something new.
// A failover member that lacks nothing becomes active: it is waited for.
func (m *mirror) serve(l *link, q talk, reply *talk) {
	f := m.bind(l, q.System)
	for name, have := range q.Seqs {
		if _, known := f.seqs[name]; !known && m.isActive(q.System) {
			db := m.i.set.Mounted(m.conf.Databases[name])
			f.stale = f.stale || db != nil && db.Seq() > have
		}
	}
	f.seqs, f.heard, f.arbitrated = q.Seqs, time.Now(), q.Arbitrated
	m.moved.Broadcast()
	wait := min(time.Second, m.conf.QoS/4)
	deadline := time.Now().Add(wait)
	wake := time.AfterFunc(wait, m.moved.Broadcast)
	defer wake.Stop()
	for m.leading && !m.isOver() {
		lacking, behind := m.lacking(q.Seqs)
		news := behind > 0 || m.ending || m.isActive(q.System) && m.arbiterWanted != q.Arbitrated
		if !news && !m.ending && !q.Slow && !f.stale && m.typeOf(q.System) == failover && !m.isActive(q.System) {
			m.conf.Active = append(m.conf.Active, q.System)
			if m.save() != nil {
				m.conf.Active = m.conf.Active[:len(m.conf.Active)-1]
			}
			news = true
		}
		if news || !time.Now().Before(deadline) {
			*reply = m.hello()
			reply.Members, reply.Arbiter, reply.Records, reply.Behind = m.conf.Members, m.conf.Arbiter, lacking, behind
			reply.Active, reply.Arbitrated = m.isActive(q.System), m.arbiterWanted && m.isActive(q.System)
			reply.Bye, reply.NoFailover = m.ending && behind == 0, m.conf.NoFailover
			f.heard = time.Now()
			return
		}
		m.moved.Wait()
	}
	*reply = m.hello()
	reply.Leads = false
}

func (m *mirror) typeOf(system string) string {
	for _, p := range m.conf.Members {
		if p.System == system {
			return p.Type
		}
	}
	return ""
}

// lacking collects records after those a follower has, from memory when
// possible, and counts all that it lacks.
func (m *mirror) lacking(seqs map[string]uint64) (map[string][]store.Record, uint64) {
	out := map[string][]store.Record{}
	var behind uint64
	for name, have := range seqs {
		db := m.i.set.Mounted(m.conf.Databases[name])
		if db == nil {
			continue
		}
		seq := db.Seq()
		if seq <= have {
			continue
		}
		recs := m.recall(db, name, have)
		if len(recs) > 0 {
			behind += seq - have
			out[name] = recs
		}
	}
	return out, behind
}

func (m *mirror) recall(db *store.DB, name string, have uint64) []store.Record {
	recent := m.recent[name]
	if len(recent) > 0 && recent[0].Seq <= have+1 {
		for n, rec := range recent {
			if rec.Seq > have {
				return recent[n:]
			}
		}
		return nil // added to the database, not yet to be shipped
	}
	recs, err := db.Since(have, 1000)
	if err != nil {
		m.i.log.write(2, "Mirror.Event", "Mirror: "+err.Error())
	}
	return recs
}

// stop says goodbye, so that an active backup takes over at once, and waits
// until all active ones have heard it.
func (m *mirror) stop(noFailover bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ending = true
	if !m.leading {
		return
	}
	if noFailover {
		m.conf.NoFailover = true
		m.save()
	}
	m.moved.Broadcast()
	limit := m.conf.QoS
	deadline := time.Now().Add(limit)
	wake := time.AfterFunc(limit, m.moved.Broadcast)
	defer wake.Stop()
	for m.leading && time.Now().Before(deadline) {
		heard := true
		for _, system := range m.conf.Active {
			if f := m.followers[system]; f != nil && f.links > 0 && !f.told {
				heard = false
			}
		}
		if heard {
			break
		}
		m.moved.Wait()
	}
	m.leading = false
	m.moved.Broadcast()
}

// farewell notes that a backup has heard the goodbye. From now on the lead
// is the backup's, unless nobody was to take over.
func (m *mirror) farewell(system string) {
	f := m.follower(system)
	f.told = true
	if m.isActive(system) && !m.conf.NoFailover && m.conf.WasPrimary {
		m.conf.WasPrimary, m.conf.Gave = false, system
		m.save()
	}
	m.moved.Broadcast()
}
