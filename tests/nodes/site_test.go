//go:build nodes

package nodes

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// password is the instances' password of all sites. It is a canary too: it
// must show nowhere.
const password = "canary-Pa55-word"

// commandLimit bounds one command of a scenario.
const commandLimit = 5 * time.Minute

// site is a deployment as an administrator has it: a directory with the two
// files and a key.
type site struct {
	t        *testing.T
	dir      string
	defaults map[string]any
	env      []string
	other    string // path of an icm that is not bin/icm
	// enter begins every command line, for a site that lies elsewhere.
	enter []string
}

// top is the root of the project.
func top() string {
	dir, err := filepath.Abs("../..")
	if err != nil {
		panic(err)
	}
	return dir
}

func TestMain(m *testing.M) {
	if os.Getuid() != 0 {
		fmt.Fprintln(os.Stderr, "these tests boot real nodes and must run as root")
		os.Exit(1)
	}
	for _, need := range []string{"bin/icm", "bin/lab", "build/kits"} {
		if _, err := os.Stat(filepath.Join(top(), need)); err != nil {
			fmt.Fprintf(os.Stderr, "%s is missing: run make build kits\n", need)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// tag makes the machine names of concurrent and of interrupted runs differ.
func tag(t *testing.T) string {
	name := regexp.MustCompile(`[^A-Za-z0-9]`).ReplaceAllString(strings.TrimPrefix(t.Name(), "Test"), "")
	return strings.ToUpper(name[:min(len(name), 12)])
}

// newSite writes the files of a deployment of the lab. fields are added to the
// defaults. What was provisioned is taken down when the test ends.
func newSite(t *testing.T, definitions string, fields map[string]any) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir()}
	s.env = []string{
		"PATH=" + filepath.Join(top(), "bin") + ":" + os.Getenv("PATH"),
		"HOME=" + s.dir, "ICM_ISCPASSWORD=" + password,
	}
	s.keygen("id")
	s.defaults = map[string]any{
		"Provider": "Lab", "Containerless": "True", "Label": "T", "Tag": tag(t),
		"SSHUser": "icm", "SSHPublicKey": "id.pub", "SSHPrivateKey": "id",
		"DataVolumeSize": 1, "WIJVolumeSize": 1, "Journal1VolumeSize": 1, "Journal2VolumeSize": 1,
	}
	for k, v := range fields {
		s.defaults[k] = v
	}
	s.writeDefaults()
	s.write("definitions.json", definitions)
	t.Cleanup(s.takeDown)
	return s
}

func (s *site) keygen(name string) {
	s.t.Helper()
	out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", filepath.Join(s.dir, name)).CombinedOutput()
	if err != nil {
		s.t.Fatalf("ssh-keygen: %v: %s", err, out)
	}
}

func (s *site) writeDefaults() {
	s.t.Helper()
	data, err := json.MarshalIndent(s.defaults, "", "  ")
	if err != nil {
		s.t.Fatal(err)
	}
	s.write("defaults.json", string(data))
}

// set changes a field of the defaults.
func (s *site) set(name string, value any) {
	s.t.Helper()
	s.defaults[name] = value
	s.writeDefaults()
}

func (s *site) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) read(name string) string {
	s.t.Helper()
	data, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(data)
}

// machine is the name of a node.
func (s *site) machine(role string, number int) string {
	return fmt.Sprintf("%s-%s-%s-%04d", s.defaults["Label"], role, s.defaults["Tag"], number)
}

// result is how a command ended.
type result struct {
	out, err string
	status   int
}

// icm runs a command line and returns how it ended.
func (s *site) icm(args ...string) result {
	s.t.Helper()
	return s.run("icm", args...)
}

func (s *site) run(program string, args ...string) result {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), commandLimit)
	defer cancel()
	cmd := s.command(ctx, program, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	start := time.Now()
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatalf("%s %s: %v", program, strings.Join(args, " "), err)
	}
	if ctx.Err() != nil {
		s.t.Fatalf("%s %s did not end in %s; it said:\n%s%s", program, strings.Join(args, " "), commandLimit, &out, &errs)
	}
	s.t.Logf("$ %s %s   (%s, status %d)\n%s%s", program, strings.Join(args, " "), time.Since(start).Round(10*time.Millisecond), cmd.ProcessState.ExitCode(), &out, &errs)
	return result{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

// command makes a command of the site, for scenarios that kill it.
func (s *site) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	path := program
	if !filepath.IsAbs(program) {
		path = filepath.Join(top(), "bin", program)
	}
	if program == "icm" && s.other != "" {
		path = s.other
	}
	words := append(append(slices.Clone(s.enter), path), args...)
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Dir, cmd.Env = s.dir, s.env
	return cmd
}

