package instance

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"icm/labkit/internal/cpf"
	"icm/labkit/internal/script"
)

// joining reads the arguments of the two methods that join. Async members
// have their type before the information about themselves.
func joining(a args, kind string, info int) invitation {
	return invitation{name: a.text(0), system: a.text(1), kind: kind, instance: a.text(2), host: a.text(3), port: a.text(4),
		info: a.at(info).Subs(), tls: a.at(info + 1).Subs()}
}

func mirrorMethods() map[string]method {
	authorise := func(i *Instance, _ *script.Session, a args) (string, error) {
		name, dn := a.text(0), ""
		for k, v := range a.at(0).Subs() {
			switch strings.ToUpper(k) {
			case "SYSTEMNAME", "NAME":
				name = v
			case "X509DN", "SSLID":
				dn = v
			}
		}
		return status(i.mirror.authorise(name, dn))
	}
	return map[string]method{
		"CreateNewMirrorSet": func(i *Instance, _ *script.Session, a args) (string, error) {
			return status(i.mirror.create(a.text(0), a.text(1), a.at(2).Subs(), a.at(3).Subs()))
		},
		"JoinMirrorAsFailoverMember": func(i *Instance, _ *script.Session, a args) (string, error) {
			return status(i.mirror.join(joining(a, failover, 5)))
		},
		"JoinMirrorAsAsyncMember": func(i *Instance, _ *script.Session, a args) (string, error) {
			if a.at(5).IsRef() { // without the type
				return status(i.mirror.join(joining(a, drAsync, 5)))
			}
			kind, err := asyncType(a.text(5))
			if err != nil {
				return status(err)
			}
			return status(i.mirror.join(joining(a, kind, 6)))
		},
		"AddFailoverMember": authorise, "AddNewAsyncMember": authorise, "AuthorizeNewMember": authorise,
		"VerifyMirrorSSLCertificates": func(i *Instance, _ *script.Session, _ args) (string, error) {
			_, err := i.mirror.prepareTLS(true, nil)
			return status(err)
		},
		"AddDatabase": func(i *Instance, _ *script.Session, a args) (string, error) {
			return status(i.mirror.addDatabase(a.text(1), a.text(0)))
		},
		"RemoveMirroredDatabase": func(i *Instance, _ *script.Session, a args) (string, error) {
			return status(i.mirror.removeDatabase(a.text(0)))
		},
		"ActivateMirroredDatabase": func(i *Instance, _ *script.Session, a args) (string, error) {
			return status(i.mirror.activate(a.text(0)))
		},
		"CatchupDB": func(i *Instance, _ *script.Session, _ args) (string, error) { return status(i.mirror.catchUp()) },
		"RemoveMirrorConfiguration": func(i *Instance, _ *script.Session, _ args) (string, error) {
			return status(i.mirror.forget())
		},
		"Promote":              func(i *Instance, _ *script.Session, _ args) (string, error) { return status(i.mirror.promote()) },
		"PromoteWithNoPartner": func(i *Instance, _ *script.Session, _ args) (string, error) { return status(i.mirror.promoteAlone()) },
		"BecomePrimary":        func(i *Instance, _ *script.Session, _ args) (string, error) { return yes(i.mirror.becomePrimary()) },
		"MemberStatusList": func(i *Instance, s *script.Session, _ args) (string, error) {
			for _, l := range i.mirror.report() {
				s.Print(l + "\n")
			}
			return "1", nil
		},
	}
}

