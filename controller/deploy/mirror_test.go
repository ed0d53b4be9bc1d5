package deploy_test

import (
	"slices"
	"strings"
	"testing"

	"icm/controller/deploy"
	"icm/internal/kind"
	"icm/tests/sim"
)

const (
	dm2 = "ACME-DM-TEST-0002"
	dm3 = "ACME-DM-TEST-0003"
	ar  = "ACME-AR-TEST-0001"
	ws  = "ACME-WS-TEST-0001"

	oldAgent   = "https://kits.acme.com/ISCAgent-2023.1.0.235.1-lnxrh8x64.tar.gz"
	newAgent   = "https://kits.acme.com/ISCAgent-2024.1.0.267.2-lnxrh8x64.tar.gz"
	gatewayKit = "https://kits.acme.com/WebGateway-2023.1.0.235.1-lnxrh8x64.tar.gz"
)

// mirrored is a mirrored distributed cache cluster with an async, an arbiter
// and a web server.
func mirrored(agent string) string {
	return `[{"Role": "DM", "Count": 3, "MirrorMap": "primary,backup,async"}, {"Role": "AM", "Count": 2},
		{"Role": "AR", "KitURL": "` + agent + `"}, {"Role": "WS", "KitURL": "` + gatewayKit + `", "ApplicationPath": "/acme/"}]`
}

func mirrorDefaults(url string) string { return sim.Defaults(kit(url) + `"Mirror": true,`) }

// installedMirror is a site on which the old kit runs in a mirror.
func installedMirror(t *testing.T) *sim.Site {
	t.Helper()
	s := sim.New(t, mirrorDefaults(sim.OldKit), mirrored(oldAgent))
	if _, err := job(s, "provision").Provision(t.Context()); err != nil {
		t.Fatal(err)
	}
	operate(t, s, deploy.VerbInstall)
	return s
}

func places(t *testing.T, s *sim.Site, want ...string) {
	t.Helper()
	var got []string
	for _, name := range []string{dm, dm2, dm3} {
		got = append(got, s.Machine(name).Place())
	}
	if !slices.Equal(got, want) {
		t.Errorf("the members are %q, want %q", got, want)
	}
}

// stages are the names of a plan's stages.
func stages(p *deploy.Plan) (names []string) {
	for _, st := range p.Stages {
		names = append(names, st.Name)
	}
	return names
}

func TestAMirrorIsMadeInOrderAndItsPlanIsEmptyAfterwards(t *testing.T) {
	s := installedMirror(t)
	places(t, s, "Primary", "Backup", "Connected")
	for _, name := range []string{dm, dm2, dm3} {
		did := s.Machine(name).Did()
		agent := slices.Index(did, kind.AgentRun)
		joined := max(slices.Index(did, kind.MirrorCreate), slices.Index(did, kind.MirrorJoin))
		database := slices.Index(did, kind.MirrorDatabase)
		if agent < 0 || joined < agent || database < joined {
			t.Errorf("%s did %q", name, did)
		}
	}
	if did := s.Machine(ar).Did(); !slices.Contains(did, kind.AgentInstall) || slices.Contains(did, kind.IRISInstall) {
		t.Errorf("the arbiter did %q", did)
	}
	for _, verb := range []deploy.Verb{deploy.VerbInstall, deploy.VerbUpgrade, deploy.VerbStart} {
		if p := planOf(t, s, verb); !p.Empty() {
			t.Errorf("the plan of %s has %q", verb, stages(p))
		}
	}
}

func TestAfterAFailoverAMirrorIsStillAsItShouldBe(t *testing.T) {
	s := installedMirror(t)
	s.Machine(dm).SetRunning(false)
	places(t, s, "", "Primary", "Connected")
	operate(t, s, deploy.VerbStart)
	places(t, s, "Backup", "Primary", "Connected")
	if p := planOf(t, s, deploy.VerbInstall); !p.Empty() {
		t.Errorf("the plan has %q", stages(p))
	}
}

