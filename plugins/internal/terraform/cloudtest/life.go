package cloudtest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"icm/plugins/provider"
)

// Life is the life of a deployment: a fault and a second try, a clean plan,
// growth, one more node, a node that is lost, refusals, and the end.
func Life(t *testing.T, c Cloud) {
	s := New(t, c)
	var first map[string]provider.Node
	for _, step := range []struct {
		name string
		run  func(*Site)
	}{
		{"a plan before anything is there makes all of it", (*Site).planFirst},
		{"an apply that fails says why, and goes on when it is run again", func(s *Site) { first = s.faultAndAgain() }},
		{"a plan afterwards changes nothing", (*Site).cleanPlan},
		{"files are where the guide has them, and open to nobody else", (*Site).files},
		{"inventory sees what has moved", func(s *Site) { s.inventory(first) }},
		{"a volume grows in place, and one more node is made", func(s *Site) { s.growAndRescale(first) }},
		{"a node that was lost is made again, with another host key", func(s *Site) { s.lostNode(first) }},
		{"fewer nodes are data loss, and need a named consent", (*Site).shrink},
		{"unprovision leaves nothing", (*Site).end},
	} {
		s.run(step.name, step.run)
	}
}

// run runs a step; the steps after a failed one are not worth running.
func (s *Site) run(name string, f func(*Site)) {
	s.Helper()
	ok := s.T.Run(name, func(t *testing.T) {
		sub := *s
		sub.T = t
		f(&sub)
		s.Said = sub.Said
	})
	if !ok {
		s.FailNow()
	}
}

func (s *Site) planFirst() {
	plan := strings.Join(s.Plan(), "\n")
	for _, want := range []string{"make deployment ACME-TEST 2 nodes, ", "make node ACME-DM-TEST-0001 ", "make node ACME-AM-TEST-0001 "} {
		if !strings.Contains(plan, want) {
			s.Errorf("the plan does not say %q:\n%s", want, plan)
		}
	}
	if left, err := os.ReadDir(s.Request.StateDir); err != nil || len(left) > 0 {
		s.Errorf("the plan left %v in the state directory (%v)", left, err)
	}
}

func (s *Site) faultAndAgain() map[string]provider.Node {
	const said = "InsufficientInstanceCapacity: we do not have enough machines"
	s.Must(s.Store.Inject(faultOf(s.c.Machine, said)))
	_, err := s.Try()
	var e *provider.Error
	if !errors.As(err, &e) || e.Kind != provider.KindPartial || !strings.Contains(e.Message, said) || !strings.Contains(e.Hint, "terraform.err") {
		s.Fatalf("the first try ends with %v", err)
	}
	nodes := s.Provision()
	for _, machine := range []string{"ACME-DM-TEST-0001", "ACME-AM-TEST-0001"} {
		if n := nodes[machine]; n.IPAddress == "" || len(n.HostKeys) != 1 {
			s.Errorf("%s is %+v", machine, n)
		}
	}
	if n := nodes["ACME-DM-TEST-0001"]; len(n.Volumes) != 4 || n.Volumes["docker"] != "" {
		s.Errorf("the volumes of a containerless data server are %v", n.Volumes)
	}
	for _, line := range []string{"Starting refresh of ACME-TEST...", "Starting plan of ACME-DM-TEST...", "...completed plan of ACME-AM-TEST"} {
		if !slices.Contains(s.Said, line) {
			s.Errorf("it did not say %q: %q", line, s.Said)
		}
	}
	return nodes
}

func (s *Site) cleanPlan() {
	if plan := s.Plan(); len(plan) > 0 {
		s.Errorf("the plan would %q", plan)
	}
}

// files: the directories are closed, the variables hold no credentials.
func (s *Site) files() {
	for _, name := range []string{"terraform.tfvars", "terraform.tfstate", ".terraform.lock.hcl"} {
		for _, dir := range []string{"ACME-TEST", "ACME-DM-TEST", "ACME-AM-TEST"} {
			if _, err := os.Stat(filepath.Join(s.Request.StateDir, dir, name)); err != nil {
				s.Error(err)
			}
			if info, err := os.Stat(filepath.Join(s.Request.StateDir, dir)); err != nil || info.Mode().Perm() != 0o700 {
				s.Errorf("%s is %v, %v", dir, info, err)
			}
		}
	}
	err := filepath.WalkDir(s.Request.StateDir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(text), Canary) {
			s.Errorf("%s holds the credentials", path)
		}
		return err
	})
	s.Must(err)
}

// Canary is a part of every credential that a test uses.
const Canary = "canary-7d1f"

