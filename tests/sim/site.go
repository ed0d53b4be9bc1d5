package sim

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"icm/controller/deploy"
	"icm/plugins/provider"
	"icm/plugins/provider/providertest"
)

// Site is a deployment's directory and its nodes.
type Site struct {
	T    testing.TB
	Dir  string
	Said *Reports
	// Provider may be replaced before a job runs.
	Provider provider.Provider
	// Unreachable are machines that do not let icm in, and why.
	Unreachable map[string]error
	// At are machines by the host or address under which they are reached,
	// where the name of the machine is not known.
	At map[string]string
	// Ran are the commands that shells were given: "MACHINE: COMMAND".
	Ran *Reports

	net    *Net
	mu     sync.Mutex
	agents map[string]*Agent
	lines  map[*Line]string // to which machine
}

// OldKit and NewKit are the addresses of kits that the sites use.
const (
	OldKit = "https://kits.acme.com/IRIS-2023.1.0.235.1-lnxrh8x64.tar.gz"
	NewKit = "https://kits.acme.com/IRIS-2024.1.0.267.2-lnxrh8x64.tar.gz"
)

// Defaults is a defaults file for the provider of the sites, with more fields
// in JSON form: `"KitURL": "…",`.
func Defaults(more string) string {
	return `{` + more + `
  "Provider": "Lab", "Label": "ACME", "Tag": "TEST", "Containerless": true,
  "SSHUser": "icm", "SSHPublicKey": "id.pub", "SSHPrivateKey": "id",
  "Namespace": "DB", "ISCglobals": "0,0,800,0,0,0",
  "DataDeviceName": "null", "WIJDeviceName": "null", "Journal1DeviceName": "null", "Journal2DeviceName": "null"
}`
}

// New makes a site in a directory of its own. Agents are stopped when the test
// ends, and no connection may be left open then.
func New(t testing.TB, defaults, definitions string) *Site {
	t.Helper()
	s := &Site{
		T: t, Dir: t.TempDir(), Said: &Reports{}, Ran: &Reports{}, Provider: &providertest.Fake{},
		Unreachable: map[string]error{}, At: map[string]string{}, net: NewNet(), agents: map[string]*Agent{}, lines: map[*Line]string{},
	}
	public, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	s.Write("id.pub", string(ssh.MarshalAuthorizedKey(key)))
	s.Write("id", "not used")
	s.Write("defaults.json", defaults)
	s.Write("definitions.json", definitions)
	t.Cleanup(s.end)
	return s
}

func (s *Site) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for l, machine := range s.lines {
		if l.wire != nil && l.wire.Err() == nil {
			s.T.Errorf("the connection to %s was left open", machine)
			_ = l.Close()
		}
	}
	for name, a := range s.agents {
		if err := a.Stop(); err != nil {
			s.T.Errorf("agent of %s: %v", name, err)
		}
	}
}

// Write writes a file of the deployment's directory.
func (s *Site) Write(name, text string) {
	s.T.Helper()
	if err := os.WriteFile(filepath.Join(s.Dir, name), []byte(text), 0o600); err != nil {
		s.T.Fatal(err)
	}
}

// Agent is the agent of a machine, which is made, bare, when it is first asked
// for.
func (s *Site) Agent(machine string) *Agent {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.agents[machine]; a != nil {
		return a
	}
	a := NewAgent(NewMachineIn(s.net, machine), s.T.TempDir())
	if err := a.Start(); err != nil {
		s.T.Errorf("agent of %s: %v", machine, err)
	}
	s.agents[machine] = a
	return a
}

// Machine is a machine of the site.
func (s *Site) Machine(name string) *Machine { return s.Agent(name).Machine }

// Machines are all that were made, by name.
func (s *Site) Machines() []*Machine {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*Machine
	for _, a := range s.agents {
		out = append(out, a.Machine)
	}
	sort.Slice(out, func(i, k int) bool { return out[i].Name < out[k].Name })
	return out
}

