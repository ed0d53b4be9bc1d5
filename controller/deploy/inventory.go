package deploy

import (
	"context"

	"icm/controller/state"
	"icm/controller/topology"
)

// InventoryRow is a line of `icm inventory`, and an element of its JSON form.
type InventoryRow struct {
	MachineName string
	Role        string
	IPAddress   string
	DNSName     string
	// Mark is "+" for a mirror's primary and "-" for its backup.
	Mark string `json:"-"`
}

// Inventory lists the recorded nodes; with refresh the provider is asked first
// and the instances file mended.
func (j *Job) Inventory(ctx context.Context, refresh bool) ([]InventoryRow, error) {
	if refresh {
		if err := j.refresh(ctx); err != nil {
			return nil, err
		}
	}
	p, err := j.instances()
	if err != nil {
		return nil, err
	}
	rows := inventoryRows(p.nodes)
	j.mark(ctx, p, rows)
	return rows, nil
}

// mark asks the failover members of mirrors which of them is primary now. One
// that does not answer has no mark.
func (j *Job) mark(ctx context.Context, p provisioned, rows []InventoryRow) {
	var ask []state.Instance
	for _, n := range p.real() {
		if n.Field(mirrorField) != "" && n.Field(memberField) != string(topology.Async) {
			ask = append(ask, n)
		}
	}
	marks := make([]string, len(ask))
	_ = forEach(ctx, machineNames(ask), j.Parallel, func(ctx context.Context, i int, name string) error {
		f, err := j.askFacts(ctx, ask[i], p.dir)
		if err != nil {
			j.World.Report.Report(Event{Kind: Recorded, Subject: name, Text: err.Error()})
			return nil
		}
		switch is := says(f, ask[i].Field("ISCInstance")); {
		case is.primary():
			marks[i] = "+"
		case is.running && is.status == "Backup":
			marks[i] = "-"
		}
		return nil
	})
	for i, n := range ask {
		for k := range rows {
			if rows[k].MachineName == n.MachineName {
				rows[k].Mark = marks[i]
			}
		}
	}
}

func inventoryRows(nodes []state.Instance) []InventoryRow {
	out := make([]InventoryRow, len(nodes))
	for i, n := range nodes {
		out[i] = InventoryRow{MachineName: n.MachineName, Role: n.Role, IPAddress: n.IPAddress, DNSName: n.DNSName}
	}
	return out
}

// refresh asks the provider where the nodes are now.
func (j *Job) refresh(ctx context.Context) error {
	in, err := j.read()
	if err != nil {
		return err
	}
	p, err := j.instances()
	if err != nil {
		return err
	}
	prov, stop, err := j.World.Provider(ctx, in.spec.Provider)
	if err != nil {
		return err
	}
	defer stop() //nolint:errcheck // the answer is what counts
	req, err := j.request(in, p.dir)
	if err != nil {
		return err
	}
	res, err := prov.Inventory(ctx, req)
	if err != nil {
		return err
	}
	return j.saveInstances(in, p.dir, res.Nodes)
}
