package deploy_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"icm/controller/deploy"
	"icm/controller/state"
	"icm/internal/hint"
	"icm/internal/kind"
	"icm/internal/secret"
	"icm/internal/wire"
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
	verbs := []deploy.Verb{deploy.VerbInstall, deploy.VerbStop, deploy.VerbStart, deploy.VerbUpgrade, deploy.VerbUninstall}
	for _, verb := range deploy.Verbs {
		if verb != deploy.VerbProvision && !slices.Contains(verbs, verb) {
			t.Errorf("nobody looks at what %s leaves", verb)
		}
	}
	for _, verb := range verbs {
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

func TestKitsAreEverywhereBeforeAnythingIsInstalled(t *testing.T) {
	p := planOf(t, provisioned(t, cluster), deploy.VerbInstall)
	staged := map[string]bool{}
	for _, ch := range p.Stages[0].Changes {
		staged[ch.Node] = ch.Tasks[len(ch.Tasks)-1].Kind == kind.KitUnpack
	}
	if len(staged) != 3 || !staged[dm] || !staged[am1] || !staged[am2] {
		t.Errorf("the first stage unpacks on %v", staged)
	}
	for _, st := range p.Stages[1:] {
		for _, ch := range st.Changes {
			for _, task := range ch.Tasks {
				if task.Kind == kind.KitFetch || task.Kind == kind.KitUnpack {
					t.Errorf("stage %s still brings kits", st.Name)
				}
			}
		}
	}
}

func TestAnUpgradeGoesNodeByNodeAndReachesTheDataServerLast(t *testing.T) {
	s := installed(t, cluster)
	s.Write("defaults.json", sim.Defaults(kit(sim.NewKit)))
	var order []string
	for _, st := range planOf(t, s, deploy.VerbUpgrade).Stages {
		if !strings.HasPrefix(st.Name, "upgrade ") {
			continue
		}
		if len(st.Changes) != 1 {
			t.Errorf("stage %s is for %d nodes", st.Name, len(st.Changes))
		}
		order = append(order, st.Changes[0].Node)
	}
	if !slices.Equal(order, []string{am1, am2, dm}) {
		t.Errorf("the order is %v", order)
	}
}

func TestAFailingUpgradeBringsTheOldVersionBackAndStopsThere(t *testing.T) {
	s := installed(t, cluster)
	s.Write("defaults.json", sim.Defaults(kit(sim.NewKit)))
	s.Machine(am2).Fail(kind.IRISHealth, "it never became ready")
	err := fails(t.Context(), t, s, deploy.VerbUpgrade)
	var nodes *deploy.NodeErrors
	if !errors.As(err, &nodes) || len(nodes.Errs) != 1 || nodes.Errs[0].Node != am2 {
		t.Fatalf("the error is %v", err)
	}
	if nodes.Done != 1 {
		t.Errorf("%d nodes count as done, want the first application server", nodes.Done)
	}
	holds(t, err.Error(), am2, "it never became ready", "undone:", "Upgrade IRIS from 2023.1.0.235.1 to 2024.1.0.267.2")
	if got := hint.Of(err); got != "mend it" {
		t.Errorf("the hint is %q", got)
	}
	for machine, want := range map[string]string{am1: "2024.1.0.267.2", am2: "2023.1.0.235.1", dm: "2023.1.0.235.1"} {
		if m := s.Machine(machine); m.Version() != want || !m.Running() {
			t.Errorf("%s has version %s, running %v; want %s", machine, m.Version(), m.Running(), want)
		}
	}
	if did := s.Machine(dm).Did(); slices.Contains(did, kind.IRISSnapshot) || slices.Contains(did, kind.IRISStop) {
		t.Errorf("the data server was touched: %v", did)
	}
	s.Machine(am2).Fail(kind.IRISHealth, "")
	operate(t, s, deploy.VerbUpgrade)
	if p := planOf(t, s, deploy.VerbUpgrade); !p.Empty() {
		t.Errorf("after the second try there is %+v", p.Stages)
	}
}

func TestAnUpgradeBringsFieldsThatChangedAlong(t *testing.T) {
	s := installed(t, cluster)
	s.Write("defaults.json", strings.Replace(sim.Defaults(kit(sim.NewKit)), "800", "900", 1))
	operate(t, s, deploy.VerbUpgrade)
	for _, m := range s.Machines() {
		if m.Version() != "2024.1.0.267.2" || m.Setting("config.globals") != "0,0,900,0,0,0" {
			t.Errorf("%s has version %s and globals %s", m.Name, m.Version(), m.Setting("config.globals"))
		}
	}
}

func TestAFirstNodeThatFailsIsNoPartialSuccess(t *testing.T) {
	s := installed(t, cluster)
	s.Write("defaults.json", sim.Defaults(kit(sim.NewKit)))
	s.Machine(am1).Fail(kind.IRISUpgrade, "boom")
	var nodes *deploy.NodeErrors
	if err := fails(t.Context(), t, s, deploy.VerbUpgrade); !errors.As(err, &nodes) || nodes.Done != 0 {
		t.Errorf("%v: %d nodes count as done, though they only got a kit", err, nodes.Done)
	}
}

func TestANodeThatDoesNotAnswerRefusesTheWholeVerb(t *testing.T) {
	s := provisioned(t, cluster)
	s.Unreachable[am1] = hint.New(errors.New("node does not answer"), "switch it on")
	no := refusals(t, fails(t.Context(), t, s, deploy.VerbInstall))
	if len(no) != 1 || no[0].Node != am1 || no[0].Hint != "switch it on" {
		t.Errorf("the refusals are %+v", no)
	}
	untouched(t, s)
}

func TestAllRefusalsAreToldAtOnce(t *testing.T) {
	s := provisioned(t, cluster)
	s.Machine(dm).Refuse(kind.IRISInstall, "somebody else's instance is there")
	s.Machine(am2).Refuse(kind.AccountEnsure, "the account has another number")
	no := refusals(t, fails(t.Context(), t, s, deploy.VerbInstall))
	if len(no) != 2 {
		t.Errorf("the refusals are %+v", no)
	}
	untouched(t, s)
}

func TestFailedChecksRefuseAndWarningsAreTold(t *testing.T) {
	s := provisioned(t, cluster)
	s.Machine(dm).Find(wire.Finding{Check: "clock", Result: "warn", Text: "the clock is a minute off"})
	s.Machine(am1).Find(wire.Finding{Check: "port", Result: "fail", Text: "port 1972 is taken"})
	no := refusals(t, fails(t.Context(), t, s, deploy.VerbInstall))
	if len(no) != 1 || no[0].Text != "port 1972 is taken" {
		t.Errorf("the refusals are %+v", no)
	}
	holds(t, strings.Join(s.Said.Lines(), "\n"), "the clock is a minute off")
	untouched(t, s)
}

// untouched looks for traces of an installation.
func untouched(t *testing.T, s *sim.Site) {
	t.Helper()
	for _, m := range s.Machines() {
		for _, did := range m.Did() {
			if strings.HasPrefix(did, "kit.") || strings.HasPrefix(did, "iris.") {
				t.Errorf("%s was touched: %s", m.Name, did)
			}
		}
	}
}

func TestAChangedConfigurationStopsConfiguresAndStartsAgain(t *testing.T) {
	s := installed(t, cluster)
	s.Write("defaults.json", strings.Replace(sim.Defaults(kit(sim.OldKit)), "800", "900", 1))
	s.Machine(dm).Forget()
	operate(t, s, deploy.VerbInstall)
	want := []string{kind.KernelSet, kind.IRISStop, kind.IRISConfigure, kind.IRISStart, kind.IRISHealth, kind.IRISVerify}
	if did := s.Machine(dm).Did(); !slices.Equal(did, want) {
		t.Errorf("it did %v, want %v", did, want)
	}
	if got := s.Machine(dm).Setting("config.globals"); got != "0,0,900,0,0,0" {
		t.Errorf("globals are %s", got)
	}
}

func TestAnInstanceThatIsDownIsStartedAndNotInstalled(t *testing.T) {
	s := installed(t, cluster)
	s.Machine(dm).SetRunning(false)
	s.Machine(dm).Forget()
	job := job(s, "install")
	job.Password = secret.Secret{} // nobody is asked for what nothing needs
	if _, err := job.Operate(t.Context(), deploy.VerbInstall); err != nil {
		t.Fatal(err)
	}
	if did := s.Machine(dm).Did(); !slices.Equal(did, []string{kind.IRISStart, kind.IRISHealth, kind.IRISVerify}) {
		t.Errorf("it did %v", did)
	}
}

func TestUninstallLeavesDataUnlessTheNodeIsNamed(t *testing.T) {
	s := installed(t, cluster)
	j := job(s, "uninstall")
	j.RemoveData = []string{am1}
	var asked string
	j.Confirm = func(what string) error { asked = what; return nil }
	if _, err := j.Operate(t.Context(), deploy.VerbUninstall); err != nil {
		t.Fatal(err)
	}
	holds(t, asked, "3 nodes", am1)
	if s.Machine(am1).HasData() || !s.Machine(am2).HasData() || !s.Machine(dm).HasData() {
		t.Error("the wrong data is gone")
	}
}

func TestDataOfANodeThatIsNotThereIsNotRemoved(t *testing.T) {
	s := installed(t, cluster)
	j := job(s, "uninstall")
	j.RemoveData = []string{"ACME-DM-TEST-0009"}
	_, err := j.Operate(t.Context(), deploy.VerbUninstall)
	refusals(t, err)
	holds(t, err.Error(), "ACME-DM-TEST-0009")
	if !s.Machine(dm).Running() {
		t.Error("it was uninstalled all the same")
	}
}

func TestWhoDoesNotConfirmUninstallsNothing(t *testing.T) {
	s := installed(t, cluster)
	j := job(s, "uninstall")
	no := errors.New("not confirmed")
	j.Confirm = func(string) error { return no }
	if _, err := j.Operate(t.Context(), deploy.VerbUninstall); !errors.Is(err, no) {
		t.Errorf("the error is %v", err)
	}
	if !s.Machine(dm).Running() {
		t.Error("it was stopped")
	}
}

func TestAVersionIsNeverTakenBack(t *testing.T) {
	s := provisioned(t, cluster)
	s.Write("defaults.json", sim.Defaults(kit(sim.NewKit)))
	operate(t, s, deploy.VerbInstall)
	s.Write("defaults.json", sim.Defaults(kit(sim.OldKit)))
	if no := refusals(t, fails(t.Context(), t, s, deploy.VerbUpgrade)); len(no) != 3 {
		t.Errorf("the refusals are %+v", no)
	}
}

func TestNodesWithoutInstanceAreNotedByUpgradeAndRefusedByStart(t *testing.T) {
	s := provisioned(t, cluster)
	if p := planOf(t, s, deploy.VerbUpgrade); !p.Empty() || len(p.Notes) != 3 {
		t.Errorf("the plan is %+v", p)
	}
	no := refusals(t, fails(t.Context(), t, s, deploy.VerbStart))
	if len(no) != 3 || no[0].Hint == "" {
		t.Errorf("start's refusals are %+v", no)
	}
	if res := operate(t, s, deploy.VerbStop); !res.Nothing {
		t.Error("stop did something")
	}
}

func TestApplicationServersNeedADataServer(t *testing.T) {
	s := sim.New(t, sim.Defaults(kit(sim.OldKit)), `[{"Role": "AM", "Count": 2}]`)
	if _, err := job(s, "provision").Provision(t.Context()); err == nil {
		t.Error("application servers without a data server were provisioned")
	}
}

func TestAnApplicationServerIsNotInstalledWithoutItsDataServer(t *testing.T) {
	s := provisioned(t, `[{"Role": "AM"}, {"Role": "DM"}]`)
	all, err := state.LoadInstances(s.Dir + "/instances.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := state.SaveInstances(s.Dir+"/instances.json", all[:1]); err != nil {
		t.Fatal(err)
	}
	j := job(s, "install")
	j.Select.Role = "AM"
	_, err = j.Operate(t.Context(), deploy.VerbInstall)
	refusals(t, err)
	holds(t, err.Error(), "data server of "+am1)
	untouched(t, s)
}

func TestPortalsAreThoseOfTheDataServers(t *testing.T) {
	s := provisioned(t, cluster)
	res := operate(t, s, deploy.VerbInstall)
	if len(res.Portals) != 1 || !strings.HasPrefix(res.Portals[0], "http://192.0.2.1:52773/") {
		t.Errorf("the portals are %v", res.Portals)
	}
}
