package sim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"icm/agent/engine"
	"icm/internal/hint"
	"icm/internal/kind"
	"icm/internal/kitname"
	"icm/internal/wire"
)

// args are the fields of all arguments that the simulation cares for.
type args struct {
	Kit            kind.Kit
	Name           string // of a kit
	URL            string // of a kit
	Version        string
	From           string
	Dir            string
	Settings       map[string]string
	Instance       json.RawMessage
	Secret         string
	PasswordSecret string          `json:"password_secret"`
	PlainSecret    string          `json:"plain_secret"`
	NoFailover     bool            `json:"no_failover"`
	Mirror         json.RawMessage // its name, where it is one
	Type           string
	First          kind.FirstMember
	Want           string
	Arbiter        string
}

// mirror is the name of the mirror that a task is about.
func (a args) mirror() (name string) {
	_ = json.Unmarshal(a.Mirror, &name) // elsewhere it is no name
	return name
}

// version is what the task wants installed: of its instance.
func (a args) wantedVersion() string {
	var i kind.Instance
	if json.Unmarshal(a.Instance, &i) != nil {
		return "" // the instance is given by its name only
	}
	return i.Version
}

// action is a kind on a simulated machine. The machine is locked in all three;
// do is not called when the look is satisfied.
type action struct {
	look func(m *Machine, a args) (satisfied bool, err error)
	do   func(m *Machine, a args) error
	undo func(m *Machine, a args)
	// waits is called instead of do, with the machine unlocked.
	waits func(ctx context.Context, m *Machine) error
}

// Kinds is the table of an agent on m: every kind there is.
func (m *Machine) Kinds() map[string]engine.Kind {
	out := map[string]engine.Kind{}
	for name, info := range kind.Table {
		k := engine.Kind{Look: m.look(name), Do: m.do(name), Undo: m.undo(name)}
		if info.Reversibility == kind.OneWay {
			k.OneWay, k.Undo = info.Why, nil
		}
		out[name] = k
	}
	return out
}

func (m *Machine) look(name string) func(context.Context, *engine.Task) (wire.Look, error) {
	return func(_ context.Context, t *engine.Task) (wire.Look, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		if why := m.refuse[name]; why != "" {
			return wire.Look{Refused: why, Hint: "mend it"}, nil
		}
		ok, err := m.satisfied(name, t)
		if err != nil || ok {
			return wire.Look{Satisfied: ok}, err
		}
		return wire.Look{Diffs: []wire.Diff{{What: name, After: "done"}}}, nil
	}
}

func (m *Machine) satisfied(name string, t *engine.Task) (bool, error) {
	act, known := actions[name]
	if !known {
		return m.marks[mark(t)], nil
	}
	var a args
	if err := json.Unmarshal(t.Args, &a); err != nil {
		return false, err
	}
	return act.look(m, a)
}

// mark names a task of a kind about which there is nothing more to simulate.
func mark(t *engine.Task) string { return t.Kind + " " + string(t.Args) }

