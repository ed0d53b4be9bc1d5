package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"icm/controller/deploy"
	"icm/tests/sim"
)

const cluster = `[{"Role": "DM"}, {"Role": "AM", "Count": 2}]`

const dm, am1, am2 = "ACME-DM-TEST-0001", "ACME-AM-TEST-0001", "ACME-AM-TEST-0002"

// user is somebody who types commands in a site's directory.
type user struct {
	site    *sim.Site
	in      string // standard input of the next command
	env     map[string]string
	answers []string // given on the terminal; none means that there is no terminal
	asked   []string
}

func newUser(t *testing.T, definitions string) *user {
	t.Helper()
	s := sim.New(t, sim.Defaults(`"KitURL": "`+sim.OldKit+`",`), definitions)
	return &user{site: s, env: map[string]string{"ICM_ISCPASSWORD": "canary-password"}}
}

// provisioned is a user whose nodes are there.
func provisioned(t *testing.T, definitions string) *user {
	t.Helper()
	u := newUser(t, definitions)
	u.must(t, "provision")
	return u
}

func (u *user) prompt(_ context.Context, question string, _ bool) (string, error) {
	if len(u.answers) == 0 {
		return "", errNoTerminal
	}
	u.asked = append(u.asked, question)
	answer := u.answers[0]
	u.answers = u.answers[1:]
	return answer, nil
}

// buffer is what is written by many goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// environment is the world as the user's commands see it.
func (u *user) environment() *Env {
	return &Env{
		In: strings.NewReader(u.in), Out: &buffer{}, Err: &buffer{}, Dir: u.site.Dir, Build: "1.2.3",
		Getenv: func(name string) string { return u.env[name] },
		World:  func(r deploy.Reporter) deploy.World { return u.site.World(r) },
		Prompt: u.prompt,
	}
}

func (u *user) types(ctx context.Context, args ...string) (status int, out, errs string) {
	var o, e buffer
	env := u.environment()
	env.Out, env.Err = &o, &e
	status = Main(ctx, env, args)
	return status, o.String(), e.String()
}

// must is a command that succeeds without trouble.
func (u *user) must(t *testing.T, args ...string) string {
	t.Helper()
	status, out, errs := u.types(t.Context(), args...)
	if status != ExitOK || errs != "" {
		t.Fatalf("icm %s: status %d, %s%s", strings.Join(args, " "), status, out, errs)
	}
	return out
}

// fails is a command that ends with a status; what it says on standard error is
// returned.
func (u *user) fails(t *testing.T, want int, args ...string) string {
	t.Helper()
	status, out, errs := u.types(t.Context(), args...)
	if status != want || errs == "" {
		t.Fatalf("icm %s: status %d, want %d: %s%s", strings.Join(args, " "), status, want, out, errs)
	}
	return errs
}

// response is response.json, without spaces.
func (u *user) response(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(u.site.Dir, "response.json"))
	if err != nil {
		t.Fatal(err)
	}
	return compact(t, data)
}

func compact(t *testing.T, data []byte) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, data); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
	return b.String()
}

func same(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s is\n%s\nwant\n%s", what, got, want)
	}
}

func holds(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%q is not in\n%s", w, text)
		}
	}
}
