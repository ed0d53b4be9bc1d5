package deploy_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"icm/controller/deploy"
	"icm/controller/state"
	"icm/internal/kind"
	"icm/plugins/provider"
	"icm/tests/sim"
)

// lose deletes the state directory and the instances file, and returns the id
// of the deployment and the addresses that its nodes answer at.
func lose(t *testing.T, s *sim.Site) (id string, addresses []string) {
	t.Helper()
	dir := stateDir(t, s)
	all, err := state.LoadInstances(s.Dir + "/instances.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range all {
		s.At[n.IPAddress] = n.MachineName
		addresses = append(addresses, n.IPAddress)
	}
	for _, err := range []error{dir.Remove(), os.Remove(s.Dir + "/instances.json")} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir.ID, addresses
}

// recovering is a job that sees host keys for the first time.
func recovering(t *testing.T, s *sim.Site) *deploy.Job {
	t.Helper()
	public, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	j := job(s, "recover")
	connect := j.World.Connect
	var mu sync.Mutex
	j.World.Connect = func(ctx context.Context, a deploy.Address) (deploy.Node, error) {
		mu.Lock()
		defer mu.Unlock()
		if err := a.KnownHosts.Pin(a.Machine, a.Host+":22", key); err != nil {
			return nil, err
		}
		return connect(ctx, a)
	}
	return j
}

func recovered(t *testing.T, s *sim.Site, nodes []string) *deploy.Recovered {
	t.Helper()
	res, err := recovering(t, s).Recover(t.Context(), deploy.RecoverOptions{Nodes: nodes, User: "icm", KeyFile: "id"})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func TestAStateDirectoryLostInTheMiddleOfAnInstallationIsMadeAgain(t *testing.T) {
	s := provisioned(t, cluster)
	held, open := s.Machine(dm).Hold(kind.IRISInstall)
	r := begin(t, s, deploy.VerbInstall)
	wait(t, held, "the installation")
	fence := fenceOf(t, s)
	r.cancel() // the controller is gone
	if err := wait(t, r.ended, "the end of the controller"); err == nil {
		t.Fatal("it ended well")
	}
	id, addresses := lose(t, s)

	res := recovered(t, s, addresses)
	if len(res.Nodes) != 3 || res.Operations != 2 { // provision and install
		t.Errorf("it found %d nodes and %d operations", len(res.Nodes), res.Operations)
	}
	if got := stateDir(t, s).ID; got != id {
		t.Errorf("the deployment is %s, it was %s", got, id)
	}
	open()
	operate(t, s, deploy.VerbInstall)
	for _, m := range s.Machines() {
		if !m.Running() {
			t.Errorf("%s does not run", m.Name)
		}
	}
	if got := fenceOf(t, s); got <= fence {
		t.Errorf("the fence is %d, it was %d", got, fence)
	}
	if p := planOf(t, s, deploy.VerbInstall); !p.Empty() {
		t.Errorf("there is %+v left", p.Stages)
	}
}

// fenceOf is the highest number that a node has seen.
func fenceOf(t *testing.T, s *sim.Site) (n uint64) {
	t.Helper()
	for _, m := range s.Memberships(t) {
		n = max(n, m.Fence)
	}
	return n
}

func TestWhatWasRecoveredIsWhatWasThere(t *testing.T) {
	s := installed(t, cluster)
	before, err := state.LoadInstances(s.Dir + "/instances.json")
	if err != nil {
		t.Fatal(err)
	}
	operations, err := stateDir(t, s).ListOperations()
	if err != nil {
		t.Fatal(err)
	}
	_, addresses := lose(t, s)
	recovered(t, s, addresses)
	after, err := state.LoadInstances(s.Dir + "/instances.json")
	if err != nil {
		t.Fatal(err)
	}
	for i := range before {
		was, is := before[i], after[i]
		is.SetField("SSHPrivateKey", was.Field("SSHPrivateKey"))
		if was.MachineName != is.MachineName || was.Role != is.Role || was.IPAddress != is.IPAddress || was.DNSName != is.DNSName ||
			was.StateDir != is.StateDir || !maps.Equal(was.Fields, is.Fields) {
			t.Errorf("it was\n%+v\nit is\n%+v", was, is)
		}
	}
	again, err := stateDir(t, s).ListOperations()
	if err != nil || len(again) != len(operations) {
		t.Fatalf("%d operations were %d: %v", len(again), len(operations), err)
	}
	for i, r := range again {
		was := operations[i].Meta
		if r.State != state.Recovered || r.Meta.ID != was.ID || r.Meta.Verb != was.Verb || r.Meta.Began().Sub(was.Began()).Abs() > time.Second {
			t.Errorf("%+v was %+v", r.Meta, was)
		}
	}
	keys, err := stateDir(t, s).AllHostKeys()
	if err != nil || !slices.Equal(slices.Sorted(maps.Keys(keys)), []string{am1, am2, dm}) {
		t.Errorf("keys are pinned of %v: %v", keys, err)
	}
	_, tasks, err := job(s, "tasks").Tasks(t.Context(), again[len(again)-1].Meta.ID)
	if err != nil || len(tasks) == 0 {
		t.Fatalf("%d tasks: %v", len(tasks), err)
	}
	for _, nt := range tasks {
		if !nt.Known || nt.Status != "done" || nt.Stage == "" {
			t.Errorf("%+v", nt)
		}
	}
	if left, err := filepath.Glob(s.Dir + "/.icm-recover*"); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	if found := s.Grep(password); len(found) > 0 {
		t.Errorf("the password stands in %v", found)
	}
}

func TestAnOperationThatWasRecoveredIsNotResumed(t *testing.T) {
	s := installed(t, `[{"Role": "DM"}]`)
	_, addresses := lose(t, s)
	recovered(t, s, addresses)
	_, err := job(s, "resume").Resume(t.Context(), "")
	if err == nil {
		t.Fatal("it was resumed")
	}
	holds(t, err.Error(), "has ended: recovered")
}

// remembering is a provider that can tell where the nodes are.
type remembering struct {
	provider.Provider
	nodes []provider.Node
}

func (r remembering) Inventory(context.Context, provider.Request) (provider.Result, error) {
	return provider.Result{Nodes: r.nodes}, nil
}

func TestAProviderThatKnowsTheAddressesIsAsked(t *testing.T) {
	s := installed(t, cluster)
	_, addresses := lose(t, s)
	if _, err := recovering(t, s).Recover(t.Context(), deploy.RecoverOptions{}); err == nil || !strings.Contains(err.Error(), "cannot tell") {
		t.Errorf("a provider that lost its record: %v", err)
	}
	var nodes []provider.Node
	for _, a := range addresses {
		nodes = append(nodes, provider.Node{MachineName: s.At[a], IPAddress: a})
	}
	s.Provider = remembering{s.Provider, nodes}
	if _, err := recovering(t, s).Recover(t.Context(), deploy.RecoverOptions{}); err != nil {
		t.Fatal(err)
	}
	if p := planOf(t, s, deploy.VerbInstall); !p.Empty() {
		t.Errorf("there is %+v left", p.Stages)
	}
}

func TestRecoverRefuses(t *testing.T) {
	one, other := installed(t, cluster), installed(t, cluster)
	_, addresses := lose(t, one)
	others, _ := lose(t, other)
	_ = others
	bare := sim.New(t, sim.Defaults(""), cluster)
	bare.At = one.At
	for name, c := range map[string]struct {
		prepare func(t *testing.T)
		nodes   []string
		says    string
	}{
		"an instances file that is there": {func(t *testing.T) {
			one.Write("instances.json", "[]")
			t.Cleanup(func() { os.Remove(one.Dir + "/instances.json") })
		}, addresses, "is not written over"},
		"a machine named twice":       {func(*testing.T) { one.At["again"] = dm }, append(addresses[:3:3], "again"), "and so is"},
		"a node that does not answer": {func(t *testing.T) { away(one, am1); t.Cleanup(func() { delete(one.Unreachable, am1) }) }, addresses, "does not answer"},
		"a machine of no deployment":  {func(*testing.T) { one.At["bare"] = "BARE" }, append(addresses[:3:3], "bare"), "belongs to no deployment"},
		"a machine of another deployment": {func(t *testing.T) {
			m := other.Memberships(t)[0]
			m.MachineName = "STRAY"
			one.Told(t, "STRAY", m)
			one.At["stray"] = "STRAY"
		}, append(addresses[:3:3], "stray"), "belongs to the deployment " + others},
	} {
		t.Run(name, func(t *testing.T) {
			c.prepare(t)
			_, err := recovering(t, one).Recover(t.Context(), deploy.RecoverOptions{Nodes: c.nodes, User: "icm", KeyFile: "id"})
			text := ""
			for _, r := range refusals(t, err) {
				text += r.String()
			}
			holds(t, err.Error()+text, c.says)
			if left, err := filepath.Glob(one.Dir + "/ICM-*"); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v %v", left, err)
			}
		})
	}
}

