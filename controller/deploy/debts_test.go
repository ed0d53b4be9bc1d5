package deploy_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"icm/controller/deploy"
	"icm/controller/remote"
	"icm/tests/sim"
)

// away lets a machine answer nothing.
func away(s *sim.Site, machine string) {
	s.Unreachable[machine] = fmt.Errorf("%w: no answer from 10.0.0.9:22", remote.ErrUnreachable)
}

// skipping runs a verb that leaves out who does not answer.
func skipping(t *testing.T, s *sim.Site, verb deploy.Verb) (*deploy.Result, error) {
	t.Helper()
	j := job(s, string(verb))
	j.SkipUnreachable = true
	return j.Operate(t.Context(), verb)
}

// mustSkip runs a verb that must leave out exactly these machines.
func mustSkip(t *testing.T, s *sim.Site, verb deploy.Verb, machines ...string) {
	t.Helper()
	_, err := skipping(t, s, verb)
	var skipped *deploy.SkippedError
	if !errors.As(err, &skipped) || !slices.Equal(skipped.Nodes, machines) {
		t.Fatalf("%s: %v does not leave out %v", verb, err, machines)
	}
}

// owed are the debts: "MACHINE VERB".
func owed(t *testing.T, s *sim.Site) []string {
	t.Helper()
	debts, err := stateDir(t, s).Debts()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, d := range debts {
		if d.Operation == "" || d.Why == "" || d.Since.IsZero() {
			t.Errorf("%+v does not say whence it comes", d)
		}
		out = append(out, d.Node+" "+d.Verb)
	}
	return out
}

func owes(t *testing.T, s *sim.Site, want ...string) {
	t.Helper()
	if got := owed(t, s); !slices.Equal(got, want) {
		t.Errorf("owed are %q, not %q", got, want)
	}
}

// ran are the verbs of the operations recorded, oldest first.
func ran(t *testing.T, s *sim.Site) []string {
	t.Helper()
	all, err := stateDir(t, s).ListOperations()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, r := range all {
		out = append(out, r.Meta.Verb+" "+r.State)
	}
	return out
}

func TestANodeThatDoesNotAnswerFailsTheOperationBeforeItStarts(t *testing.T) {
	s := provisioned(t, cluster)
	before := ran(t, s)
	away(s, am1)
	holds(t, refusals(t, fails(t.Context(), t, s, deploy.VerbInstall))[0].Text, "does not answer")
	if got := ran(t, s); !slices.Equal(got, before) {
		t.Errorf("operations are %q", got)
	}
	owes(t, s)
}

func TestANodeThatIsLeftOutOwesTheOperation(t *testing.T) {
	s := provisioned(t, cluster)
	away(s, am1)
	mustSkip(t, s, deploy.VerbInstall, am1)
	if !s.Machine(dm).Running() || !s.Machine(am2).Running() || s.Machine(am1).Version() != "" {
		t.Error("the others were not installed, or the one that was away was")
	}
	owes(t, s, am1+" install")
	if got := ran(t, s); got[len(got)-1] != "install partial" {
		t.Errorf("operations are %q", got)
	}
	// Once more: there is nothing to do for the others, and one debt stays one.
	mustSkip(t, s, deploy.VerbInstall, am1)
	owes(t, s, am1+" install")
}

func TestOpenDebtsAreNamedByEveryCommand(t *testing.T) {
	s := provisioned(t, cluster)
	away(s, am1)
	mustSkip(t, s, deploy.VerbInstall, am1)
	for name, command := range map[string]func(*deploy.Job) error{
		"ps":         func(j *deploy.Job) error { _, err := j.PS(t.Context()); return err },
		"operations": func(j *deploy.Job) error { _, err := j.Operations(); return err },
		"plan": func(j *deploy.Job) error {
			j.SkipUnreachable = true
			_, err := j.Plan(t.Context(), deploy.VerbStop)
			return err
		},
		"stop": func(j *deploy.Job) error {
			j.Select.Machine = dm
			_, err := j.Operate(t.Context(), deploy.VerbStop)
			return err
		},
	} {
		said := &sim.Reports{}
		j := job(s, name)
		j.World = s.World(said)
		var skipped *deploy.SkippedError
		if err := command(j); err != nil && !errors.As(err, &skipped) {
			t.Errorf("%s: %v", name, err)
		}
		holds(t, strings.Join(said.Lines(), "\n"), am1+" owes install")
	}
}

func TestTheNextOperationSettlesWhatIsOwedFirst(t *testing.T) {
	s := installed(t, cluster)
	s.Write("defaults.json", sim.Defaults(kit(sim.NewKit)))
	away(s, am1)
	mustSkip(t, s, deploy.VerbUpgrade, am1)
	operations := len(ran(t, s))
	delete(s.Unreachable, am1)
	s.Said = &sim.Reports{}
	operate(t, s, deploy.VerbStop)
	if v := s.Machine(am1).Version(); v != "2024.1.0.267.2" || s.Machine(am1).Running() {
		t.Errorf("%s has version %s, running %v", am1, v, s.Machine(am1).Running())
	}
	if got := ran(t, s)[operations:]; !slices.Equal(got, []string{"upgrade done", "stop done"}) {
		t.Errorf("it ran %q", got)
	}
	holds(t, strings.Join(s.Said.Lines(), "\n"), am1+" answers again: settling upgrade")
	owes(t, s)
}

