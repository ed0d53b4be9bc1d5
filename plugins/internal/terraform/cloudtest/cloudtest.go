// Package cloudtest is the life of a deployment on a simulated cloud, which
// every cloud's plugin goes through with the real terraform.
package cloudtest

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"icm/plugins/internal/terraform"
	"icm/plugins/internal/terraform/simulated"
	"icm/plugins/internal/terraform/simulated/simtest"
	"icm/plugins/provider"
	"icm/plugins/provider/providertest"
)

// Limit bounds a test's wait for terraform, on a machine that is very busy.
const Limit = 10 * time.Minute

// Main is the TestMain of a package whose tests run terraform: its program is
// also the one that becomes terraform, and the one that [Killed] kills.
func Main(m *testing.M, cloud terraform.Cloud) {
	terraform.Guard()
	if child, err := provisions(cloud); child {
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := m.Run()
	simtest.Close()
	os.Exit(code)
}

// Cloud is a cloud and how to test it.
type Cloud struct {
	Cloud terraform.Cloud
	Name  string // of its terraform provider: "aws"
	// Fields are those of a good deployment, without a mirror.
	Fields func(t *testing.T) map[string]string
	// Zone of the nodes.
	Zone string
	// Machine and Disk are the types of resources of a node and a volume; a
	// cloud whose machines hold their disks has no Disk.
	Machine, Disk string
	// Size is the path of a disk's size: "size".
	Size string
}

// Site is a deployment on a cloud of its own.
type Site struct {
	*testing.T
	c       Cloud
	Store   simulated.Store
	Request provider.Request
	Said    []string // progress
}

// New makes a site with one DM and one AM node.
func New(t *testing.T, c Cloud) *Site {
	t.Helper()
	mirror := simtest.Mirror(t)
	s := &Site{T: t, c: c, Store: mirror.Store(c.Name)}
	fields := c.Fields(t)
	fields["TerraformMirror"] = mirror.Dir
	s.Request = provider.Request{
		Deployment: fmt.Sprintf("ICM-%d", time.Now().UnixNano()), Label: "ACME", Tag: "TEST",
		StateDir: t.TempDir(), Defaults: fields, PublicKey: PublicKey(t),
	}
	s.Define("DM", 1)
	s.Define("AM", 1)
	return s
}

// PublicKey makes a key and returns its public half.
func PublicKey(t *testing.T) string {
	t.Helper()
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
}

// Define makes the definition of a role have count nodes.
func (s *Site) Define(role string, count int) *provider.Definition {
	name := "ACME-" + role + "-TEST"
	def := provider.Definition{Name: name, Index: len(s.Request.Definitions), Role: role}
	at := -1
	for i, d := range s.Request.Definitions {
		if d.Name == name {
			at, def.Index = i, i
		}
	}
	for i := 1; i <= count; i++ {
		fields := map[string]string{}
		for k, v := range s.Request.Defaults {
			fields[k] = v
		}
		def.Nodes = append(def.Nodes, provider.Want{MachineName: fmt.Sprintf("%s-%04d", name, i), Fields: fields, Zone: s.c.Zone})
	}
	if at < 0 {
		s.Request.Definitions = append(s.Request.Definitions, def)
		return &s.Request.Definitions[len(s.Request.Definitions)-1]
	}
	s.Request.Definitions[at] = def
	return &s.Request.Definitions[at]
}

// Set changes a field of all nodes.
func (s *Site) Set(name, value string) {
	s.Request.Defaults[name] = value
	for _, d := range s.Request.Definitions {
		for _, w := range d.Nodes {
			w.Fields[name] = value
		}
	}
}

// Provider is the plugin as a new process of it would be.
func (s *Site) Provider() provider.Provider {
	s.Helper()
	p, err := terraform.New(s.c.Cloud)
	if err != nil {
		s.Fatal(err)
	}
	return providertest.Connect(s.T, p)
}

// Ctx ends with the test, or after the limit.
func (s *Site) Ctx() context.Context {
	ctx, cancel := context.WithTimeout(s.T.Context(), Limit)
	s.Cleanup(cancel)
	return ctx
}

// Try provisions.
func (s *Site) Try() ([]provider.Node, error) {
	s.Said = nil
	r, err := s.Provider().Provision(s.Ctx(), s.Request, func(p provider.Progress) {
		line := "..." + "completed " + p.What + " of " + p.Subject
		if p.Starting {
			line = "Starting " + p.What + " of " + p.Subject + "..."
		}
		s.Said = append(s.Said, line)
	})
	return r.Nodes, err
}

// Provision provisions, and must succeed.
func (s *Site) Provision() map[string]provider.Node {
	s.Helper()
	nodes, err := s.Try()
	if err != nil {
		s.Fatal(err)
	}
	out := map[string]provider.Node{}
	for _, n := range nodes {
		out[n.MachineName] = n
	}
	return out
}

// Plan lists what would be done, without what would be kept.
func (s *Site) Plan() []string {
	s.Helper()
	actions, err := s.Provider().Plan(s.Ctx(), s.Request)
	if err != nil {
		s.Fatal(err)
	}
	var out []string
	for _, a := range actions {
		if a.Verb != "keep" {
			out = append(out, strings.TrimSpace(a.Verb+" "+a.What+" "+a.Detail))
		}
	}
	return out
}

// Unprovision takes everything down.
func (s *Site) Unprovision() {
	s.Helper()
	if err := s.Provider().Unprovision(s.Ctx(), s.Request, func(provider.Progress) {}); err != nil {
		s.Fatal(err)
	}
}

// Objects are what the cloud holds.
func (s *Site) Objects() []string {
	s.Helper()
	out, err := s.Store.Objects()
	if err != nil {
		s.Fatal(err)
	}
	return out
}

// Find lists the objects of a type, by id.
func (s *Site) Find(kind string) map[string]map[string]any {
	s.Helper()
	out, err := s.Store.Find(kind)
	if err != nil {
		s.Fatal(err)
	}
	return out
}

// Must fails the test on an error.
func (s *Site) Must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}