func (m *Machine) do(name string) func(context.Context, *engine.Task) error {
	return func(ctx context.Context, t *engine.Task) error {
		if err := m.pass(ctx, name); err != nil {
			return err
		}
		var a args
		if err := json.Unmarshal(t.Args, &a); err != nil {
			return err
		}
		if err := m.take(t, a); err != nil {
			return err
		}
		t.Progress(1, 1, "steps", "")
		if act := actions[name]; act.waits != nil {
			if err := act.waits(ctx, m); err != nil {
				return err
			}
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		if err := m.change(name, t, a); err != nil {
			return err
		}
		m.did = append(m.did, name)
		return nil
	}
}

func (m *Machine) change(name string, t *engine.Task, a args) error {
	act, known := actions[name]
	if why := m.fail[name]; why != "" {
		return &hint.Error{Err: errors.New(why), Hint: "mend it"}
	}
	if !known {
		m.marks[mark(t)] = true
		return nil
	}
	return act.do(m, a)
}

// take takes the secrets that a task asks for, as the real kinds do.
func (m *Machine) take(t *engine.Task, a args) error {
	for _, name := range []string{a.Secret, a.PasswordSecret, a.PlainSecret, a.Kit.CredentialsSecret} {
		if name == "" || t.Kind == kind.IRISVerify {
			continue
		}
		s, err := t.Secret(name)
		if err != nil {
			return err
		}
		t.Logf("the secret %s is %s", name, s.Reveal()) // an installer that talks too much
		m.set(func() { m.secrets[name] = s.Reveal() })
	}
	return nil
}

func (m *Machine) undo(name string) func(context.Context, *engine.Task) error {
	return func(_ context.Context, t *engine.Task) error {
		var a args
		if err := json.Unmarshal(t.Args, &a); err != nil {
			return err
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		if act, known := actions[name]; !known {
			delete(m.marks, mark(t))
		} else if act.undo != nil {
			act.undo(m, a)
		}
		m.did = append(m.did, "undo "+name)
		return nil
	}
}

// actions are the kinds that mean something to each other. The others are
// remembered with their arguments.
var actions = map[string]action{
	kind.KitFetch: {
		look: func(m *Machine, a args) (bool, error) { return m.kits["fetched "+a.Name], knownKit(a.Name) },
		do:   func(m *Machine, a args) error { return m.fetch(a) },
		undo: func(m *Machine, a args) { delete(m.kits, "fetched "+a.Name) },
	},
	kind.KitUnpack: {
		look: func(m *Machine, a args) (bool, error) { return m.kits["unpacked "+a.Name], knownKit(a.Name) },
		do:   func(m *Machine, a args) error { m.kits["unpacked "+a.Name] = true; return nil },
		undo: func(m *Machine, a args) { delete(m.kits, "unpacked "+a.Name) },
	},
	kind.KitRemove: {
		look: func(m *Machine, a args) (bool, error) {
			return !m.kits["fetched "+a.Name] && !m.kits["unpacked "+a.Name], knownKit(a.Name)
		},
		do: func(m *Machine, a args) error { clear(m.kits); return nil },
	},
	kind.IRISInstall: {
		look: func(m *Machine, a args) (bool, error) { return m.version == a.Version, nil },
		do:   func(m *Machine, a args) error { return m.install(a) },
		undo: func(m *Machine, _ args) { m.version, m.running = "", false },
	},
	kind.IRISUpgrade: {
		look: func(m *Machine, a args) (bool, error) { return m.version == a.Version, nil },
		do:   func(m *Machine, a args) error { return m.upgrade(a) },
		undo: func(m *Machine, a args) { m.version = a.From; m.run(false) },
	},
	kind.IRISSnapshot: {
		look: func(*Machine, args) (bool, error) { return false, nil },
		do:   func(m *Machine, _ args) error { m.copied = m.version; return nil },
		undo: func(m *Machine, _ args) { m.copied = "" },
	},
	kind.IRISDiscard: {
		look: func(m *Machine, _ args) (bool, error) { return m.copied == "", nil },
		do:   func(m *Machine, _ args) error { m.copied = ""; return nil },
	},
	kind.IRISConfigure: {
		look: func(m *Machine, a args) (bool, error) { return m.version != "" && m.says(a), nil },
		do:   func(m *Machine, a args) error { return m.configure(a) },
	},
	kind.IRISStart: {
		look: func(m *Machine, _ args) (bool, error) { return m.running, nil },
		do:   func(m *Machine, _ args) error { return m.start() },
		undo: func(m *Machine, _ args) { m.run(false) },
	},
	kind.IRISStop: {
		look: func(m *Machine, _ args) (bool, error) { return !m.running, nil },
		do: func(m *Machine, a args) error {
			m.running = false
			m.net.is(m.Name, m.version, false, !a.NoFailover)
			return nil
		},
		undo: func(m *Machine, _ args) { m.run(true) },
	},
	kind.MirrorCreate: {
		look: inMirror,
		do:   func(m *Machine, a args) error { return m.net.create(a.mirror(), m.Name, m.version) },
		undo: func(m *Machine, _ args) { m.net.leave(m.Name) },
	},
	kind.MirrorJoin: {
		look: inMirror,
		do: func(m *Machine, a args) error {
			return m.net.join(a.mirror(), m.Name, a.First.Member, m.version, a.Type == kind.DRAsync)
		},
		undo: func(m *Machine, _ args) { m.net.leave(m.Name) },
	},
	kind.MirrorLeave: {
		look: func(m *Machine, a args) (bool, error) { in, err := inMirror(m, a); return !in, err },
		do:   func(m *Machine, _ args) error { m.net.leave(m.Name); return nil },
	},
	kind.MirrorArbiter: {
		look: func(m *Machine, a args) (bool, error) {
			return m.net.arbiter(m.Name, func(*mirror) {}) == a.Arbiter, nil
		},
		do: func(m *Machine, a args) error {
			m.net.arbiter(m.Name, func(mi *mirror) { mi.arbiter = a.Arbiter })
			return nil
		},
	},
	kind.MirrorWait: {
		look: func(m *Machine, a args) (bool, error) { return m.placed(a) == nil, nil },
		do:   func(m *Machine, a args) error { return m.placed(a) },
	},
	kind.MirrorTakeover: {
		look:  func(m *Machine, _ args) (bool, error) { return m.Place() == "Primary", nil },
		do:    func(*Machine, args) error { return nil },
		waits: func(ctx context.Context, m *Machine) error { return m.net.takeOver(ctx, m.Name) },
	},
	kind.IRISHealth: {
		look: func(m *Machine, _ args) (bool, error) { return m.running, nil },
		do:   func(m *Machine, _ args) error { return m.needs(m.running, "the instance is down") },
	},
	kind.IRISVerify: {
		look: func(m *Machine, a args) (bool, error) { return m.verified(a) == nil, nil },
		do:   func(m *Machine, a args) error { return m.verified(a) },
	},
	kind.IRISRemove: {
		look: func(m *Machine, _ args) (bool, error) { return m.version == "", nil },
		do:   func(m *Machine, _ args) error { return m.remove() },
	},
	kind.DataRemove: {
		look: func(m *Machine, _ args) (bool, error) { return !m.data, nil },
		do:   func(m *Machine, _ args) error { m.data = false; return nil },
	},
}

func inMirror(m *Machine, _ args) (bool, error) {
	name, _, _ := m.net.place(m.Name)
	return name != "", nil
}

// placed is an error unless the member has the place that is waited for.
func (m *Machine) placed(a args) error {
	place := m.Place()
	want := map[string]string{kind.WantBackup: "Backup", kind.WantAsync: "Connected", kind.WantPrimary: "Primary"}[a.Want]
	return m.needs(place == want, fmt.Sprintf("waited to be %s, last seen: %s", want, place))
}

func knownKit(name string) error { _, err := kitname.Parse(name); return err }

func (m *Machine) needs(ok bool, why string) error {
	if ok {
		return nil
	}
	return errors.New(why)
}

func (m *Machine) fetch(a args) error {
	m.kits["fetched "+a.Name] = true
	return m.needs(!strings.HasPrefix(a.URL, kind.FromController) || m.kits["arrived "+a.Name], "the controller has not brought the kit")
}

func (m *Machine) install(a args) error {
	m.version, m.dir = a.Version, a.Dir
	return m.needs(m.kits["unpacked "+a.Kit.Name], "the kit is not unpacked")
}

func (m *Machine) upgrade(a args) error {
	switch {
	case m.running:
		return errors.New("the instance runs")
	case m.copied != m.version:
		return errors.New("there is no copy of the old version")
	case !m.kits["unpacked "+a.Kit.Name]:
		return errors.New("the kit is not unpacked")
	}
	m.version = a.Version
	return nil
}

func (m *Machine) says(a args) bool {
	for k, v := range a.Settings {
		if m.cpf[k] != v {
			return false
		}
	}
	return true
}

func (m *Machine) configure(a args) error {
	if m.running {
		return errors.New("the instance runs")
	}
	for k, v := range a.Settings {
		m.cpf[k] = v
	}
	return m.needs(m.version != "", "there is no instance")
}

func (m *Machine) start() error {
	m.data = true
	m.run(m.version != "")
	return m.needs(m.running, "there is no instance IRIS on this node")
}

func (m *Machine) verified(a args) error {
	if v := a.wantedVersion(); v != "" && v != m.version {
		return fmt.Errorf("the version is %s, not %s", m.version, v)
	}
	return m.needs(m.version != "" && m.says(a), "the configuration is not what was asked for")
}

func (m *Machine) remove() error {
	if m.running {
		return errors.New("the instance runs")
	}
	m.version, m.copied = "", ""
	m.net.leave(m.Name)
	for k := range m.marks {
		if strings.HasPrefix(k, "iris.") || strings.HasPrefix(k, "ecp.") || strings.HasPrefix(k, "account.") || strings.HasPrefix(k, "mirror.") || strings.HasPrefix(k, "shard.") || strings.HasPrefix(k, "cluster.") {
			delete(m.marks, k)
		}
	}
	clear(m.cpf)
	return nil
}
