package deploy_test

import (
	"errors"
	"testing"

	"icm/controller/deploy"
	"icm/internal/kind"
	"icm/tests/sim"
)

// A hold can always be left: whoever stopped an operation goes on with it, takes
// it back, or does something else, and nothing is in the way of what comes next.
func TestAHoldCanAlwaysBeLeft(t *testing.T) {
	const newer, older = "2024.1.0.267.2", "2023.1.0.235.1"
	for _, c := range []struct {
		name  string
		leave func(t *testing.T, s *sim.Site)
		want  string // version in the end
	}{
		{"by going on", func(t *testing.T, s *sim.Site) {
			_, err := job(s, "resume").Resume(t.Context(), "")
			noError(t, err)
		}, newer},
		{"by taking it back", func(t *testing.T, s *sim.Site) {
			_, _, err := job(s, "undo").Undo(t.Context(), "")
			noError(t, err)
		}, older},
		{"by the same command", func(t *testing.T, s *sim.Site) { operate(t, s, deploy.VerbUpgrade) }, newer},
		{"by another command", func(t *testing.T, s *sim.Site) { operate(t, s, deploy.VerbStop); operate(t, s, deploy.VerbStart) }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := installed(t, cluster)
			s.Write("defaults.json", sim.Defaults(kit(sim.NewKit)))
			heldInTheMiddle(t, s)
			c.leave(t, s)
			for _, m := range s.Machines() {
				if c.want != "" && m.Version() != c.want {
					t.Errorf("%s has version %s, want %s", m.Name, m.Version(), c.want)
				}
			}
			operate(t, s, deploy.VerbStop)
			if p := planOf(t, s, deploy.VerbStop); !p.Empty() {
				t.Errorf("the next command is kept from its work: %+v", p.Stages)
			}
		})
	}
}

// heldInTheMiddle upgrades until the first node has its new version, and holds.
func heldInTheMiddle(t *testing.T, s *sim.Site) {
	t.Helper()
	upgrading, open := s.Machine(am1).Hold(kind.IRISUpgrade)
	r := begin(t, s, deploy.VerbUpgrade)
	wait(t, upgrading, "the upgrade of a node")
	_, err := job(s, "hold").Hold("")
	noError(t, err)
	open()
	var held *deploy.HeldError
	if err := wait(t, r.ended, "the hold"); !errors.As(err, &held) {
		t.Fatalf("it was not held: %v", err)
	}
	elsewhere(t, stateDir(t, s).Path) // this process lives, and so would the operation
	_, err = job(s, "unlock").Unlock()
	noError(t, err)
}

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
