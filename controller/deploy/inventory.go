package deploy

import (
	"context"

	"icm/controller/state"
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
	return inventoryRows(p.nodes), nil
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