func TestTheStateDirectoryOnAnotherMachineCarriesOn(t *testing.T) {
	s := provisioned(t, cluster)
	held, open := s.Machine(dm).Hold(kind.IRISInstall)
	r := begin(t, s, deploy.VerbInstall)
	wait(t, held, "the installation")
	copied := t.TempDir() // as it is at this moment
	if err := os.CopyFS(copied, os.DirFS(s.Dir)); err != nil {
		t.Fatal(err)
	}
	r.cancel()
	if err := wait(t, r.ended, "the end of the first icm"); err == nil {
		t.Fatal("it ended well")
	}
	moved := func(verb string) *deploy.Job {
		j := job(s, verb)
		j.Dir = copied
		j.Files = deploy.Files{Definitions: copied + "/definitions.json", Defaults: copied + "/defaults.json", Instances: copied + "/instances.json",
			StateDir: filepath.Join(copied, filepath.Base(stateDir(t, s).Path))}
		return j
	}
	elsewhere(t, moved("").Files.StateDir)
	_, err := moved("resume").Resume(t.Context(), "")
	if err == nil {
		t.Fatal("another machine's icm was not asked about")
	}
	holds(t, err.Error(), "held by", "@ops1")
	if _, err := moved("unlock").Unlock(); err != nil {
		t.Fatal(err)
	}
	open()
	if _, err := moved("resume").Resume(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	for _, m := range s.Machines() {
		if !m.Running() {
			t.Errorf("%s does not run", m.Name)
		}
	}
	late := fails(t.Context(), t, s, deploy.VerbStop) // by the first icm
	var fenced *deploy.FencedError
	if !errors.As(late, &fenced) {
		t.Errorf("the first icm was not fenced out: %v", late)
	}
	holds(t, late.Error(), "somebody else took over")
}

// elsewhere makes a copy of a state directory look as if the icm that used it
// ran on the machine ops1.
func elsewhere(t *testing.T, dir string) {
	t.Helper()
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(dir + "/operations/*/meta.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range append(files, dir+"/lock.json") {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.ReplaceAll(string(data), `"host": "`+host+`"`, `"host": "ops1"`)
		if err := os.WriteFile(f, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