func TestAStoppedMirrorIsNotMadeASecondTime(t *testing.T) {
	s := installedMirror(t)
	operate(t, s, deploy.VerbStop)
	places(t, s, "", "", "")
	for _, m := range s.Machines() {
		m.Forget()
	}
	operate(t, s, deploy.VerbInstall)
	places(t, s, "Primary", "Backup", "Connected")
	for _, m := range s.Machines() {
		for _, k := range m.Did() {
			if k == kind.MirrorCreate || k == kind.MirrorJoin {
				t.Errorf("%s did %s again", m.Name, k)
			}
		}
	}
}

// upgraded is the order in which instances get their new version.
func upgraded(p *deploy.Plan) (order []string) {
	for _, st := range p.Stages {
		for _, ch := range st.Changes {
			for _, task := range ch.Tasks {
				if task.Kind == kind.IRISUpgrade {
					order = append(order, ch.Node)
				}
			}
		}
	}
	return order
}

func toNewKit(s *sim.Site) {
	s.Write("defaults.json", mirrorDefaults(sim.NewKit))
	s.Write("definitions.json", mirrored(newAgent))
}

func TestAMirrorIsUpgradedWithOneFailover(t *testing.T) {
	s := installedMirror(t)
	toNewKit(s)
	p := planOf(t, s, deploy.VerbUpgrade)
	if got, want := upgraded(p), []string{am1, am2, dm3, dm2, dm}; !slices.Equal(got, want) {
		t.Errorf("the order is %q, want %q", got, want)
	}
	holds(t, p.Procedure, "major", "2023.1", "2024.1")
	i, what, why, ok := p.NoReturn()
	if !ok || !p.Stages[i].Together || !strings.HasPrefix(what, "failover of") {
		t.Errorf("the point of no return is %d, %q", i, what)
	}
	holds(t, why, "2024.1", "cannot take over")
	operate(t, s, deploy.VerbUpgrade)
	places(t, s, "Backup", "Primary", "Connected")
	for _, m := range s.Machines() {
		if m.Name != ar && m.Name != ws && m.Version() != "2024.1.0.267.2" {
			t.Errorf("%s has %s", m.Name, m.Version())
		}
	}
	for _, verb := range []deploy.Verb{deploy.VerbUpgrade, deploy.VerbInstall} {
		if p := planOf(t, s, verb); !p.Empty() {
			t.Errorf("the plan of %s has %q", verb, stages(p))
		}
	}
}

func TestWithFailBackTheFirstPrimaryIsThePrimaryAgain(t *testing.T) {
	s := installedMirror(t)
	toNewKit(s)
	j := job(s, "upgrade")
	j.Upgrade.FailBack = true
	if _, err := j.Operate(t.Context(), deploy.VerbUpgrade); err != nil {
		t.Fatal(err)
	}
	places(t, s, "Primary", "Backup", "Connected")
}

func TestWhenTheBackupDoesNotTakeOverThePrimaryIsStartedAgain(t *testing.T) {
	s := installedMirror(t)
	toNewKit(s)
	s.Machine(dm2).CannotTakeOver(true)
	err := fails(t.Context(), t, s, deploy.VerbUpgrade)
	holds(t, err.Error(), dm2, "waited to become the primary")
	if m := s.Machine(dm); !m.Running() || m.Version() != "2023.1.0.235.1" {
		t.Errorf("the primary runs: %v, with %s", m.Running(), m.Version())
	}
	s.Machine(dm2).CannotTakeOver(false)
	operate(t, s, deploy.VerbUpgrade)
	places(t, s, "Backup", "Primary", "Connected")
}

func TestAMemberThatFailsToUpgradeGetsItsOldVersionBackAndThePrimaryIsNotTouched(t *testing.T) {
	s := installedMirror(t)
	toNewKit(s)
	s.Machine(dm2).Fail(kind.IRISVerify, "it says something else")
	fails(t.Context(), t, s, deploy.VerbUpgrade)
	if m := s.Machine(dm2); m.Version() != "2023.1.0.235.1" || !m.Running() {
		t.Errorf("the backup has %s, running %v", m.Version(), m.Running())
	}
	places(t, s, "Primary", "Backup", "Connected")
	if slices.Contains(s.Machine(dm).Did(), kind.IRISStop) {
		t.Error("the primary was stopped")
	}
}