func TestTheSameVerbSettlesItsOwnDebt(t *testing.T) {
	s := provisioned(t, cluster)
	away(s, am1)
	mustSkip(t, s, deploy.VerbInstall, am1)
	operations := len(ran(t, s))
	delete(s.Unreachable, am1)
	operate(t, s, deploy.VerbInstall)
	if got := ran(t, s)[operations:]; !slices.Equal(got, []string{"install done"}) || !s.Machine(am1).Running() {
		t.Errorf("it ran %q", got)
	}
	owes(t, s)
}

func TestAnUninstallCancelsWhatIsOwed(t *testing.T) {
	s := installed(t, cluster)
	s.Write("defaults.json", sim.Defaults(kit(sim.NewKit)))
	away(s, am1)
	mustSkip(t, s, deploy.VerbUpgrade, am1)
	mustSkip(t, s, deploy.VerbUninstall, am1)
	owes(t, s, am1+" upgrade", am1+" uninstall")
	delete(s.Unreachable, am1)
	operations := len(ran(t, s))
	operate(t, s, deploy.VerbUninstall)
	if got := ran(t, s)[operations:]; !slices.Equal(got, []string{"uninstall done"}) {
		t.Errorf("it ran %q", got)
	}
	owes(t, s)
}

func TestADebtStaysWhenSettlingItFails(t *testing.T) {
	s := provisioned(t, cluster)
	away(s, am1)
	mustSkip(t, s, deploy.VerbInstall, am1)
	delete(s.Unreachable, am1)
	s.Machine(am1).Fail("iris.install", "the disk is full")
	holds(t, fails(t.Context(), t, s, deploy.VerbStop).Error(), "the disk is full")
	owes(t, s, am1+" install")
	if !s.Machine(dm).Running() {
		t.Error("the operation went on all the same")
	}
	s.Machine(am1).Fail("iris.install", "")
	operate(t, s, deploy.VerbStop)
	owes(t, s)
}

func TestADebtorThatIsStillAwayCanBeLeftOutAgain(t *testing.T) {
	s := installed(t, cluster)
	away(s, am1)
	mustSkip(t, s, deploy.VerbStop, am1)
	mustSkip(t, s, deploy.VerbStart, am1)
	mustSkip(t, s, deploy.VerbStop, am1)
	owes(t, s, am1+" start", am1+" stop") // the last one wins
}

func TestAPlanThatWasAgreedOnIsNotPrecededByADebt(t *testing.T) {
	s := installed(t, cluster)
	away(s, am1)
	mustSkip(t, s, deploy.VerbStop, am1)
	delete(s.Unreachable, am1)
	j := job(s, "start")
	j.WantPlan = planOf(t, s, deploy.VerbStart).Digest()
	_, err := j.Operate(t.Context(), deploy.VerbStart)
	refusals(t, err)
	holds(t, err.Error(), am1+" owes stop")
	owes(t, s, am1+" stop")
}

func TestOnlyNodesThatMayAnswerLaterAreLeftOut(t *testing.T) {
	for _, why := range []error{remote.ErrAuth, remote.ErrHostKey, remote.ErrNoSudo, remote.ErrUnfit} {
		s := provisioned(t, cluster)
		away(s, am1)
		s.Unreachable[am2] = fmt.Errorf("%w: so it is", why)
		_, err := skipping(t, s, deploy.VerbInstall)
		refusals(t, err)
		owes(t, s)
	}
}

func TestADataServerThatIsAwayIsNotLeftOutOfAnInstallation(t *testing.T) {
	s := provisioned(t, cluster)
	away(s, dm)
	_, err := skipping(t, s, deploy.VerbInstall)
	refusals(t, err)
	holds(t, err.Error(), dm+" does not answer", "cannot be installed without it")
	owes(t, s)
}

func TestNothingIsLeftOutWhenNobodyAnswers(t *testing.T) {
	s := provisioned(t, `[{"Role": "DM"}]`)
	away(s, dm)
	_, err := skipping(t, s, deploy.VerbInstall)
	refusals(t, err)
	owes(t, s)
}

func TestAPlanNamesWhomItLeavesOutAndRecordsNothing(t *testing.T) {
	s := provisioned(t, cluster)
	away(s, am1)
	j := job(s, "plan")
	j.SkipUnreachable = true
	p, err := j.Plan(t.Context(), deploy.VerbInstall)
	var skipped *deploy.SkippedError
	if p == nil || !errors.As(err, &skipped) || !slices.Equal(p.Skipped, []string{am1}) || slices.Contains(p.Nodes(), am1) {
		t.Errorf("the plan is %+v, the error %v", p, err)
	}
	owes(t, s)
}
