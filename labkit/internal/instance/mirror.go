package instance

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"icm/labkit/internal/agentd"
	"icm/labkit/internal/control"
	"icm/labkit/internal/release"
	"icm/labkit/internal/script"
	"icm/labkit/internal/store"
)

// member is one member of a mirror as the others know it.
type member struct {
	System, Instance, Address, Type string
	Port, AgentPort                 int
}

// Types of members, as "iris qlist" names them.
const (
	failover = "Failover"
	drAsync  = "Disaster Recovery"
)

// mirrorConfig is kept in mgr/mirror.json.
type mirrorConfig struct {
	Name, System, Type string
	Members            []member // this one too
	Arbiter            string   // host:port
	Databases          map[string]string
	// WasPrimary and WasActive say what this member was when it was last
	// sure, so that only somebody who has all data takes over.
	WasPrimary, WasActive bool
}

// mirror is this instance's part in a mirror. Without one, Name is empty.
type mirror struct {
	i      *Instance
	mu     sync.Mutex
	conf   mirrorConfig
	status string
	active map[string]map[string]uint64 // follower → database → acknowledged record
	seen   map[string]time.Time
	moved  *sync.Cond // active or data changed
	ending bool
	recent map[string][]store.Record
}

func newMirror(i *Instance) *mirror {
	m := &mirror{i: i, active: map[string]map[string]uint64{}, seen: map[string]time.Time{}, recent: map[string][]store.Record{}}
	m.moved = sync.NewCond(&m.mu)
	if data, err := os.ReadFile(m.path()); err == nil {
		json.Unmarshal(data, &m.conf)
	}
	return m
}

func (m *mirror) path() string { return filepath.Join(m.i.mgr(), "mirror.json") }

func (m *mirror) save() error {
	data, err := json.MarshalIndent(m.conf, "", " ")
	if err != nil {
		return err
	}
	tmp := m.path() + ".new"
	if err := os.WriteFile(tmp, data, 0o660); err != nil {
		return err
	}
	return os.Rename(tmp, m.path())
}

// setStatus publishes a change of state. The caller holds mu.
func (m *mirror) setStatus(status string) {
	if m.status == status {
		return
	}
	m.status = status
	if status == "Primary" || status == "Backup" {
		m.conf.WasPrimary, m.conf.WasActive = status == "Primary", status == "Backup"
		m.save()
	}
	kind := m.conf.Type
	m.i.log.write(0, "Mirror.Event", "Mirror "+m.conf.Name+": member "+m.conf.System+" is now "+status)
	m.i.setState(func(s *control.State) { s.MirrorType, s.MirrorStatus = kind, status })
	m.moved.Broadcast()
}

func (m *mirror) isPrimary() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.status == "Primary"
}

func (m *mirror) others() []member {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.peers()
}

func (m *mirror) peers() []member {
	var out []member
	for _, p := range m.conf.Members {
		if p.System != m.conf.System {
			out = append(out, p)
		}
	}
	return out
}

// mirrored returns the mirror name of the database in dir.
func (m *mirror) mirrored(dir string) string {
	for name, d := range m.conf.Databases {
		if d == slashed(dir) {
			return name
		}
	}
	return ""
}

// writable refuses to change a mirrored database anywhere but on the primary.
func (m *mirror) writable(dir string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.mirrored(dir) != "" && m.status != "Primary" {
		return &script.Error{Code: "<PROTECT>", Detail: "*" + dir}
	}
	return nil
}

// ship waits until every active backup has the record, or is given up.
func (m *mirror) ship(db *store.DB, rec store.Record) {
	m.mu.Lock()
	defer m.mu.Unlock()
	name := m.mirrored(db.Dir)
	if name == "" {
		return
	}
	m.recent[name] = append(m.recent[name], rec)
	if len(m.recent[name]) > 1000 {
		m.recent[name] = append([]store.Record(nil), m.recent[name][500:]...)
	}
	m.moved.Broadcast()
	deadline := time.Now().Add(linkTimeout)
	wake := time.AfterFunc(linkTimeout, m.moved.Broadcast)
	defer wake.Stop()
	for _, p := range m.peers() {
		for m.active[p.System] != nil && m.active[p.System][name] < rec.Seq {
			if time.Now().After(deadline) {
				delete(m.active, p.System)
				m.i.log.write(1, "Mirror.Event", "Mirror member "+p.System+" did not acknowledge in time and is no longer active")
				break
			}
			m.moved.Wait()
		}
	}
}

// addDatabase makes the database in dir part of the mirror.
func (m *mirror) addDatabase(name, dir string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.conf.Name == "" {
		return errors.New("ERROR #2105: Database " + dir + " was not created as a mirrored database: not a mirror member")
	}
	if name == "" {
		return errors.New("ERROR #2105: A mirror database name is needed")
	}
	if m.conf.Databases == nil {
		m.conf.Databases = map[string]string{}
	}
	m.conf.Databases[strings.ToUpper(name)] = slashed(dir)
	if err := m.save(); err != nil {
		return err
	}
	m.i.mu.Lock()
	defer m.i.mu.Unlock()
	m.i.conf.Set("MapMirrors."+m.conf.Name, strings.ToUpper(name), slashed(dir))
	return m.i.conf.Save(m.i.reg.CPFPath())
}

func (m *mirror) agentRuns() bool {
	_, err := agentd.Ask("127.0.0.1:"+strconv.Itoa(agentd.Port()), agentd.Question{Op: "version"})
	return err == nil
}

// checkAgent refuses to go on without an agent of at least our version.
func (m *mirror) checkAgent() error {
	a, err := agentd.Ask("127.0.0.1:"+strconv.Itoa(agentd.Port()), agentd.Question{Op: "version"})
	if err != nil {
		return errors.New("ERROR #2118: ISCAgent is not running on this system")
	}
	if release.Compare(m.i.rel.Version, a.Version) > 0 {
		return fmt.Errorf("ERROR #2136: Instance version %s is newer than ISCAgent version %s", m.i.rel.Version, a.Version)
	}
	if !m.i.serviceEnabled("%Service_Mirror") {
		return errors.New("ERROR #2086: %Service_Mirror is not enabled on this system")
	}
	return nil
}

func (m *mirror) start() {
	if m.conf.Name != "" && m.i.conf.Get("MirrorMember", "JoinMirror") != "0" {
		go m.loop()
	}
}

// report is one line for each member.
func (m *mirror) report() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []string
	for _, p := range m.conf.Members {
		status := "unknown"
		if p.System == m.conf.System {
			status = m.status
		} else if m.active[p.System] != nil {
			status = "active"
		}
		out = append(out, fmt.Sprintf("mirror %s member %s %s: %s", m.conf.Name, p.System, p.Type, status))
	}
	return out
}