func systemMirrorMethods() map[string]method {
	get := func(value func(*mirror) string) method {
		return func(i *Instance, _ *script.Session, _ args) (string, error) {
			i.mirror.mu.Lock()
			defer i.mirror.mu.Unlock()
			return value(i.mirror), nil
		}
	}
	truth := func(holds func(*mirror) bool) method {
		return get(func(m *mirror) string {
			if holds(m) {
				return "1"
			}
			return "0"
		})
	}
	name := get(func(m *mirror) string { return m.conf.Name })
	return map[string]method{
		"IsPrimary":     truth(func(m *mirror) bool { return m.leading }),
		"IsBackup":      truth(func(m *mirror) bool { return m.status == "Backup" }),
		"IsAsyncMember": truth(func(m *mirror) bool { return m.conf.Name != "" && m.conf.Type != failover }),
		"IsMember": get(func(m *mirror) string {
			switch {
			case m.conf.Name == "":
				return "0"
			case m.conf.Type == failover:
				return "1"
			}
			return "2"
		}),
		"MirrorName": name, "GetMirrorNames": name,
		"GetStatus": get(func(m *mirror) string { return strings.ToUpper(m.status) }),
		"GetMemberType": get(func(m *mirror) string {
			if m.conf.Name == "" {
				return notMember
			}
			return m.conf.Type
		}),
		"GetMemberStatus": get(func(m *mirror) string {
			if m.conf.Name == "" {
				return script.List("Not Initialized", "", "")
			}
			transfer, apply := m.progress()
			return script.List(m.status, transfer, apply)
		}),
	}
}

// progress is how far this member is, in the words of the member list. The
// caller holds mu.
func (m *mirror) progress() (transfer, apply string) {
	switch {
	case m.leading:
		return "N/A", "N/A"
	case m.status == "Waiting" || m.status == "In Trouble" || m.status == "Transition":
		return "Disconnected", "Disconnected"
	case m.behind > 0 || m.status == "Synchronizing":
		return fmt.Sprintf("%d records behind", m.behind), "Catchup"
	case m.status == "Backup":
		return "Active", "Caught up"
	}
	return "Caught up", "Caught up"
}

// report is one line for each member, as this member knows it.
func (m *mirror) report() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []string
	for _, p := range m.conf.Members {
		state := "Unknown"
		f := m.followers[p.System]
		switch {
		case p.System == m.conf.System:
			transfer, apply := m.progress()
			state = m.status + "; " + transfer + "; " + apply
		case !m.leading:
		case f == nil || f.links == 0:
			state = "Down; Disconnected; Disconnected"
		case m.isActive(p.System):
			state = "Backup; Active; Caught up"
		default:
			_, behind := m.lacking(f.seqs)
			state = fmt.Sprintf("Connected; %d records behind; Catchup", behind)
			if behind == 0 {
				state = "Connected; Caught up; Caught up"
			}
		}
		out = append(out, fmt.Sprintf("mirror %s member %s %s: %s", m.conf.Name, p.System, p.Type, state))
	}
	for _, p := range m.conf.Pending {
		out = append(out, fmt.Sprintf("mirror %s member %s %s: Pending authorization; %s", m.conf.Name, p.System, p.Type, p.DN))
	}
	if m.conf.Name != "" {
		out = append(out, fmt.Sprintf("mirror %s epoch %d arbitrated=%v databases=%d", m.conf.Name, m.conf.Epoch.Number(), m.conf.Arbitrated, len(m.conf.Databases)))
	}
	return out
}

func existsMirror(i *Instance, _ *script.Session, a args) (string, error) {
	i.mirror.mu.Lock()
	defer i.mirror.mu.Unlock()
	return yes(a.text(0) != "" && strings.EqualFold(i.mirror.conf.Name, a.text(0)))
}

func getMirror(i *Instance, _ *script.Session, a args) (string, error) {
	m := i.mirror
	m.mu.Lock()
	defer m.mu.Unlock()
	if a.text(0) == "" || !strings.EqualFold(m.conf.Name, a.text(0)) {
		return status(fmt.Errorf("ERROR #418: Mirrors '%s' does not exist", a.text(0)))
	}
	host, port, _ := net.SplitHostPort(m.conf.Arbiter)
	if host != "" {
		host += "|" + port
	}
	tls := "0"
	if m.conf.TLS {
		tls = "1"
	}
	for k, v := range map[string]string{"Name": m.conf.Name, "ArbiterNode": host, "UseSSL": tls, "QoSTimeout": fmt.Sprint(m.conf.QoS.Milliseconds())} {
		a.at(1).Put(v, k)
	}
	return "1", nil
}