func (s *Site) inventory(first map[string]provider.Node) {
	r, err := s.Provider().Inventory(s.Ctx(), s.Request)
	s.Must(err)
	for _, n := range r.Nodes {
		if was := first[n.MachineName]; was.IPAddress != n.IPAddress || fmt.Sprint(was.Volumes) != fmt.Sprint(n.Volumes) {
			s.Errorf("%s was %+v and is %+v", n.MachineName, was, n)
		}
	}
	if len(r.Nodes) != len(first) {
		s.Errorf("inventory gives %d nodes, provision gave %d", len(r.Nodes), len(first))
	}
}

func (s *Site) growAndRescale(first map[string]provider.Node) {
	machines := s.Find(s.c.Machine)
	s.Set("DataVolumeSize", "20")
	s.Define("AM", 2)
	plan := strings.Join(s.Plan(), "\n")
	for _, want := range []string{"make node ACME-AM-TEST-0002 ", "ACME-DM-TEST-0001"} {
		if !strings.Contains(plan, want) || strings.Contains(plan, "destroy") {
			s.Errorf("the plan is\n%s", plan)
		}
	}
	nodes := s.Provision()
	for machine, was := range first {
		if n := nodes[machine]; fmt.Sprint(n.Volumes) != fmt.Sprint(was.Volumes) || fmt.Sprint(n.HostKeys) != fmt.Sprint(was.HostKeys) {
			s.Errorf("%s was %+v and is %+v", machine, was, n)
		}
	}
	for id := range machines {
		if s.Find(s.c.Machine)[id] == nil {
			s.Errorf("machine %s was replaced", id)
		}
	}
	if len(s.Find(s.c.Machine)) != 3 {
		s.Errorf("the cloud has %d machines, want 3", len(s.Find(s.c.Machine)))
	}
	if s.c.Disk != "" {
		if n := s.sized("20"); n != 3 {
			s.Errorf("%d volumes have 20 GiB, want 3", n)
		}
	}
}

// sized counts the disks of a size.
func (s *Site) sized(gib string) int {
	n := 0
	for _, o := range s.Find(s.c.Disk) {
		if fmt.Sprint(o[s.c.Size]) == gib {
			n++
		}
	}
	return n
}

func (s *Site) lostNode(first map[string]provider.Node) {
	id := s.idOf("ACME-DM-TEST-0001")
	s.Must(s.Store.Delete(s.c.Machine, id))
	now := s.Provision()["ACME-DM-TEST-0001"]
	was := first["ACME-DM-TEST-0001"]
	if fmt.Sprint(now.HostKeys) == fmt.Sprint(was.HostKeys) || len(now.HostKeys) != 1 {
		s.Errorf("the new machine has the host keys %v, the old one had %v", now.HostKeys, was.HostKeys)
	}
	if s.c.Disk != "" && fmt.Sprint(now.Volumes) != fmt.Sprint(was.Volumes) {
		s.Errorf("the volumes were %v and are %v", was.Volumes, now.Volumes)
	}
}

// idOf finds a machine in the cloud by its name.
func (s *Site) idOf(machine string) string {
	s.Helper()
	for id, o := range s.Find(s.c.Machine) {
		tags, _ := o["tags"].(map[string]any)
		if strings.EqualFold(fmt.Sprint(o["name"]), machine) || tags["Name"] == machine {
			return id
		}
	}
	s.Fatalf("the cloud has no machine %s", machine)
	return ""
}

func (s *Site) shrink() {
	before := s.Objects()
	s.Define("AM", 1)
	_, err := s.Try()
	_, planErr := s.Provider().Plan(s.Ctx(), s.Request)
	for _, err := range []error{err, planErr} {
		var e *provider.Error
		if !errors.As(err, &e) || e.Kind != provider.KindRefused || !strings.Contains(e.Message, "data loss: ACME-AM-TEST-0002") || !strings.Contains(e.Hint, "-allowDataLoss ACME-AM-TEST-0002") {
			s.Fatalf("fewer nodes: %v", err)
		}
	}
	if fmt.Sprint(before) != fmt.Sprint(s.Objects()) {
		s.Error("a refusal changed the cloud")
	}
	s.Request.Defaults["AllowDataLoss"] = "ACME-AM-TEST-0002"
	if nodes := s.Provision(); len(s.Find(s.c.Machine)) != 2 {
		s.Errorf("with consent the nodes are %v", nodes)
	}
}

func (s *Site) end() {
	s.Unprovision()
	if left := s.Objects(); len(left) > 0 {
		s.Errorf("the cloud still has %q", left)
	}
}