func TestAPrimaryThatDiesDuringTheUpgradeIsUpgradedAfterItsReturn(t *testing.T) {
	s := installedMirror(t)
	toNewKit(s)
	s.Machine(dm).Fail(kind.IRISStop, "the power went")
	fails(t.Context(), t, s, deploy.VerbUpgrade)
	s.Machine(dm).Fail(kind.IRISStop, "")
	s.Machine(dm).SetRunning(false)
	places(t, s, "", "Primary", "Connected")
	p := planOf(t, s, deploy.VerbUpgrade)
	if got := upgraded(p); !slices.Equal(got, []string{dm}) || slices.ContainsFunc(stages(p), func(n string) bool { return strings.Contains(n, "failover") }) {
		t.Errorf("what is left is %q", stages(p))
	}
	operate(t, s, deploy.VerbUpgrade)
	places(t, s, "Backup", "Primary", "Connected")
}

func TestAMirrorWithoutAPrimaryIsNotUpgraded(t *testing.T) {
	s := installedMirror(t)
	toNewKit(s)
	operate(t, s, deploy.VerbStop)
	r := refusals(t, fails(t.Context(), t, s, deploy.VerbUpgrade))
	holds(t, r[0].Text, "no member of mirror MIRROR", dm2+" is down")
	holds(t, r[0].Hint, "icm start", "-downtime")
}

func TestThePrimaryAloneIsNotUpgraded(t *testing.T) {
	s := installedMirror(t)
	toNewKit(s)
	j := job(s, "upgrade")
	j.Select.Machine = dm
	_, err := j.Operate(t.Context(), deploy.VerbUpgrade)
	holds(t, refusals(t, err)[0].Text, "is the primary", "nobody among these nodes could take over")
	j = job(s, "upgrade")
	j.Select.Machine = dm2
	if _, err := j.Operate(t.Context(), deploy.VerbUpgrade); err != nil {
		t.Fatal(err)
	}
	places(t, s, "Primary", "Backup", "Connected")
}

func TestPastThePointOfNoReturnThereIsOnlyGoingOn(t *testing.T) {
	s := installedMirror(t)
	toNewKit(s)
	s.Machine(dm).Fail(kind.IRISUpgrade, "the disk is full")
	fails(t.Context(), t, s, deploy.VerbUpgrade)
	_, _, err := job(s, "undo").Undo(t.Context(), "")
	if err == nil {
		t.Fatal("it was undone")
	}
	holds(t, err.Error(), "point of no return", "cannot take over")
	s.Machine(dm).Fail(kind.IRISUpgrade, "")
	operate(t, s, deploy.VerbUpgrade)
	places(t, s, "Backup", "Primary", "Connected")
}

func TestAnUpgradeCanBeUndoneBeforeThePointOfNoReturn(t *testing.T) {
	s := installedMirror(t)
	toNewKit(s)
	s.Machine(dm).Fail(kind.IRISStop, "it does not stop")
	fails(t.Context(), t, s, deploy.VerbUpgrade)
	s.Machine(dm).Fail(kind.IRISStop, "")
	if _, _, err := job(s, "undo").Undo(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{dm, dm2, dm3, am1} {
		if v := s.Machine(name).Version(); v != "2023.1.0.235.1" {
			t.Errorf("%s has %s", name, v)
		}
	}
	places(t, s, "Primary", "Backup", "Connected")
}

func TestTheCanaryGoesFirstAndTheOthersInBatches(t *testing.T) {
	s := installed(t, `[{"Role": "DM"}, {"Role": "AM", "Count": 5}]`)
	s.Write("defaults.json", sim.Defaults(kit(sim.NewKit)))
	j := job(s, "plan")
	j.Upgrade.Canary, j.Upgrade.Batch = "ACME-AM-TEST-0003", "50%"
	p, err := j.Plan(t.Context(), deploy.VerbUpgrade)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"stage kits", "upgrade ACME-AM-TEST-0003", "upgrade ACME-AM-TEST-0001, ACME-AM-TEST-0002",
		"upgrade ACME-AM-TEST-0004, ACME-AM-TEST-0005", "upgrade ACME-DM-TEST-0001", "forget the old version"}
	if got := stages(p); !slices.Equal(got, want) {
		t.Errorf("the stages are %q", got)
	}
}

