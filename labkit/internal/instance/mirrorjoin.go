package instance

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"icm/labkit/internal/agentd"
	"icm/labkit/internal/control"
)

func validMirrorName(name string) bool {
	if name == "" || len(name) > 15 {
		return false
	}
	for _, c := range name {
		if !(c >= '0' && c <= '9' || c >= 'A' && c <= 'Z') {
			return false
		}
	}
	return true
}

// mayJoin checks names and machine before this instance becomes a member.
func (m *mirror) mayJoin(name, system string) (string, string, error) {
	name, system = strings.ToUpper(name), strings.ToUpper(system)
	if system == "" {
		system = strings.ToUpper(hostname() + "/" + m.i.reg.Name)
	}
	if err := m.checkAgent(); err != nil {
		return "", "", err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.conf.Name != "" {
		return "", "", errors.New("ERROR #2207: This instance is already a member of mirror " + m.conf.Name)
	}
	if !validMirrorName(name) || len(system) > 32 {
		return "", "", errors.New("ERROR #2174: Mirror name '" + name + "' or member name '" + system + "' is invalid")
	}
	return name, system, nil
}

// create makes a new mirror with this member alone.
func (m *mirror) create(name, system string, info, tls map[string]string) error {
	name, system, err := m.mayJoin(name, system)
	if err != nil {
		return err
	}
	secure, err := m.prepareTLS(info["UseSSL"] == "1", tls)
	if err != nil {
		return err
	}
	qos := defaultQoS
	if ms, err := strconv.Atoi(info["QoSTimeout"]); err == nil && ms >= 200 {
		qos = time.Duration(ms) * time.Millisecond
	}
	self := m.self(system, failover, info)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.conf = mirrorConfig{Mirror: control.Mirror{Name: name, System: system}, Type: failover, Arbiter: arbiter(info),
		Members: []member{self}, QoS: qos, TLS: secure}
	return m.begin()
}

// begin records a new membership and starts to live by it. The caller holds mu.
func (m *mirror) begin() error {
	if err := m.record(); err != nil {
		m.conf = mirrorConfig{}
		return err
	}
	m.life++
	m.foreign, m.ending = "", false
	m.setStatus("Transition")
	m.run()
	return nil
}

func arbiter(info map[string]string) string {
	host, port, ok := strings.Cut(strings.ReplaceAll(info["ArbiterNode"], "|", ":"), ":")
	if host == "" {
		return ""
	}
	if !ok || port == "" {
		port = "2188"
	}
	return net.JoinHostPort(host, port)
}

func (m *mirror) self(system, kind string, info map[string]string) member {
	addr := info["ECPAddress"]
	if addr == "" {
		addr, _ = os.Hostname()
	}
	agent, port := info["AgentAddress"], info["AgentPort"]
	if agent == "" {
		agent = addr
	}
	if port == "" {
		port = strconv.Itoa(agentd.Port())
	}
	super, _ := strconv.Atoi(m.i.get("Startup", "DefaultPort"))
	return member{System: system, Instance: m.i.reg.Name, Address: addr, Type: kind, Port: super, Agent: net.JoinHostPort(agent, port), DN: m.ownDN()}
}

// record saves the mirror and what of it belongs in the configuration file.
func (m *mirror) record() error {
	if err := m.save(); err != nil {
		return err
	}
	m.i.mu.Lock()
	defer m.i.mu.Unlock()
	kind := map[string]string{drAsync: "0", roAsync: "1", rwAsync: "2"}[m.conf.Type]
	if kind == "" {
		kind = "0"
	}
	m.i.conf.Set("MirrorMember", "SystemName", m.conf.System)
	m.i.conf.Set("MirrorMember", "AsyncMemberType", kind)
	m.i.conf.Set("MirrorMember", "JoinMirror", "1")
	m.i.conf.Set("MirrorMember", "ValidatedMember", "1")
	m.i.conf.Set("Mirrors", m.conf.Name, m.conf.System)
	return m.i.conf.Save(m.i.reg.CPFPath())
}

// asyncType is the type of a number that scripts give.
func asyncType(n string) (string, error) {
	kind := map[string]string{"": drAsync, "0": drAsync, "1": roAsync, "2": rwAsync}[n]
	if kind == "" {
		return "", errors.New("ERROR #5001: Type of async member '" + n + "' is not 0, 1 or 2")
	}
	return kind, nil
}

// invitation is how a member joins.
type invitation struct {
	name, system, kind string
	instance, host     string // where the primary is
	port               string // of its agent
	info, tls          map[string]string
}

// join makes this instance a member of the mirror of a running primary.
func (m *mirror) join(in invitation) error {
	name, system, err := m.mayJoin(in.name, in.system)
	if err != nil {
		return err
	}
	if in.port == "" {
		in.port = "2188"
	}
	agent := net.JoinHostPort(in.host, in.port)
	a, err := m.askAgent(agent, agentd.Question{Op: "instance", Instance: in.instance})
	if err != nil {
		return fmt.Errorf("ERROR #2088: Cannot reach ISCAgent at %s: %w", agent, err)
	}
	if a.Port == "" || a.Mirror.Name != name {
		return fmt.Errorf("ERROR #2086: Instance %s on %s is not running as a member of mirror %s", in.instance, in.host, name)
	}
	secure, err := m.prepareTLS(in.info["UseSSL"] == "1", in.tls)
	if err != nil {
		return err
	}
	self := m.self(system, in.kind, in.info)
	l, err := m.connectAs(net.JoinHostPort(in.host, a.Port), secure)
	if err != nil {
		return fmt.Errorf("ERROR #2088: Cannot reach instance %s on %s: %w", in.instance, in.host, err)
	}
	defer l.conn.Close()
	reply, err := l.ask(message{Op: "mirror-join", Talk: &talk{Mirror: name, System: system, Member: self, Version: m.i.rel.Version}})
	if err == nil && reply.Error != "" {
		err = errors.New(reply.Error)
	}
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.conf.Name != "" {
		return errors.New("ERROR #2207: This instance is already a member of mirror " + m.conf.Name)
	}
	m.conf = mirrorConfig{Mirror: control.Mirror{Name: name, System: system, Epoch: reply.Talk.Epoch}, Type: in.kind, Arbiter: reply.Talk.Arbiter,
		Members: reply.Talk.Members, QoS: time.Duration(reply.Talk.QoS) * time.Millisecond, TLS: secure}
	return m.begin()
}

// maxAsyncs is how many asynchronous members a mirror may have.
const maxAsyncs = 14

// admit takes a new member in. With TLS it waits until it is authorised.
func (m *mirror) admit(l *link, who member, reply *talk) error {
	if !m.leading {
		return errors.New("ERROR #2086: This member is not the primary")
	}
	failovers, asyncs := 0, 0
	for _, p := range m.conf.Members {
		switch {
		case p.System == who.System:
		case p.Type == failover:
			failovers++
		default:
			asyncs++
		}
	}
	if who.Type == failover && failovers >= 2 {
		return errors.New("ERROR #2207: The mirror has two failover members already")
	}
	if who.Type != failover && asyncs >= maxAsyncs {
		return fmt.Errorf("ERROR #2207: The mirror has %d async members already", maxAsyncs)
	}
	who.DN = l.peer
	m.conf.Pending = withoutMember(m.conf.Pending, who.System)
	if dn, expected := m.conf.Expected[who.System]; m.conf.TLS && (!expected || !sameDN(dn, who.DN)) {
		m.conf.Pending, reply.Pending = append(m.conf.Pending, who), true
		m.i.log.write(1, "Mirror.Event", "Mirror: member "+who.System+" ("+who.DN+") asks to join and waits for authorization")
	} else {
		m.conf.Members = append(withoutMember(m.conf.Members, who.System), who)
		delete(m.conf.Expected, who.System)
	}
	reply.Members, reply.Arbiter, reply.QoS = m.conf.Members, m.conf.Arbiter, int(m.conf.QoS/time.Millisecond)
	if reply.Pending {
		reply.Members = append(slices.Clone(m.conf.Members), who)
	}
	return m.save()
}

func withoutMember(list []member, system string) []member {
	var out []member
	for _, p := range list {
		if p.System != system {
			out = append(out, p)
		}
	}
	return out
}

// authorise lets a member in that asked by TLS, or that is going to.
func (m *mirror) authorise(system, dn string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	system = strings.ToUpper(system)
	if !m.leading {
		return errors.New("ERROR #2086: Members are authorized on the primary, and this member is not")
	}
	if system == "" {
		return errors.New("ERROR #5001: The name of the member is needed")
	}
	for _, p := range m.conf.Members {
		if p.System == system {
			return nil
		}
	}
	found := false
	for _, p := range m.conf.Pending {
		if p.System == system && !sameDN(dn, p.DN) {
			return fmt.Errorf("ERROR #2086: Member %s asked with the certificate %s", system, p.DN)
		}
		if p.System == system {
			m.conf.Members, found = append(m.conf.Members, p), true
		}
	}
	m.conf.Pending = withoutMember(m.conf.Pending, system)
	if !found {
		if m.conf.Expected == nil {
			m.conf.Expected = map[string]string{}
		}
		m.conf.Expected[system] = dn
	}
	m.moved.Broadcast()
	return m.save()
}

// sameDN compares names of certificates as scripts write them: in any order,
// with any blanks. No name allows any.
func sameDN(want, have string) bool {
	parts := func(dn string) []string {
		list := strings.FieldsFunc(dn, func(r rune) bool { return r == ',' || r == '/' })
		for n := range list {
			list[n] = strings.TrimSpace(list[n])
		}
		slices.Sort(list)
		return list
	}
	return want == "" || slices.Equal(parts(want), parts(have))
}

// expel forgets a member. The caller holds mu.
func (m *mirror) expel(system string) {
	m.conf.Members = withoutMember(m.conf.Members, system)
	m.conf.Active = slices.DeleteFunc(m.conf.Active, func(s string) bool { return s == system })
	delete(m.followers, system)
	m.save()
	m.moved.Broadcast()
}

// forget leaves the mirror. Its databases stay, and may be written.
func (m *mirror) forget() error {
	m.mu.Lock()
	if m.conf.Name == "" {
		m.mu.Unlock()
		return errors.New("ERROR #2086: This instance is not a mirror member")
	}
	leading := m.leading
	m.mu.Unlock()
	if !leading {
		m.takeLeave()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	name := m.conf.Name
	m.setStatus("Stopped")
	m.conf, m.leading = mirrorConfig{}, false
	m.life++
	if err := m.save(); err != nil {
		return err
	}
	m.i.setState(func(s *control.State) { s.MirrorType, s.MirrorStatus = "", "" })
	m.status = ""
	m.moved.Broadcast()
	m.i.mu.Lock()
	defer m.i.mu.Unlock()
	m.i.conf.Delete("Mirrors", name)
	m.i.conf.Set("MirrorMember", "JoinMirror", "0")
	return m.i.conf.Save(m.i.reg.CPFPath())
}

// takeLeave tells the primary, if there is one.
func (m *mirror) takeLeave() {
	l, _ := m.findPrimary()
	if l == nil {
		return
	}
	defer l.conn.Close()
	m.mu.Lock()
	q := m.hello()
	m.mu.Unlock()
	l.ask(message{Op: "mirror-leave", Talk: &q})
}