// must runs a command line that has to work, and returns what it said.
func (s *site) must(args ...string) string {
	s.t.Helper()
	r := s.icm(args...)
	if r.status != 0 {
		s.t.Fatalf("icm %s ended with status %d:\n%s%s", strings.Join(args, " "), r.status, r.out, r.err)
	}
	return r.out
}

// lab runs a command of the lab on a node of this site.
func (s *site) lab(verb, machine string, args ...string) string {
	s.t.Helper()
	r := s.run("lab", append([]string{"-deployment", filepath.Base(s.stateDir()), verb, machine}, args...)...)
	if r.status != 0 {
		s.t.Fatalf("lab %s %s: status %d: %s", verb, machine, r.status, r.err)
	}
	return r.out
}

// inside runs a shell command in a node, without SSH.
func (s *site) inside(machine, command string) string {
	s.t.Helper()
	return strings.TrimSpace(s.lab("exec", machine, "--", "sh", "-c", command))
}

// provision makes the nodes.
func (s *site) provision() string {
	s.t.Helper()
	return s.must("provision")
}

// stateDir is the state directory, "" before provision.
func (s *site) stateDir() string {
	found, _ := filepath.Glob(filepath.Join(s.dir, "ICM-*"))
	if len(found) == 0 {
		return ""
	}
	return found[0]
}

// takeDown unprovisions whatever is left.
func (s *site) takeDown() {
	dir := s.stateDir()
	if dir == "" {
		return
	}
	// A scenario may have left nodes frozen or files changed.
	s.defaults["Provider"] = "Lab"
	if r := s.icm("unprovision", "-stateDir", dir, "-cleanUp", "-force"); r.status != 0 {
		s.t.Errorf("cannot take the nodes down: status %d: %s", r.status, r.err)
	}
}

// kit is the path of the one kit whose name has this prefix.
func kit(t *testing.T, prefix string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(top(), "build/kits", prefix+"*.tar.gz"))
	if err != nil || len(found) != 1 {
		t.Fatalf("want one kit %s*, have %v (%v)", prefix, found, err)
	}
	return found[0]
}

// bring copies a kit to all nodes and names it in the defaults.
func (s *site) bring(prefix string) {
	s.t.Helper()
	path := kit(s.t, prefix)
	s.must("scp", "-localPath", path, "-remotePath", "/tmp/")
	s.set("KitURL", "file:///tmp/"+filepath.Base(path))
}

// ps is what `icm ps` says, by machine.
func (s *site) ps() map[string]map[string]string {
	s.t.Helper()
	r := s.icm("ps", "-json=-")
	var rows []map[string]string
	if err := json.Unmarshal([]byte(r.out), &rows); err != nil {
		s.t.Fatalf("icm ps -json=- said what is no JSON: %v\n%s", err, r.out)
	}
	out := map[string]map[string]string{}
	for _, row := range rows {
		out[row["MachineName"]] = row
	}
	return out
}

// running fails unless an instance of that version runs on every machine.
func (s *site) running(version string, machines ...string) {
	s.t.Helper()
	rows := s.ps()
	for _, m := range machines {
		r := rows[m]
		if r["Status"] != "running" || r["Kit"] != version {
			s.t.Fatalf("%s: want version %s running, have %v", m, version, r)
		}
	}
}

// wantRefusal fails unless the command ended with the status and said all of
// the texts on standard error.
func (s *site) wantRefusal(r result, status int, texts ...string) {
	s.t.Helper()
	if r.status != status {
		s.t.Errorf("status %d, want %d; it said:\n%s%s", r.status, status, r.out, r.err)
	}
	for _, text := range texts {
		if !regexp.MustCompile(`(?m)` + text).MatchString(r.err) {
			s.t.Errorf("it does not say %q:\n%s", text, r.err)
		}
	}
}

// in is the site for a subtest: what fails there belongs to it.
func (s *site) in(t *testing.T) *site {
	sub := *s
	sub.t = t
	return &sub
}
