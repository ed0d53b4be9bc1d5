package deploy_test

import (
	"slices"
	"testing"

	"icm/controller/deploy"
	"icm/tests/sim"
)

func TestInstallPlansWhatIsMissingAndNothingAfterwards(t *testing.T) {
	s := provisioned(t, cluster)
	p := planOf(t, s, deploy.VerbInstall)
	if got := p.Nodes(); !slices.Equal(got, []string{dm, am1, am2}) {
		t.Errorf("the plan is for %v", got)
	}
	operate(t, s, deploy.VerbInstall)
	for _, m := range s.Machines() {
		if m.Version() != "2023.1.0.235.1" || !m.Running() {
			t.Errorf("%s has version %q, running %v", m.Name, m.Version(), m.Running())
		}
	}
	if p := planOf(t, s, deploy.VerbInstall); !p.Empty() {
		t.Errorf("there is something left: %+v", p.Stages)
	}
	if res := operate(t, s, deploy.VerbInstall); !res.Nothing {
		t.Error("a second installation did something")
	}
}

func TestAfterEveryVerbItsPlanIsEmpty(t *testing.T) {
	s := provisioned(t, cluster)
	if p := planOf(t, s, deploy.VerbProvision); !p.Empty() {
		t.Errorf("provision leaves %+v", p.Stages)
	}
	for _, verb := range []deploy.Verb{deploy.VerbInstall, deploy.VerbStop, deploy.VerbStart, deploy.VerbUpgrade, deploy.VerbUninstall} {
		if verb == deploy.VerbUpgrade {
			s.Write("defaults.json", sim.Defaults(kit(sim.NewKit)))
		}
		if operate(t, s, verb).Nothing {
			t.Errorf("%s did nothing", verb)
		}
		if p := planOf(t, s, verb); !p.Empty() {
			t.Errorf("%s leaves %+v", verb, p.Stages)
		}
	}
}
