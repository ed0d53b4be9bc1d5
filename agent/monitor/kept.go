package monitor

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"icm/internal/kind"
	"icm/internal/wire"
)

// kept is a task that was done, and that says how something is to be from then
// on. The journal forgets old changes; this does not.
type kept struct {
	Task     wire.Task `json:"task"`
	Instance string    `json:"instance,omitempty"` // that it is about
	Change   string    `json:"change"`             // whose task it is
}

// keep takes over what the engine's changes have set since the last round,
// oldest first.
func (mem *memory) keep(ctx context.Context, e Engine) error {
	if d := e.Deployment(); d != mem.Deployment { // what another deployment set is none of ours
		mem.Deployment, mem.Kept, mem.Taken = d, map[string]kept{}, nil
	}
	if mem.Deployment == "" {
		return nil
	}
	changes, err := e.Changes(ctx, "")
	if err != nil {
		return err
	}
	var taken []string
	for _, c := range changes {
		id := c.Change.ID
		switch {
		case c.Status == wire.StatusUndone: // perhaps after it was taken over
			maps.DeleteFunc(mem.Kept, func(_ string, k kept) bool { return k.Change == id })
			continue
		case !c.Status.Ended():
			continue
		case !slices.Contains(mem.Taken, id):
			mem.take(c)
		}
		taken = append(taken, id)
	}
	mem.Taken = taken
	return nil
}

func (mem *memory) take(c wire.ChangeState) {
	for i, t := range c.Tasks {
		if t.Status == wire.StatusDone && i < len(c.Change.Tasks) {
			mem.keepTask(c.Change.Tasks[i], c.Change.ID)
		}
	}
}

// settled takes over a task that was looked at and is as it should be: its
// arguments are what counts from now on, also where the node was so before
// icm came.
func (mem *memory) settled(t wire.Task) {
	if key, instance := subject(t); mem.Deployment != "" && driftKinds[t.Kind] != "" {
		mem.Kept[key] = kept{Task: t, Instance: instance, Change: mem.Kept[key].Change}
	}
}

func (mem *memory) keepTask(t wire.Task, change string) {
	switch t.Kind {
	case kind.IRISRemove:
		_, instance := subject(t)
		maps.DeleteFunc(mem.Kept, func(_ string, k kept) bool {
			return k.Instance != "" && strings.EqualFold(k.Instance, instance) || k.Task.Kind == kind.DirEnsure || k.Task.Kind == kind.TLSInstall
		})
		return
	case kind.VolumeRelease:
		key, _ := subject(t)
		delete(mem.Kept, key)
		return
	case kind.AgentRemove:
		delete(mem.Kept, kind.AgentRun)
		return
	case kind.GatewayRemove:
		maps.DeleteFunc(mem.Kept, func(_ string, k kept) bool { return driftKinds[k.Task.Kind] == CheckGateway })
		return
	case kind.NodeRestore:
		var a kind.Restore
		_ = json.Unmarshal(t.Args, &a) // was run: it can be read
		maps.DeleteFunc(mem.Kept, func(_ string, k kept) bool { return slices.Contains(a.Kinds, k.Task.Kind) })
		return
	}
	if key, instance := subject(t); key != "" {
		mem.Kept[key] = kept{Task: t, Instance: instance, Change: change}
	}
}

// subject says what a task sets, "" for one that sets nothing that lasts, and
// which instance it is about.
func subject(t wire.Task) (key, instance string) {
	var a struct {
		Purpose, Path, Name, Namespace string
		Instance                       json.RawMessage
	}
	_ = json.Unmarshal(t.Args, &a) // a task without arguments sets nothing
	instance = instanceIn(a.Instance)
	of := func(what string) (string, string) { return what + " " + strings.ToUpper(instance), instance }
	switch t.Kind {
	case kind.VolumeMount, kind.VolumeRelease:
		return "volume " + a.Purpose, ""
	case kind.DirEnsure:
		return "dir " + a.Path, ""
	case kind.SSHHarden, kind.AccountEnsure, kind.KernelSet, kind.AgentRun, kind.TLSInstall, kind.GatewayInstall, kind.GatewayConfigure:
		return t.Kind, ""
	case kind.GatewayCheck:
		return "page " + a.Path, ""
	case kind.IRISUnit: // the instance's own fields stand beside the others
		instance = a.Name
		return of(t.Kind)
	case kind.IRISInstall, kind.IRISConfigure, kind.IRISLicense, kind.IRISRemove, kind.ShardEnable:
		return of(t.Kind)
	case kind.IRISStart, kind.IRISStop:
		return of("power")
	case kind.IRISNamespace:
		return t.Kind + " " + strings.ToUpper(instance+" "+a.Name), instance
	case kind.ECPConnect:
		return t.Kind + " " + strings.ToUpper(instance+" "+a.Namespace), instance
	}
	return "", instance
}

// instanceIn reads a name, or an object with one.
func instanceIn(raw json.RawMessage) string {
	var name string
	var object struct{ Name string }
	if json.Unmarshal(raw, &name) == nil {
		return name
	}
	_ = json.Unmarshal(raw, &object) // neither is no instance
	return object.Name
}

// Settled tells the monitor of tasks that were looked at: what is as a task
// wants it is wanted so, also where an older task wanted something else. The
// next round takes it over.
func (m *Monitor) Settled(tasks []wire.Task, looks []wire.Look) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, t := range tasks {
		if i < len(looks) && looks[i].Satisfied && driftKinds[t.Kind] != "" && len(m.pending) < maxPending {
			m.pending = append(m.pending, t)
		}
	}
}

// maxPending bounds what Settled keeps for the next round.
const maxPending = 200
