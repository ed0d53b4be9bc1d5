package instance

import (
	"errors"
	"strings"

	"icm/labkit/internal/cpf"
	"icm/labkit/internal/script"
)

func mirrorMethods() map[string]method {
	return map[string]method{
		"CreateNewMirrorSet": func(i *Instance, _ *script.Session, a args) (string, error) {
			return status(i.mirror.create(a.text(0), a.text(1), a.at(2).Subs()))
		},
		"JoinMirrorAsFailoverMember": func(i *Instance, _ *script.Session, a args) (string, error) {
			return status(i.mirror.join(a.text(0), a.text(1), failover, a.text(2), a.text(3), a.text(4), a.at(5).Subs()))
		},
		"JoinMirrorAsAsyncMember": func(i *Instance, _ *script.Session, a args) (string, error) {
			return status(i.mirror.join(a.text(0), a.text(1), drAsync, a.text(2), a.text(3), a.text(4), a.at(5).Subs()))
		},
		"AddDatabase": func(i *Instance, _ *script.Session, a args) (string, error) {
			return status(i.mirror.addDatabase(a.text(1), a.text(0)))
		},
		"ActivateMirroredDatabase": func(*Instance, *script.Session, args) (string, error) { return "1", nil },
		"CatchupDB":                func(*Instance, *script.Session, args) (string, error) { return "1", nil },
		"RemoveMirrorConfiguration": func(i *Instance, _ *script.Session, _ args) (string, error) {
			return status(i.mirror.forget())
		},
	}
}

func systemMirrorMethods() map[string]method {
	is := func(words ...string) method {
		return func(i *Instance, _ *script.Session, _ args) (string, error) {
			i.mirror.mu.Lock()
			defer i.mirror.mu.Unlock()
			for _, w := range words {
				if i.mirror.status == w || i.mirror.conf.Type == w {
					return "1", nil
				}
			}
			return "0", nil
		}
	}
	text := func(get func(*mirror) string) method {
		return func(i *Instance, _ *script.Session, _ args) (string, error) {
			i.mirror.mu.Lock()
			defer i.mirror.mu.Unlock()
			return get(i.mirror), nil
		}
	}
	return map[string]method{
		"IsPrimary": is("Primary"), "IsBackup": is("Backup"), "IsAsyncMember": is(drAsync), "IsMember": is(failover, drAsync),
		"MirrorName": text(func(m *mirror) string { return m.conf.Name }),
		"GetStatus":  text(func(m *mirror) string { return strings.ToUpper(m.status) }),
		"GetMemberType": text(func(m *mirror) string {
			if m.conf.Type == "" {
				return "Not Member"
			}
			return m.conf.Type
		}),
		"GetMemberStatus": text(func(m *mirror) string {
			if m.conf.Name == "" {
				return script.List("Not Initialized", "", "")
			}
			return script.List(m.status, "", "")
		}),
	}
}

// forget leaves the mirror; the instance must be restarted, as the real one.
func (m *mirror) forget() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.conf.Name == "" {
		return errors.New("ERROR #2086: This instance is not a mirror member")
	}
	name := m.conf.Name
	m.setStatus("Stopped")
	m.conf = mirrorConfig{}
	if err := m.save(); err != nil {
		return err
	}
	m.i.mu.Lock()
	defer m.i.mu.Unlock()
	m.i.conf.Delete("Mirrors", name)
	m.i.conf.Set("MirrorMember", "JoinMirror", "0")
	return m.i.conf.Save(m.i.reg.CPFPath())
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
		m.conf.Arbiter = arbiterNode
		return m.save()
	}
	m.mu.Unlock()
	if err := m.i.withSecurity(func(s *security) error { s.service("%Service_Mirror")["Enabled"] = "1"; return nil }); err != nil {
		return err
	}
	info := map[string]string{"ArbiterNode": arbiterNode, "ECPAddress": a.Prop("ECPAddress")}
	system := a.Prop("SystemName")
	if system == "" {
		system = hostname() + "/" + m.i.reg.Name
	}
	host, _, _ := strings.Cut(a.Prop("Primary"), ":")
	switch member := strings.ToLower(a.Prop("Member")); {
	case member == "primary", member == "auto" && (host == "" || isLocal(host)):
		return m.create(a.Prop("Name"), system, info)
	case member == "backup", member == "auto":
		return m.join(a.Prop("Name"), system, failover, m.i.reg.Name, host, "", info)
	case member == "drasync":
		return m.join(a.Prop("Name"), system, drAsync, m.i.reg.Name, host, "", info)
	}
	return complain("Member must be primary, backup, drasync or auto")
}
