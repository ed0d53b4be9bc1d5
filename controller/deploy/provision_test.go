package deploy_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"icm/controller/deploy"
	"icm/controller/state"
	"icm/internal/hint"
	"icm/plugins/provider"
	"icm/plugins/provider/providertest"
	"icm/tests/sim"
)

func directories(t *testing.T, s *sim.Site) []string {
	t.Helper()
	list, err := filepath.Glob(s.Dir + "/ICM-*")
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestAProvisionThatIsRefusedLeavesNoDirectory(t *testing.T) {
	s := sim.New(t, sim.Defaults(""), `[{"Role": "DM", "Broken": "no such machine type"}]`)
	_, err := job(s, "provision").Provision(t.Context())
	var input *deploy.InputError
	if !errors.As(err, &input) {
		t.Errorf("the error is %v", err)
	}
	if d := directories(t, s); len(d) != 0 {
		t.Errorf("it left %v", d)
	}
}

func TestAProvisionThatFailedHalfWayGoesOnWithItsDirectory(t *testing.T) {
	s := sim.New(t, sim.Defaults(""), cluster)
	s.Provider = &providertest.Fake{OnProvision: func(_ context.Context, machine string) error {
		if machine == am2 {
			return errors.New("the quota is used up")
		}
		return nil
	}}
	if _, err := job(s, "provision").Provision(t.Context()); err == nil {
		t.Fatal("it succeeded")
	}
	d := directories(t, s)
	if len(d) != 1 {
		t.Fatalf("the directories are %v", d)
	}
	s.Provider = &providertest.Fake{}
	j := job(s, "provision")
	j.Files.StateDir = d[0]
	res, err := j.Provision(t.Context())
	if err != nil || len(res.Nodes) != 3 || len(directories(t, s)) != 1 {
		t.Errorf("%+v, %v", res, err)
	}
}

// An icm that was killed as soon as it had made the directory told nobody its
// name; whoever finds it may name it.
func TestADirectoryThatAProvisionHadOnlyBegunIsUsed(t *testing.T) {
	for _, left := range []string{"", ".deployment.json.new"} {
		s := sim.New(t, sim.Defaults(""), cluster)
		path := filepath.Join(s.Dir, "ICM-7")
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		if left != "" {
			if err := os.WriteFile(filepath.Join(path, left), []byte("{"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		j := job(s, "provision")
		j.Files.StateDir = path
		if _, err := j.Provision(t.Context()); err != nil {
			t.Errorf("with %q in it: %v", left, err)
		}
	}
}

func TestNodesThatAreRecordedAreNotForgotten(t *testing.T) {
	s := provisioned(t, cluster)
	refusals(t, provision(t, s, ""))
	refusals(t, provision(t, s, s.Dir+"/another"))
	before, err := os.ReadFile(s.Dir + "/instances.json")
	if err != nil {
		t.Fatal(err)
	}
	s.Write("instances.json", string(before[:len(before)/2]))
	if err := provision(t, s, ""); hint.Of(err) == "" {
		t.Errorf("a damaged file: %v", err)
	}
	if d := directories(t, s); len(d) != 1 {
		t.Errorf("the directories are %v", d)
	}
}

func provision(t *testing.T, s *sim.Site, stateDir string) error {
	t.Helper()
	j := job(s, "provision")
	j.Files.StateDir = stateDir
	_, err := j.Provision(t.Context())
	if err == nil {
		t.Fatal("it succeeded")
	}
	return err
}

// given is a provider of nodes that exist already.
type given struct{ providertest.Fake }

func (g *given) Info(ctx context.Context) (provider.Info, error) {
	info, err := g.Fake.Info(ctx)
	info.MakesNodes = false
	return info, err
}

func TestUnprovisionOfGivenNodesNeedsThemEmptyOrForce(t *testing.T) {
	s := sim.New(t, sim.Defaults(kit(sim.OldKit)), cluster)
	s.Provider = &given{}
	if _, err := job(s, "provision").Provision(t.Context()); err != nil {
		t.Fatal(err)
	}
	operate(t, s, deploy.VerbInstall)
	j := job(s, "unprovision")
	j.Files.StateDir = directories(t, s)[0]
	err := j.Unprovision(t.Context(), deploy.UnprovisionOptions{})
	refusals(t, err)
	holds(t, err.Error(), dm+", "+am1+", "+am2)
	operate(t, s, deploy.VerbUninstall)
	if err := j.Unprovision(t.Context(), deploy.UnprovisionOptions{CleanUp: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := state.LoadInstances(s.Dir + "/instances.json"); !errors.Is(err, os.ErrNotExist) || len(directories(t, s)) != 0 {
		t.Errorf("it left %v, %v", directories(t, s), err)
	}
}

func TestARefreshMendsTheInstancesFile(t *testing.T) {
	s := provisioned(t, cluster)
	all, err := state.LoadInstances(s.Dir + "/instances.json")
	if err != nil {
		t.Fatal(err)
	}
	all[1].IPAddress = "198.51.100.7"
	all[1].SetField("Comment", "in the left rack")
	if err := state.SaveInstances(s.Dir+"/instances.json", all); err != nil {
		t.Fatal(err)
	}
	rows, err := job(s, "inventory").Inventory(t.Context(), true)
	if err != nil || len(rows) != 3 || rows[1].IPAddress != "192.0.2.2" {
		t.Errorf("%+v, %v", rows, err)
	}
	all, err = state.LoadInstances(s.Dir + "/instances.json")
	if err != nil || all[1].Field("Comment") != "in the left rack" {
		t.Errorf("the comment is %q (%v)", all[1].Field("Comment"), err)
	}
}
