package instance

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"

	"icm/labkit/internal/agentd"
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

// create makes a new mirror with this member alone.
func (m *mirror) create(name, system string, info map[string]string) error {
	name, system = strings.ToUpper(name), strings.ToUpper(system)
	if err := m.checkAgent(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.conf.Name != "" {
		return errors.New("ERROR #2207: This instance is already a member of mirror " + m.conf.Name)
	}
	if !validMirrorName(name) || system == "" || len(system) > 32 {
		return errors.New("ERROR #2174: Mirror name '" + name + "' or member name '" + system + "' is invalid")
	}
	m.conf = mirrorConfig{Name: name, System: system, Type: failover, Arbiter: arbiter(info), Members: []member{m.self(system, failover, info)}}
	if err := m.record(); err != nil {
		return err
	}
	go m.loop()
	return nil
}

func arbiter(info map[string]string) string {
	host, port, ok := strings.Cut(strings.ReplaceAll(info["ArbiterNode"], "|", ":"), ":")
	if host == "" {
		return ""
	}
	if !ok {
		port = "2188"
	}
	return net.JoinHostPort(host, port)
}

func (m *mirror) self(system, kind string, info map[string]string) member {
	addr := info["ECPAddress"]
	if addr == "" {
		addr, _ = os.Hostname()
	}
	port, _ := strconv.Atoi(m.i.get("Startup", "DefaultPort"))
	return member{System: system, Instance: m.i.reg.Name, Address: addr, Type: kind, Port: port, AgentPort: agentd.Port()}
}

// record saves the mirror and what of it belongs in the configuration file.
func (m *mirror) record() error {
	if err := m.save(); err != nil {
		return err
	}
	m.i.mu.Lock()
	defer m.i.mu.Unlock()
	m.i.conf.Set("MirrorMember", "SystemName", m.conf.System)
	m.i.conf.Set("MirrorMember", "JoinMirror", "1")
	m.i.conf.Set("MirrorMember", "ValidatedMember", "1")
	m.i.conf.Set("Mirrors", m.conf.Name, m.conf.System)
	return m.i.conf.Save(m.i.reg.CPFPath())
}

// join makes this instance a member of the mirror of a running primary.
func (m *mirror) join(name, system, kind, instance, host, agentPort string, info map[string]string) error {
	name, system = strings.ToUpper(name), strings.ToUpper(system)
	if err := m.checkAgent(); err != nil {
		return err
	}
	if agentPort == "" {
		agentPort = "2188"
	}
	a, err := agentd.Ask(net.JoinHostPort(host, agentPort), agentd.Question{Op: "instance", Instance: instance})
	if err != nil {
		return fmt.Errorf("ERROR #2088: Cannot reach ISCAgent at %s:%s: %w", host, agentPort, err)
	}
	if a.Port == "" {
		return fmt.Errorf("ERROR #2086: Instance %s is not running on %s", instance, host)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.conf.Name != "" {
		return errors.New("ERROR #2207: This instance is already a member of mirror " + m.conf.Name)
	}
	self := m.self(system, kind, info)
	l, err := dialLink(net.JoinHostPort(host, a.Port))
	if err != nil {
		return fmt.Errorf("ERROR #2088: Cannot reach instance %s on %s: %w", instance, host, err)
	}
	defer l.conn.Close()
	reply, err := l.ask(message{Op: "mirror-join", Mirror: name, Member: self})
	if err == nil && reply.Error != "" {
		err = errors.New(reply.Error)
	}
	if err != nil {
		return err
	}
	m.conf = mirrorConfig{Name: name, System: system, Type: kind, Arbiter: reply.Value, Members: reply.Members}
	if err := m.record(); err != nil {
		return err
	}
	go m.loop()
	return nil
}
