package sim

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"icm/internal/wire"
)

// Machine is a simulated machine: what task kinds find and change on it. It
// outlives its agent, as a real one does.
type Machine struct {
	Name string

	net     *Net
	mu      sync.Mutex
	version string // of the instance, "" for none
	dir     string
	running bool
	cpf     map[string]string
	kits    map[string]bool // "fetched NAME", "unpacked NAME"
	copied  string          // version that was copied before an upgrade
	marks   map[string]bool // tasks of other kinds that are done, with their arguments
	data    bool
	secrets map[string]string // as tasks got them
	did     []string          // kinds, in the order in which their do ended; "undo KIND" too

	fail     map[string]string        // kind → why its do fails
	refuse   map[string]string        // kind → why its look refuses
	gates    map[string]chan struct{} // kind → its do waits until this is closed
	entered  map[string]chan struct{} // kind → closed when its do has begun to wait
	findings []wire.Finding
	ails     []wire.HealthFinding
	clock    time.Duration // how far its clock is off
	asked    []wire.HealthRequest
	byHand   []wire.Surveyed
}

// NewMachine makes a bare machine.
func NewMachine(name string) *Machine { return NewMachineIn(NewNet(), name) }

// NewMachineIn makes a bare machine that sees others.
func NewMachineIn(net *Net, name string) *Machine {
	return &Machine{
		Name: name, net: net, cpf: map[string]string{}, kits: map[string]bool{}, marks: map[string]bool{},
		secrets: map[string]string{}, fail: map[string]string{}, refuse: map[string]string{},
		gates: map[string]chan struct{}{}, entered: map[string]chan struct{}{},
	}
}

// Fail makes every task of a kind fail; "" mends it.
func (m *Machine) Fail(kind, why string) { m.set(func() { m.fail[kind] = why }) }

// Refuse makes looks of a kind refuse; "" mends it.
func (m *Machine) Refuse(kind, why string) { m.set(func() { m.refuse[kind] = why }) }

// Find makes preflight checks find these.
func (m *Machine) Find(f ...wire.Finding) { m.set(func() { m.findings = f }) }

// Ail makes the node find these when it looks at itself.
func (m *Machine) Ail(f ...wire.HealthFinding) { m.set(func() { m.ails = f }) }

// SetClock puts the node's clock off.
func (m *Machine) SetClock(off time.Duration) { m.set(func() { m.clock = off }) }

// Asked are the questions about its health that the node was asked.
func (m *Machine) Asked() (list []wire.HealthRequest) {
	m.set(func() { list = slices.Clone(m.asked) })
	return list
}

func (m *Machine) health(_ context.Context, req wire.HealthRequest) (wire.HealthReply, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked = append(m.asked, req)
	now := time.Now().Add(m.clock)
	return wire.HealthReply{Now: now, At: now, Findings: slices.Clone(m.ails)}, nil
}

// Hold makes tasks of a kind wait until open is called. held is closed when
// one waits.
func (m *Machine) Hold(kind string) (held <-chan struct{}, open func()) {
	gate, entered := make(chan struct{}), make(chan struct{})
	m.set(func() { m.gates[kind], m.entered[kind] = gate, entered })
	return entered, sync.OnceFunc(func() {
		m.set(func() { delete(m.gates, kind) })
		close(gate)
	})
}

// SetRunning starts or stops the instance behind everybody's back.
func (m *Machine) SetRunning(running bool) { m.set(func() { m.run(running) }) }

// run starts or stops the instance, and lets the others know.
func (m *Machine) run(running bool) {
	m.running = running
	m.net.is(m.Name, m.version, running, true)
}

// CannotTakeOver keeps the instance from becoming a primary, or no longer.
func (m *Machine) CannotTakeOver(stuck bool) { m.net.stick(m.Name, stuck) }

// Place is what the instance says of its mirror: "Primary", or "" for none.
func (m *Machine) Place() string {
	_, _, status := m.net.place(m.Name)
	return status
}

// Version is the installed version, "" for none.
func (m *Machine) Version() (v string) { m.set(func() { v = m.version }); return v }

// Running reports whether the instance runs.
func (m *Machine) Running() (r bool) { m.set(func() { r = m.running }); return r }

// Setting is a line of iris.cpf: "config.globals".
func (m *Machine) Setting(key string) (v string) { m.set(func() { v = m.cpf[key] }); return v }

// Secret is a secret as a task got it.
func (m *Machine) Secret(name string) (v string) { m.set(func() { v = m.secrets[name] }); return v }

// HasData reports whether data lies on the volumes.
func (m *Machine) HasData() (d bool) { m.set(func() { d = m.data }); return d }

// Did lists the kinds of the tasks that ended well, and "undo KIND" of those
// that were undone, in order.
func (m *Machine) Did() (list []string) {
	m.set(func() { list = slices.Clone(m.did) })
	return list
}

// arrive keeps a kit that the controller sent.
func (m *Machine) arrive(name string) {
	m.set(func() { m.kits["arrived "+name] = true; m.did = append(m.did, "arrived "+name) })
}

// Forget empties the list that Did returns.
func (m *Machine) Forget() { m.set(func() { m.did = nil }) }

func (m *Machine) set(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}

// pass waits at the gate of a kind, if there is one.
func (m *Machine) pass(ctx context.Context, kind string) error {
	m.mu.Lock()
	gate, entered := m.gates[kind], m.entered[kind]
	if gate != nil && entered != nil {
		close(entered)
		delete(m.entered, kind)
	}
	m.mu.Unlock()
	if gate == nil {
		return nil
	}
	select {
	case <-gate:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// instances is what `iris qlist` would say.
func (m *Machine) instances(context.Context) ([]wire.Instance, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.version == "" {
		return nil, nil
	}
	in := wire.Instance{Name: "IRIS", Dir: m.dir, Version: m.version, Status: "down"}
	if m.running {
		in.Status, in.Health = "running", "ok"
		_, in.MirrorType, in.MirrorStatus = m.net.place(m.Name)
	}
	return []wire.Instance{in}, nil
}

func (m *Machine) facts(ctx context.Context) (wire.Facts, error) {
	list, err := m.instances(ctx)
	return wire.Facts{Hostname: strings.ToLower(m.Name), Arch: "amd64", Instances: list}, err
}

func (m *Machine) check(context.Context, wire.CheckRequest) (wire.CheckReply, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return wire.CheckReply{Findings: slices.Clone(m.findings)}, nil
}

func (m *Machine) session(_ context.Context, req wire.SessionRequest) (wire.SessionReply, error) {
	return wire.SessionReply{Out: m.Name + " ran " + req.Code + " in " + req.Namespace + "\n"}, nil
}
