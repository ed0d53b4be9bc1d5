package deploy

import (
	"context"
	"errors"
	"strings"
	"time"

	"icm/controller/remote"
	"icm/controller/spec"
	"icm/controller/state"
	"icm/internal/wire"
)

// psLimit bounds how long a node may take to answer `icm ps`.
const psLimit = 20 * time.Second

// PSRow is a line of `icm ps`, and an element of its JSON form.
type PSRow struct {
	MachineName  string
	Role         string
	IPAddress    string
	DNSName      string
	ISCInstance  string
	Kit          string
	Status       string
	Health       string
	MirrorStatus string `json:"MirrorStatus,omitempty"`
}

// Words of the Status column for nodes on which no instance can be asked.
const (
	statusUnreachable  = "unreachable"
	statusNotInstalled = "not installed"
	statusChanging     = "changing"
	statusHalf         = "half installed"
	statusNoAgent      = "no agent"
)

// PS asks every selected node for its instances. A node that does not answer
// is a row, not an error.
func (j *Job) PS(ctx context.Context) ([]PSRow, error) {
	p, err := j.instances()
	if err != nil {
		return nil, err
	}
	nodes := p.real()
	rows := make([][]PSRow, len(nodes))
	_ = forEach(ctx, machineNames(nodes), j.Parallel, func(ctx context.Context, i int, _ string) error {
		ctx, cancel := context.WithTimeout(ctx, psLimit)
		defer cancel()
		rows[i] = j.psNode(ctx, nodes[i], p.dir)
		return nil
	})
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	var out []PSRow
	for _, r := range rows {
		out = append(out, r...)
	}
	return out, j.tellDebts(p.dir)
}

func (j *Job) psNode(ctx context.Context, n state.Instance, dir *state.Dir) []PSRow {
	row := PSRow{MachineName: n.MachineName, Role: n.Role, IPAddress: n.IPAddress, DNSName: n.DNSName}
	with := func(status string) []PSRow { row.Status = status; return []PSRow{row} }
	a, err := j.address(n, dir)
	if err != nil {
		return with(statusUnreachable)
	}
	node, err := j.World.Connect(ctx, a)
	switch {
	case errors.Is(err, remote.ErrUnfit), errors.Is(err, remote.ErrNoSudo):
		return with(statusNoAgent)
	case err != nil:
		j.World.Report.Report(Event{Kind: Recorded, Subject: n.MachineName, Text: err.Error()})
		return with(statusUnreachable)
	}
	defer node.Close()
	var reply wire.InstancesReply
	if err := node.Call(ctx, wire.MethodInstances, wire.InstancesRequest{}, &reply); err != nil {
		j.World.Report.Report(Event{Kind: Recorded, Subject: n.MachineName, Text: err.Error()})
		return with(statusUnreachable)
	}
	if len(reply.Instances) == 0 {
		return with(absence(ctx, node, spec.MakeFields(n.Fields)))
	}
	var out []PSRow
	for _, inst := range reply.Instances {
		r := row
		r.ISCInstance, r.Kit, r.Status, r.Health = inst.Name, inst.Version, inst.Status, inst.Health
		r.MirrorStatus = strings.ToUpper(inst.MirrorStatus)
		out = append(out, r)
	}
	return out
}

// absence says why a node has no instance: nothing was asked of it, something
// is at work, or something stopped half way.
func absence(ctx context.Context, node Node, _ spec.Fields) string {
	var reply wire.ChangesReply
	if err := node.Call(ctx, wire.MethodChanges, wire.ChangesRequest{}, &reply); err != nil || len(reply.Changes) == 0 {
		return statusNotInstalled
	}
	last := reply.Changes[len(reply.Changes)-1]
	switch {
	case !last.Status.Ended():
		return statusChanging
	case strings.HasPrefix(last.Change.Summary, string(VerbInstall)) && last.Status == wire.StatusError:
		return statusHalf
	default:
		return statusNotInstalled
	}
}
