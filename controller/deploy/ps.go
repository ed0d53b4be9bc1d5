package deploy

import (
	"context"
	"errors"
	"strings"
	"sync"

	"icm/controller/remote"
	"icm/controller/state"
	"icm/internal/wire"
)

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
	w := j.Watch()
	defer w.Close()
	return w.PS(ctx)
}

// PS asks every selected node for its instances, again.
func (w *Watch) PS(ctx context.Context) ([]PSRow, error) {
	var mu sync.Mutex
	rows := map[string][]PSRow{}
	p, err := w.each(ctx, answerLimit, func(ctx context.Context, _ int, n state.Instance, node Node, err error) error {
		list, err := w.job.psNode(ctx, n, node, err)
		mu.Lock()
		defer mu.Unlock()
		rows[n.MachineName] = list
		return err
	})
	if err != nil {
		return nil, err
	}
	var out []PSRow
	for _, n := range p.real() {
		out = append(out, rows[n.MachineName]...)
	}
	return out, w.job.tellDebts(p.dir)
}

// psNode is what a node says. The error ends its connection.
func (j *Job) psNode(ctx context.Context, n state.Instance, node Node, err error) ([]PSRow, error) {
	row := PSRow{MachineName: n.MachineName, Role: n.Role, IPAddress: n.IPAddress, DNSName: n.DNSName}
	with := func(status string, err error) ([]PSRow, error) {
		row.Status = status
		return []PSRow{row}, err
	}
	switch {
	case errors.Is(err, remote.ErrUnfit), errors.Is(err, remote.ErrNoSudo):
		return with(statusNoAgent, err)
	case err != nil:
		j.World.Report.Report(Event{Kind: Recorded, Subject: n.MachineName, Text: err.Error()})
		return with(statusUnreachable, err)
	}
	var reply wire.InstancesReply
	if err := node.Call(ctx, wire.MethodInstances, wire.InstancesRequest{}, &reply); err != nil {
		j.World.Report.Report(Event{Kind: Recorded, Subject: n.MachineName, Text: err.Error()})
		return with(statusUnreachable, err)
	}
	if len(reply.Instances) == 0 {
		return with(absence(ctx, node), nil)
	}
	var out []PSRow
	for _, inst := range reply.Instances {
		r := row
		r.ISCInstance, r.Kit, r.Status, r.Health = inst.Name, inst.Version, inst.Status, inst.Health
		r.MirrorStatus = strings.ToUpper(inst.MirrorStatus)
		out = append(out, r)
	}
	return out, nil
}

// absence says why a node has no instance: nothing was asked of it, something
// is at work, or something stopped half way.
func absence(ctx context.Context, node Node) string {
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
