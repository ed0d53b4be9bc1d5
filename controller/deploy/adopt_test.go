package deploy_test

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"icm/controller/deploy"
	"icm/internal/wire"
	"icm/tests/sim"
)

// dmAt and amAt are where the machines dm and am answer.
const dmAt, amAt = "10.9.0.1", "10.9.0.2"

// ward is a data server that was installed by hand.
func ward() wire.Surveyed {
	return wire.Surveyed{
		Instance: wire.Instance{Name: "IRIS", Dir: "/opt/ward", Version: "2023.1.0.235.1", Status: "running"},
		Owner:    "irisboss", OwnerGroup: "irisadm", User: "irisusr", Group: "irisgrp", Security: "Normal", Platform: "lnxrh8x64",
		Settings: map[string]string{"Journal.CurrentDirectory": "/srv/jrn/", "config.wijdir": "/opt/ward/mgr/"},
	}
}

// client is an application server of it.
func client() wire.Surveyed {
	s := ward()
	s.DataServers = []string{dmAt + ":1972"}
	return s
}

// strays is a directory without a deployment, and machines with what was
// installed on them by hand.
func strays(t *testing.T, found map[string][]wire.Surveyed) *sim.Site {
	t.Helper()
	s := sim.New(t, "", "")
	s.Provider = &given{}
	for _, name := range []string{"defaults.json", "definitions.json"} {
		if err := os.Remove(filepath.Join(s.Dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	s.At[dmAt], s.At[amAt] = dm, "ACME-AM-TEST-0002"
	for at, list := range found {
		for _, in := range list {
			s.Machine(s.At[at]).ByHand(in)
		}
	}
	return s
}

// adopting is a job that records whose agents were removed.
func adopting(t *testing.T, s *sim.Site) (j *deploy.Job, removed func() int) {
	t.Helper()
	j = recovering(t, s)
	remove := j.World.RemoveAgent
	var mu sync.Mutex
	n := 0
	j.World.RemoveAgent = func(ctx context.Context, node deploy.Node) error {
		mu.Lock()
		defer mu.Unlock()
		n++
		return remove(ctx, node)
	}
	return j, func() int { mu.Lock(); defer mu.Unlock(); return n }
}

func options(nodes ...string) deploy.AdoptOptions {
	return deploy.AdoptOptions{Nodes: nodes, User: "icm", KeyFile: "id", Label: "ACME", Tag: "TEST"}
}

func TestAdoptedNodesAreRecordedNeedNothingAndAreLetGoAsTheyWere(t *testing.T) {
	s := strays(t, map[string][]wire.Surveyed{dmAt: {ward()}, amAt: {client()}})
	j, removed := adopting(t, s)
	res, err := j.Adopt(t.Context(), options(amAt, dmAt))
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Nodes) != 2 || res.Nodes[0].MachineName != dm || res.Nodes[1].MachineName != "ACME-AM-TEST-0002" {
		t.Errorf("it recorded %+v", res.Nodes)
	}
	for _, verb := range []deploy.Verb{deploy.VerbInstall, deploy.VerbStart} {
		if p := planOf(t, s, verb); !p.Empty() {
			t.Errorf("%s would do %+v", verb, p.Stages)
		}
	}
	for _, m := range s.Memberships(t) {
		if m.Fields["ISCInstallDir"] != "/opt/ward" || m.Fields["OwnerAccount"] != "irisboss" || m.Fields["Journal1MountPoint"] != "/srv/jrn" {
			t.Errorf("%s keeps %v", m.MachineName, m.Fields)
		}
	}

	t.Run("without the field icm would take over", func(t *testing.T) {
		j := job(s, "plan")
		j.Fields = map[string]string{"Adopted": "false", "DataDeviceName": "null", "WIJDeviceName": "null", "Journal1DeviceName": "null", "Journal2DeviceName": "null"}
		p, err := j.Plan(t.Context(), deploy.VerbInstall)
		if err != nil || p.Empty() {
			t.Errorf("it would do %+v, %v", p, err)
		}
	})

	j.Files.StateDir = stateDir(t, s).Path
	if err := j.Release(t.Context(), deploy.UnprovisionOptions{CleanUp: true}); err != nil {
		t.Fatal(err)
	}
	if removed() != 2 {
		t.Errorf("%d agents were removed", removed())
	}
	for _, m := range s.Machines() {
		if did := slices.DeleteFunc(m.Did(), func(k string) bool { return k == "iris.release" || k == "node.restore" }); !m.Running() || len(did) != 0 {
			t.Errorf("%s: running %v, and was asked to %v", m.Name, m.Running(), did)
		}
	}
	if _, err := os.Stat(j.Files.StateDir); err == nil {
		t.Error("the state directory is still there")
	}
}

func TestAnInstanceThatIcmInstalledIsLetGoAndLosesItsService(t *testing.T) {
	s := sim.New(t, sim.Defaults(kit(sim.OldKit)), cluster)
	s.Provider = &given{}
	if _, err := job(s, "provision").Provision(t.Context()); err != nil {
		t.Fatal(err)
	}
	operate(t, s, deploy.VerbInstall)
	s.Machine(dm).Forget()
	j := job(s, "release")
	j.Files.StateDir = stateDir(t, s).Path
	if err := j.Release(t.Context(), deploy.UnprovisionOptions{}); err != nil {
		t.Fatal(err)
	}
	m := s.Machine(dm)
	if did := m.Did(); !m.Running() || !slices.Contains(did, "iris.release") || !slices.Contains(did, "node.restore") || slices.Contains(did, "volume.release") {
		t.Errorf("running %v, and was asked to %v", m.Running(), did)
	}
	warned := slices.ContainsFunc(s.Said.Events(), func(ev deploy.Event) bool {
		return ev.Kind == deploy.Warned && ev.Subject == dm && strings.Contains(ev.Text, "nothing starts or stops it with the machine")
	})
	if !warned {
		t.Error("it does not say that nothing starts the instance any more")
	}
}

func TestNodesThatIcmMadeAreNotLetGo(t *testing.T) {
	s := provisioned(t, cluster)
	j := job(s, "release")
	j.Files.StateDir = stateDir(t, s).Path
	var refused *deploy.RefusedError
	if err := j.Release(t.Context(), deploy.UnprovisionOptions{}); !errors.As(err, &refused) || !strings.Contains(err.Error(), "icm made these nodes") {
		t.Errorf("it says %v", err)
	}
	if len(s.Memberships(t)) != 3 {
		t.Error("nodes were let go")
	}
}

func TestNodesThatCannotBeAdoptedAreRefusedAndLoseTheAgentAgain(t *testing.T) {
	mirrored := ward()
	mirrored.Instance.MirrorType = "Failover"
	second := ward()
	second.Instance.Name = "OTHER"
	for name, row := range map[string]struct {
		found   map[string][]wire.Surveyed
		options deploy.AdoptOptions
		want    string
		removed int
	}{
		"a member of a mirror": {map[string][]wire.Surveyed{dmAt: {mirrored}}, options(dmAt), "IRIS is a member of a mirror", 1},
		"no instance":          {nil, options(dmAt), "there is no instance of IRIS on it", 1},
		"two instances":        {map[string][]wire.Surveyed{dmAt: {ward(), second}}, options(dmAt), "there are the instances IRIS and OTHER on it", 1},
		"another instance": {map[string][]wire.Surveyed{dmAt: {ward()}}, func() deploy.AdoptOptions { o := options(dmAt); o.Instance = "WARD"; return o }(),
			"there is no instance WARD on it, only IRIS", 1},
		"two that hold data":                           {map[string][]wire.Surveyed{dmAt: {ward()}, amAt: {ward()}}, options(dmAt, amAt), "both hold their own data", 2},
		"an application server alone":                  {map[string][]wire.Surveyed{amAt: {client()}}, options(amAt), "is an application server of " + dmAt + ":1972, which is not among the nodes", 1},
		"a namespace that is not there":                {map[string][]wire.Surveyed{dmAt: {ward()}}, func() deploy.AdoptOptions { o := options(dmAt); o.Namespace = "DB"; return o }(), "has no namespace DB", 1},
		"a key that is nowhere":                        {nil, func() deploy.AdoptOptions { o := options(dmAt); o.KeyFile = "lost"; return o }(), "cannot read the key lost", 0},
		"a node that stands there twice":               {nil, options(dmAt, dmAt), "stands there twice", 0},
		"a label that makes no name, found at the end": {map[string][]wire.Surveyed{dmAt: {ward()}}, func() deploy.AdoptOptions { o := options(dmAt); o.Label = "A-B"; return o }(), "Label", 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := strays(t, row.found)
			before := files(t, s.Dir)
			j, removed := adopting(t, s)
			_, err := j.Adopt(t.Context(), row.options)
			if err == nil || !strings.Contains(everyText(err), row.want) {
				t.Fatalf("it says %q", everyText(err))
			}
			if removed() != row.removed {
				t.Errorf("%d agents were removed", removed())
			}
			if after := files(t, s.Dir); !slices.Equal(before, after) {
				t.Errorf("the directory holds %v, before %v", after, before)
			}
		})
	}
}

func TestANodeOfAnotherDeploymentKeepsItsAgent(t *testing.T) {
	s := strays(t, map[string][]wire.Surveyed{dmAt: {ward()}})
	s.Told(t, dm, wire.Membership{Deployment: "ICM-7", MachineName: "X-DM-Y-0001", Fence: 3})
	j, removed := adopting(t, s)
	_, err := j.Adopt(t.Context(), options(dmAt))
	if err == nil || !strings.Contains(everyText(err), "belongs to the deployment ICM-7 already") || removed() != 0 {
		t.Errorf("it says %q and removed %d agents", everyText(err), removed())
	}
}

// everyText is an error with all its refusals.
func everyText(err error) string {
	if err == nil {
		return ""
	}
	text := err.Error()
	var r *deploy.RefusedError
	if errors.As(err, &r) {
		for _, x := range r.Refusals {
			text += "\n" + x.String()
		}
	}
	return text
}

// files are the names in a directory.
func files(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, e := range entries {
		names[e.Name()] = true
	}
	return slices.Sorted(maps.Keys(names))
}
