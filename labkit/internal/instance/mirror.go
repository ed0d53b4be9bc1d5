package instance

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
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
	Port                            int
	Agent                           string // host:port of its agent
	DN                              string // subject of its certificate
}

// Types of members, as "iris qlist" names them.
const (
	failover  = "Failover"
	drAsync   = "Disaster Recovery"
	roAsync   = "Read-Only Reporting"
	rwAsync   = "Read-Write Reporting"
	notMember = "Not Member"
)

// mirrorConfig is kept in mgr/mirror.json.
type mirrorConfig struct {
	control.Mirror
	Type    string
	Members []member // this one too
	// Pending have asked to join by TLS and wait for being authorised; Expected
	// are authorised before they asked.
	Pending  []member
	Expected map[string]string // DN by name, "" for any
	Arbiter  string            // host:port
	// Arbitrated: primary and active backup agreed that the arbiter decides.
	Arbitrated bool
	TLS        bool
	QoS        time.Duration // a partner silent for longer counts as gone
	Newest     string        // the newest version a primary had so far
}

// mirror is this instance's part in a mirror. Without one, Name is empty.
type mirror struct {
	i     *Instance
	mu    sync.Mutex
	moved *sync.Cond // anything below changed
	loops sync.WaitGroup
	conf  mirrorConfig
	life  int // counts memberships, so that the loop of a former one ends
	// status is what others see; leading is true also for a primary in trouble.
	status   string
	leading  bool
	claiming bool // about to lead: others must not
	ending   bool
	foreign  string          // why this member cannot follow
	said     string          // of that, to the log
	heir     bool            // the primary said goodbye to us
	agreed   map[string]bool // databases the primary knows we have
	behind   uint64          // records we lack, as the primary said last
	looking  bool            // for other primaries
	// arbiterWanted is what active backups are told next about the arbiter.
	arbiterWanted bool
	// What a primary knows of its followers.
	followers map[string]*follower
	recent    map[string][]store.Record
}

// follower is another member as its primary sees it.
type follower struct {
	seqs       map[string]uint64 // what it has
	heard      time.Time
	links      int // open connections
	arbitrated bool
	told       bool // that we end
	stale      bool // has a database now that it lacks records of
}

// defaultQoS is the quality-of-service timeout of a new mirror.
const defaultQoS = 8 * time.Second

func newMirror(i *Instance) *mirror {
	m := &mirror{i: i, followers: map[string]*follower{}, recent: map[string][]store.Record{}}
	m.moved = sync.NewCond(&m.mu)
	if data, err := os.ReadFile(m.path()); err == nil {
		json.Unmarshal(data, &m.conf)
	}
	return m
}

func (m *mirror) path() string { return control.MirrorPath(m.i.mgr()) }

// save writes mirror.json so that it survives a power cut: others rely on
// what it says. The caller holds mu.
func (m *mirror) save() error {
	data, err := json.MarshalIndent(m.conf, "", " ")
	if err != nil {
		return err
	}
	f, err := os.OpenFile(m.path()+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o660)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(m.path()+".new", m.path())
}

// setStatus publishes a change of state. The caller holds mu.
func (m *mirror) setStatus(status string) {
	if m.status == status {
		return
	}
	m.status = status
	kind := m.conf.Type
	m.i.log.write(0, "Mirror.Event", "Mirror "+m.conf.Name+": member "+m.conf.System+" is now "+status)
	m.i.setState(func(s *control.State) { s.MirrorType, s.MirrorStatus = kind, status })
	m.moved.Broadcast()
}

// reign is the last one this member knows of.
func (m *mirror) reign() store.Epoch {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.conf.Epoch
}

func (m *mirror) isPrimary() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.leading && !m.ending
}

// peers are the other members. The caller holds mu.
func (m *mirror) peers() []member {
	var out []member
	for _, p := range m.conf.Members {
		if p.System != m.conf.System {
			out = append(out, p)
		}
	}
	return out
}