func TestACanaryOrABatchThatMeansNothingIsRefused(t *testing.T) {
	s := installed(t, cluster)
	s.Write("defaults.json", sim.Defaults(kit(sim.NewKit)))
	for name, o := range map[string]deploy.UpgradeOptions{
		"none of the application": {Canary: dm}, "neither a number": {Batch: "0"}, "a percentage": {Batch: "200%"},
	} {
		j := job(s, "plan")
		j.Upgrade = o
		_, err := j.Plan(t.Context(), deploy.VerbUpgrade)
		var text string
		if err != nil {
			text = err.Error()
			for _, r := range refusals(t, err) {
				text += r.Text
			}
		}
		holds(t, text, name)
	}
}

func TestAnUpgradeForAChangedApplicationIsHeldUntilItIsResumed(t *testing.T) {
	s := installedMirror(t)
	toNewKit(s)
	j := job(s, "upgrade")
	j.Upgrade.Changes = true
	_, err := j.Operate(t.Context(), deploy.VerbUpgrade)
	if err == nil {
		t.Fatal("it was not held")
	}
	holds(t, err.Error(), "held before", "recompile", dm2)
	places(t, s, "", "Primary", "Connected")
	dir := stateDir(t, s)
	elsewhere(t, dir.Path) // this process lives, and so would the operation
	if _, err := job(s, "unlock").Unlock(); err != nil {
		t.Fatal(err)
	}
	if _, err := job(s, "resume").Resume(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	places(t, s, "Backup", "Primary", "Connected")
}

func TestWithDowntimeEverythingIsUpgradedAtOnce(t *testing.T) {
	s := installedMirror(t)
	toNewKit(s)
	j := job(s, "upgrade")
	j.Upgrade.Downtime = true
	p, err := j.Plan(t.Context(), deploy.VerbUpgrade)
	if err != nil {
		t.Fatal(err)
	}
	holds(t, p.Procedure, "downtime")
	if _, err := j.Operate(t.Context(), deploy.VerbUpgrade); err != nil {
		t.Fatal(err)
	}
	places(t, s, "Primary", "Backup", "Connected")
	if p := planOf(t, s, deploy.VerbUpgrade); !p.Empty() {
		t.Errorf("the plan has %q", stages(p))
	}
}

func TestThePrimaryOfAMirrorThatStaysIsNotUninstalled(t *testing.T) {
	s := installedMirror(t)
	j := job(s, "uninstall")
	j.Select.Machine = dm
	_, err := j.Operate(t.Context(), deploy.VerbUninstall)
	holds(t, refusals(t, err)[0].Text, "is the primary of mirror MIRROR")
	j = job(s, "uninstall")
	j.Select.Machine = dm3
	if _, err := j.Operate(t.Context(), deploy.VerbUninstall); err != nil {
		t.Fatal(err)
	}
	if did := s.Machine(dm3).Did(); !slices.Contains(did, kind.MirrorLeave) {
		t.Errorf("the async did %q", did)
	}
	operate(t, s, deploy.VerbUninstall)
	if p := planOf(t, s, deploy.VerbUninstall); !p.Empty() {
		t.Errorf("the plan has %q", stages(p))
	}
}

func TestAnArbiterNeedsAKitOfItsOwn(t *testing.T) {
	s := sim.New(t, mirrorDefaults(sim.OldKit), `[{"Role": "DM", "Count": 2}, {"Role": "AR"}]`)
	if _, err := job(s, "provision").Provision(t.Context()); err != nil {
		t.Fatal(err)
	}
	err := fails(t.Context(), t, s, deploy.VerbInstall)
	holds(t, err.Error(), ar, "is not what a node of role AR is installed from")
}
