package sim

import (
	"context"
	"testing"

	"icm/internal/wire"
)

// Memberships are what the machines were told of their deployments, by name of
// the machine.
func (s *Site) Memberships(t testing.TB) []wire.Membership {
	t.Helper()
	var out []wire.Membership
	for _, m := range s.Machines() {
		var f wire.Facts
		s.Agent(m.Name).call(t, wire.MethodFacts, wire.FactsRequest{}, &f)
		if f.Membership != nil {
			out = append(out, *f.Membership)
		}
	}
	return out
}

// Told makes a machine belong to a deployment.
func (s *Site) Told(t testing.TB, machine string, m wire.Membership) {
	t.Helper()
	req := wire.RememberRequest{Fence: wire.Fence{Deployment: m.Deployment, Number: m.Fence}, Membership: m}
	s.Agent(machine).call(t, wire.MethodRemember, req, &wire.RememberReply{})
}

func (a *Agent) call(t testing.TB, method string, req, reply any) {
	t.Helper()
	c, err := a.dial()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Call(context.Background(), method, req, reply); err != nil {
		t.Fatal(err)
	}
}
