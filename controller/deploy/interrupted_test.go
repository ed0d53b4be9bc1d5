package deploy_test

import (
	"context"
	"errors"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"icm/controller/deploy"
	"icm/controller/state"
	"icm/internal/hint"
	"icm/internal/kind"
	"icm/internal/wire"
	"icm/tests/sim"
)

// running is a verb at work.
type running struct {
	cancel context.CancelFunc
	ended  chan error
}

func begin(t *testing.T, s *sim.Site, verb deploy.Verb) running {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	j := job(s, string(verb))
	go func() {
		_, err := j.Operate(ctx, verb)
		ended <- err
	}()
	t.Cleanup(cancel)
	return running{cancel, ended}
}

func wait[T any](t *testing.T, c <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(20 * time.Second):
		t.Fatalf("%s did not happen", what)
	}
	return v
}

func TestAnAgentThatRestartsInTheMiddleIsFollowedToTheEnd(t *testing.T) {
	s := provisioned(t, cluster)
	held, open := s.Machine(dm).Hold(kind.IRISInstall)
	r := begin(t, s, deploy.VerbInstall)
	wait(t, held, "the installation")
	if err := s.Agent(dm).Stop(); err != nil {
		t.Fatal(err)
	}
	open()
	if err := s.Agent(dm).Start(); err != nil {
		t.Fatal(err)
	}
	if err := wait(t, r.ended, "the end"); err != nil {
		t.Fatal(err)
	}
	if p := planOf(t, s, deploy.VerbInstall); !p.Empty() {
		t.Errorf("there is %+v left", p.Stages)
	}
}

func TestALineThatBreaksUnderACallThatMayBeRepeatedIsMended(t *testing.T) {
	for _, method := range []string{wire.MethodSubmit, wire.MethodChanges} {
		s := provisioned(t, `[{"Role": "DM"}]`)
		held, open := s.Machine(dm).Hold(kind.KitFetch)
		if method == wire.MethodSubmit {
			s.Agent(dm).Break(method)
		}
		r := begin(t, s, deploy.VerbInstall)
		wait(t, held, "the change")
		if method == wire.MethodChanges { // the one that asks how it ended
			s.Agent(dm).Break(method)
		}
		open()
		if err := wait(t, r.ended, "the end"); err != nil {
			t.Fatalf("%s: %v", method, err)
		}
		did := strings.Join(s.Machine(dm).Did(), " ")
		if strings.Count(did, kind.KitFetch) != 1 || strings.Count(did, kind.IRISInstall) != 1 {
			t.Errorf("%s: it did %s", method, did)
		}
	}
}

func TestACancelledControllerSaysWhatGoesOnAndTheNextOneWaitsForIt(t *testing.T) {
	s := provisioned(t, `[{"Role": "DM"}]`)
	held, open := s.Machine(dm).Hold(kind.IRISInstall)
	r := begin(t, s, deploy.VerbInstall)
	wait(t, held, "the installation")
	r.cancel()
	err := wait(t, r.ended, "the end")
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("%v is no cancellation", err)
	}
	holds(t, err.Error(), dm, "goes on")
	holds(t, hint.Of(err), "icm install", "icm ps")
	rec := lastOperation(t, s)
	if rec.State != state.Cancelled {
		t.Errorf("the operation is recorded as %s", rec.State)
	}

	again := begin(t, s, deploy.VerbInstall)
	for !strings.Contains(strings.Join(s.Said.Lines(), "\n"), "which an earlier icm began") {
		select {
		case err := <-again.ended:
			t.Fatalf("it did not wait: %v", err)
		case <-time.After(5 * time.Millisecond): // look again
		}
	}
	open()
	if err := wait(t, again.ended, "the end of the second"); err != nil {
		t.Fatal(err)
	}
	if !s.Machine(dm).Running() {
		t.Error("the instance does not run")
	}
}

func TestCancelledBeforeAnythingBeganSaysSo(t *testing.T) {
	s := provisioned(t, cluster)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := fails(ctx, t, s, deploy.VerbInstall)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v is no cancellation", err)
	}
	holds(t, err.Error(), "nothing was changed")
	untouched(t, s)
}

func TestWhatFailedBeforeTheCancellationIsToldToo(t *testing.T) {
	s := provisioned(t, cluster)
	s.Machine(am1).Fail(kind.IRISInstall, "no room")
	held, open := s.Machine(dm).Hold(kind.IRISInstall)
	defer open()
	r := begin(t, s, deploy.VerbInstall)
	wait(t, held, "the installation")
	for !recorded(lastOperation(t, s), `"status":"undone"`) {
		select {
		case err := <-r.ended:
			t.Fatalf("it ended: %v", err)
		case <-time.After(5 * time.Millisecond): // look again
		}
	}
	r.cancel()
	err := wait(t, r.ended, "the end")
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v is no cancellation", err)
	}
	holds(t, err.Error(), "goes on there by itself", am1, "no room")
}

func recorded(rec *state.Recorded, text string) bool {
	return slices.ContainsFunc(rec.Events, func(e state.Event) bool { return strings.Contains(string(e.Data), text) })
}

func TestALockThatSomebodyHoldsIsRespected(t *testing.T) {
	s := provisioned(t, cluster)
	dir := stateDir(t, s)
	lock, err := dir.Lock("icm upgrade", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	var locked *state.LockedError
	if err := fails(t.Context(), t, s, deploy.VerbInstall); !errors.As(err, &locked) {
		t.Errorf("the error is %v", err)
	}
	planOf(t, s, deploy.VerbInstall) // a plan changes nothing and needs no lock
	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}
	operate(t, s, deploy.VerbInstall)
}