// modifyMirror changes the arbiter or the timeout, on the primary.
func modifyMirror(i *Instance, _ *script.Session, a args) (string, error) {
	m := i.mirror
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case a.text(0) == "" || !strings.EqualFold(m.conf.Name, a.text(0)):
		return status(fmt.Errorf("ERROR #418: Mirrors '%s' does not exist", a.text(0)))
	case !m.leading:
		return status(errors.New("ERROR #2086: This member is not the primary"))
	}
	props := a.at(1).Subs()
	if _, given := props["ArbiterNode"]; given {
		m.conf.Arbiter = arbiter(props)
	}
	if ms, err := strconv.Atoi(props["QoSTimeout"]); err == nil && ms >= 200 {
		m.conf.QoS = time.Duration(ms) * time.Millisecond
	}
	m.moved.Broadcast()
	return status(m.save())
}

// activate makes a database that was restored from the primary's follow it.
func (m *mirror) activate(dir string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.mirrored(dir) == "" {
		return errors.New("ERROR #2105: Database " + dir + " is not mirrored")
	}
	return nil
}

// catchUp waits until this member lacks nothing, for as long as a script may
// be kept waiting.
func (m *mirror) catchUp() error {
	if m.await(func() bool { return m.leading || m.behind == 0 && (m.status == "Backup" || m.status == "Connected") }) {
		return nil
	}
	return errors.New("ERROR #2086: This member does not catch up")
}

// configure is the action ConfigMirror: it does nothing to a member, except
// that an arbiter may be added.
func (m *mirror) configure(a cpf.Action) error {
	arbiterNode := a.Prop("ArbiterURL")
	m.mu.Lock()
	if m.conf.Name != "" {
		defer m.mu.Unlock()
		if arbiterNode == "" || m.conf.Arbiter != "" {
			return nil
		}
		m.conf.Arbiter = arbiter(map[string]string{"ArbiterNode": arbiterNode})
		return m.save()
	}
	m.mu.Unlock()
	if err := m.i.withSecurity(func(s *security) error { s.service("%Service_Mirror")["Enabled"] = "1"; return nil }); err != nil {
		return err
	}
	info := map[string]string{"ArbiterNode": arbiterNode, "ECPAddress": a.Prop("ECPAddress"), "AgentAddress": a.Prop("AgentAddress"),
		"AgentPort": a.Prop("AgentPort"), "QoSTimeout": a.Prop("QoSTimeout")}
	var tls map[string]string
	if dir := a.Prop("SSLDir"); dir != "" {
		tls = sslDir(dir)
	}
	in := invitation{name: a.Prop("Name"), system: a.Prop("SystemName"), kind: failover, instance: a.Prop("PrimaryInstance"), info: info, tls: tls,
		port: a.Prop("PrimaryAgentPort")}
	if in.instance == "" {
		in.instance = m.i.reg.Name
	}
	in.host, _, _ = strings.Cut(a.Prop("Primary"), ":")
	switch kind := strings.ToLower(a.Prop("Member")); {
	case kind == "primary", kind == "auto" && (in.host == "" || isLocal(in.host)):
		return m.create(in.name, in.system, info, tls)
	case kind == "backup", kind == "auto":
		return m.join(in)
	case kind == "drasync":
		in.kind = drAsync
		return m.join(in)
	case kind == "rorasync":
		in.kind = roAsync
		return m.join(in)
	case kind == "rwrasync":
		in.kind = rwAsync
		return m.join(in)
	}
	return complain("Member must be primary, backup, drasync, rorasync, rwrasync or auto")
}