// World is the world of the site.
func (s *Site) World(r deploy.Reporter) deploy.World {
	return deploy.World{
		Provider: func(context.Context, string) (provider.Provider, func() error, error) {
			return s.Provider, func() error { return nil }, nil
		},
		Reach:   s.reach,
		Connect: s.connect,
		RemoveAgent: func(_ context.Context, n deploy.Node) error {
			return n.(node).agent.Stop()
		},
		Report: r, Now: time.Now, Build: "test",
	}
}

func (s *Site) refused(machine string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Unreachable[machine]
}

func (s *Site) reach(_ context.Context, a deploy.Address) (deploy.Shell, error) {
	if err := s.refused(a.Machine); err != nil {
		return nil, err
	}
	return shell{s, a.Machine}, nil
}

func (s *Site) connect(ctx context.Context, a deploy.Address) (deploy.Node, error) {
	if machine := s.At[a.Host]; machine != "" {
		a.Machine = machine
	}
	if err := s.refused(a.Machine); err != nil {
		return nil, err
	}
	agent := s.Agent(a.Machine)
	l := &Line{Dial: agent.dial, cut: agent.breaks}
	if _, err := l.client(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines[l] = a.Machine
	return node{l, agent, shell{s, a.Machine}}, nil
}

type node struct {
	*Line
	agent *Agent
	shell shell
}

// Put implements deploy.Node: the machine has then what was sent.
func (n node) Put(_ context.Context, name string, in io.Reader, size int64, sum string) error {
	h := sha256.New()
	got, err := io.Copy(h, in)
	if err != nil {
		return err
	}
	if got != size || hex.EncodeToString(h.Sum(nil)) != sum {
		return fmt.Errorf("what came is not what was announced")
	}
	n.agent.Machine.arrive(name)
	return nil
}

func (n node) Shell() deploy.Shell { return n.shell }

// shell runs nothing: it answers with its machine's name. The command "fail"
// fails.
type shell struct {
	site    *Site
	machine string
}

func (sh shell) Run(_ context.Context, command string, _ io.Reader, stdout, stderr io.Writer) (int, error) {
	sh.site.Ran.add(sh.machine + ": " + command)
	if command == "fail" {
		_, err := fmt.Fprintln(stderr, "it went wrong")
		return 7, err
	}
	_, err := fmt.Fprintf(stdout, "this is %s\n", sh.machine)
	return 0, err
}

func (sh shell) Interactive(_ context.Context, command string) (int, error) {
	sh.site.Ran.add(sh.machine + ": " + command)
	return 0, nil
}

func (sh shell) Copy(_ context.Context, local, remote string, moved func(done, total int64)) error {
	sh.site.Ran.add(sh.machine + ": copy " + local + " to " + remote)
	moved(1, 1)
	return nil
}

func (shell) Close() error { return nil }

// Reports keeps what was told, one line each.
type Reports struct {
	mu     sync.Mutex
	lines  []string
	events []deploy.Event
}

func (r *Reports) add(line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, line)
}

// Report implements deploy.Reporter.
func (r *Reports) Report(ev deploy.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, ev)
	r.lines = append(r.lines, strings.TrimSpace(fmt.Sprint(ev.Text, " ", ev.Preposition, " ", ev.Subject, " ", ev.Err)))
}

// Events are all events so far.
func (r *Reports) Events() []deploy.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]deploy.Event(nil), r.events...)
}

// Lines are all lines so far.
func (r *Reports) Lines() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.lines...)
}

// Grep finds files below dir, and lines of what was said, that hold a word.
func (s *Site) Grep(word string) []string {
	var out []string
	err := filepath.WalkDir(s.Dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if bytes.Contains(data, []byte(word)) {
			out = append(out, path)
		}
		return err
	})
	if err != nil {
		s.T.Fatal(err)
	}
	for _, l := range append(s.Said.Lines(), s.Ran.Lines()...) {
		if strings.Contains(l, word) {
			out = append(out, l)
		}
	}
	return out
}