func (m *mirror) others() []member {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.peers()
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

// directory finds the database a client names :mirror:MIRROR:NAME.
func (m *mirror) directory(dir string) (string, error) {
	parts := strings.Split(strings.TrimSuffix(dir, "/"), ":")
	if len(parts) != 4 || parts[1] != "mirror" {
		return dir, nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	found := m.conf.Databases[strings.ToUpper(parts[3])]
	if found == "" || !strings.EqualFold(m.conf.Name, parts[2]) {
		return "", &script.Error{Code: "<DIRECTORY>", Detail: "*" + dir}
	}
	return found, nil
}

// errNotPrimary ends a write that this member may not (or no longer) make.
var errNotPrimary = &script.Error{Code: "<NETWORK>", Detail: notPrimary}

// epoch tells a new record its reign, and refuses to change a mirrored
// database anywhere but on the primary.
func (m *mirror) epoch(db *store.DB) (store.Epoch, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.mirrored(db.Dir) == "":
		return 0, nil
	case m.leading && !m.ending:
		return m.conf.Epoch, nil
	case m.leading:
		return 0, errNotPrimary // it is about to end
	}
	return 0, &script.Error{Code: "<PROTECT>", Detail: "*" + db.Dir}
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
	if _, err := m.i.set.Mount(dir); err != nil {
		return errors.New("ERROR #5001: " + err.Error())
	}
	if m.conf.Databases == nil {
		m.conf.Databases = map[string]string{}
	}
	name = strings.ToUpper(name)
	m.conf.Databases[name] = slashed(dir)
	if err := m.save(); err != nil {
		return err
	}
	m.untilKnown(name)
	m.i.mu.Lock()
	defer m.i.mu.Unlock()
	m.i.conf.Set("MapMirrors."+m.conf.Name, strings.ToUpper(name), slashed(dir))
	return m.i.conf.Save(m.i.reg.CPFPath())
}

// untilKnown waits until the primary knows that this follower has a database,
// so that from then on its writes wait for us. The caller holds mu.
func (m *mirror) untilKnown(name string) {
	deadline := time.Now().Add(4 * m.conf.QoS)
	wake := time.AfterFunc(4*m.conf.QoS, m.moved.Broadcast)
	defer wake.Stop()
	for !m.leading && m.conf.Name != "" && !m.isOver() && !m.agreed[name] && m.foreign == "" && time.Now().Before(deadline) {
		m.moved.Wait()
	}
}

// removeDatabase takes a database out of the mirror on this member.
func (m *mirror) removeDatabase(dir string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	name := m.mirrored(dir)
	if name == "" {
		return errors.New("ERROR #2105: Database " + dir + " is not mirrored")
	}
	delete(m.conf.Databases, name)
	if err := m.save(); err != nil {
		return err
	}
	m.i.mu.Lock()
	defer m.i.mu.Unlock()
	m.i.conf.Delete("MapMirrors."+m.conf.Name, name)
	return m.i.conf.Save(m.i.reg.CPFPath())
}

func (m *mirror) askAgent(addr string, q agentd.Question) (agentd.Answer, error) {
	return agentd.Ask(m.i.dial, addr, q)
}

// localAgent is where this machine's agent listens.
func (m *mirror) localAgent() string {
	if m.i.agent != "" {
		return m.i.agent
	}
	return net.JoinHostPort("127.0.0.1", fmt.Sprint(agentd.Port()))
}

func (m *mirror) agentRuns() bool {
	_, err := m.askAgent(m.localAgent(), agentd.Question{Op: "version"})
	return err == nil
}

// checkAgent refuses to go on without an agent of at least our version.
func (m *mirror) checkAgent() error {
	a, err := m.askAgent(m.localAgent(), agentd.Question{Op: "version"})
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
	m.mu.Lock()
	defer m.mu.Unlock()
	go func() { // nobody waits for an instance that has ended
		<-m.i.ended
		m.mu.Lock()
		defer m.mu.Unlock()
		m.moved.Broadcast()
	}()
	if m.conf.Name != "" && m.i.get("MirrorMember", "JoinMirror") != "0" {
		m.setStatus("Transition")
		m.run()
	}
}

// run starts the loop of a membership. The caller holds mu.
func (m *mirror) run() {
	life := m.life
	m.loops.Go(func() { m.loop(life) })
}

// alive says whether membership life goes on. The caller holds mu.
func (m *mirror) alive(life int) bool {
	select {
	case <-m.i.ended:
		return false
	default:
		return m.life == life && m.conf.Name != ""
	}
}

func (m *mirror) isActive(system string) bool { return slices.Contains(m.conf.Active, system) }

// misbehaves asks the fault file, each time anew.
func (m *mirror) misbehaves(fault string) bool {
	return control.Faults(m.i.mgr())[fault] == "1"
}

// directories of mirrored databases by name.
func (m *mirror) directories() map[string]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[string]string{}
	for name, dir := range m.conf.Databases {
		out[name] = filepath.Clean(dir) + "/"
	}
	return out
}