func stateDir(t *testing.T, s *sim.Site) *state.Dir {
	t.Helper()
	all, err := state.LoadInstances(s.Dir + "/instances.json")
	if err != nil {
		t.Fatal(err)
	}
	path, _, ok := strings.Cut(all[0].StateDir, "/ACME-")
	if !ok {
		t.Fatalf("the state directory of the node is %s", all[0].StateDir)
	}
	dir, err := state.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func lastOperation(t *testing.T, s *sim.Site) *state.Recorded {
	t.Helper()
	dir := stateDir(t, s)
	list, err := dir.ListOperations()
	if err != nil || len(list) == 0 {
		t.Fatalf("%d operations, %v", len(list), err)
	}
	rec, err := dir.OpenOperation(list[len(list)-1].Meta.ID)
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

func TestOutcomesAreRecorded(t *testing.T) {
	s := installed(t, cluster)
	if rec := lastOperation(t, s); rec.State != state.Done || len(rec.Events) == 0 || !strings.Contains(string(rec.Plan), kind.IRISInstall) {
		t.Errorf("the installation is recorded as %s with %d events", rec.State, len(rec.Events))
	}
	s.Write("defaults.json", sim.Defaults(kit(sim.NewKit)))
	s.Machine(am2).Fail(kind.IRISUpgrade, "boom")
	fails(t.Context(), t, s, deploy.VerbUpgrade)
	if rec := lastOperation(t, s); rec.State != state.Partial || !strings.Contains(rec.Outcome.Error, "boom") || rec.Outcome.Hint == "" {
		t.Errorf("the upgrade is recorded as %+v", rec.Outcome)
	}
}

// TestAKeyThatExpiredIsRefusedBeforeAnyNodeIsAsked, so that the night of an
// upgrade is not the first time that somebody hears of it.
func TestAKeyThatExpiredIsRefusedBeforeAnyNodeIsAsked(t *testing.T) {
	s := sim.New(t, sim.Defaults(kit(sim.OldKit)+`"LicenseDir": "keys", "LicenseKey": "iris.key",`), cluster)
	if _, err := job(s, "provision").Provision(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(s.Dir+"/keys", 0o700); err != nil {
		t.Fatal(err)
	}
	for text, words := range map[string]string{
		"<html>404</html>": "no line FileType",
		"FileType=InterSystems License\nExpirationDate=2001-01-31\n": "expired on 2001-01-31",
	} {
		s.Write("keys/iris.key", text)
		err := fails(t.Context(), t, s, deploy.VerbInstall)
		if err == nil || !strings.Contains(err.Error(), words) || !strings.Contains(err.Error(), "keys/iris.key") || hint.Of(err) == "" {
			t.Errorf("%v, want %q", err, words)
		}
	}
}

func TestSecretsReachTheTasksAndNothingElse(t *testing.T) {
	const license, credentials = "canary-license-2", "canary-user:canary-credentials-3"
	for _, url := range []string{sim.OldKit, "https://kits.acme.com/IRIS-2018.2.0.792.0-lnxrhx64.tar.gz"} {
		s := sim.New(t, sim.Defaults(kit(url)+`"KitCredentials": "kit.secret", "LicenseDir": "keys", "LicenseKey": "iris.key",`), cluster)
		s.Write("kit.secret", credentials+"\n")
		if err := os.Mkdir(s.Dir+"/keys", 0o700); err != nil {
			t.Fatal(err)
		}
		key := "FileType=InterSystems License\n" + license
		s.Write("keys/iris.key", key)
		if _, err := job(s, "provision").Provision(t.Context()); err != nil {
			t.Fatal(err)
		}
		why := "the licence " + license + " is void"
		if strings.Contains(url, "2018") { // the others' agents are not told the password
			why += ", the password " + password + " weak"
		}
		s.Machine(am2).Fail(kind.IRISConfigure, why)
		fails(t.Context(), t, s, deploy.VerbInstall)
		s.Machine(am2).Fail(kind.IRISConfigure, "")
		operate(t, s, deploy.VerbInstall)
		m := s.Machine(dm)
		if m.Secret("license") != key || m.Secret("kit-credentials") != credentials || !strings.HasSuffix(m.Secret("password-hash"), ",SHA512") {
			t.Errorf("%s: the tasks got other secrets", url)
		}
		if got := m.Secret("password"); (got == password) != strings.Contains(url, "2018") {
			t.Errorf("%s: the plain password came as %q", url, got)
		}
		for _, word := range []string{password, "canary-credentials-3", m.Secret("password-hash"), license} {
			for _, where := range s.Grep(word) {
				if where != s.Dir+"/kit.secret" && where != s.Dir+"/keys/iris.key" {
					t.Errorf("%s: %q is in %s", url, word, where)
				}
			}
		}
	}
}

func TestTwoHundredNodesLeaveNothingBehind(t *testing.T) {
	s := provisioned(t, `[{"Role": "DM"}, {"Role": "AM", "Count": 199}]`)
	goroutines, files := runtime.NumGoroutine(), openFiles(t)
	operate(t, s, deploy.VerbStop)
	planOf(t, s, deploy.VerbInstall)
	if _, err := job(s, "ps").PS(t.Context()); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(20 * time.Second)
	for runtime.NumGoroutine() > goroutines || openFiles(t) > files {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines and %d files, there were %d and %d", runtime.NumGoroutine(), openFiles(t), goroutines, files)
		}
		time.Sleep(10 * time.Millisecond) // look again
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}
