package deploy

import (
	"context"
	"maps"

	"icm/controller/state"
	"icm/internal/wire"
)

// remember lets the nodes keep what icm would need if its state directory were
// lost. A node that knows it already is not asked. One that cannot be told is
// a warning: what was asked for is done.
func (j *Job) remember(ctx context.Context, s *site, nodes map[string]Node, facts map[string]wire.Facts, fence wire.Fence) {
	var names []string
	var told []wire.Membership
	for _, n := range s.real() {
		m := j.membership(s, n)
		if nodes[n.MachineName] != nil && !sameMembership(facts[n.MachineName].Membership, m) {
			names, told = append(names, n.MachineName), append(told, m)
		}
	}
	err := forEach(ctx, names, j.Parallel, func(ctx context.Context, i int, name string) error {
		return fromAgent(ask(ctx, nodes[name], wire.MethodRemember, wire.RememberRequest{Fence: fence, Membership: told[i]}, &wire.RememberReply{}))
	})
	if err != nil {
		j.warn("what icm recover would need is not up to date everywhere: %v", err)
	}
}

// membership is what a node is to keep.
func (j *Job) membership(s *site, n state.Instance) wire.Membership {
	if now := state.FindInstance(s.all, n.MachineName); now != nil {
		n = *now // with the fields that the operation recorded
	}
	return wire.Membership{
		Deployment: s.dir.ID, MachineName: n.MachineName, Role: n.Role, Definition: definitionOf(n),
		Label: s.spec.Label, Tag: s.spec.Tag, Fields: n.Public(), Updated: j.World.Now().UTC(),
	}
}

func sameMembership(have *wire.Membership, want wire.Membership) bool {
	return have != nil && have.Deployment == want.Deployment && have.MachineName == want.MachineName &&
		have.Role == want.Role && have.Definition == want.Definition && have.Label == want.Label && have.Tag == want.Tag &&
		maps.Equal(have.Fields, want.Fields)
}
