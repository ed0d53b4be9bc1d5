package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"icm/controller/agentbin"
	"icm/controller/remote/sshtest"
	"icm/internal/hint"
	"icm/internal/wire"
)

type stdio struct{}

func (stdio) Read(p []byte) (int, error)  { return os.Stdin.Read(p) }
func (stdio) Write(p []byte) (int, error) { return os.Stdout.Write(p) }
func (stdio) Close() error                { return os.Stdin.Close() }

// fakeAgent is what `icm-agent dial` is joined to in these tests: this test
// program, started by a script that stands for the agent.
func fakeAgent() int {
	handlers := map[string]wire.Handler{wire.MethodFacts: func(context.Context, *wire.Call) (any, error) {
		return wire.Facts{Build: os.Getenv("ICM_TEST_AGENT")}, nil
	}}
	if err := wire.Serve(context.Background(), stdio{}, os.Getenv("ICM_TEST_AGENT"), handlers); err != nil {
		return 1
	}
	return 0
}

// agents makes a source whose agent is a script. broken says what is wrong
// with it.
func agents(t *testing.T, build, broken string) *agentbin.Source {
	t.Helper()
	text := agentText(t, build, broken)
	program := map[string][]byte{"amd64": []byte(text), "arm64": []byte(text)}
	src, err := agentbin.New(build, program)
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// agentText is a stand-in agent.
func agentText(t *testing.T, build, broken string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dial := fmt.Sprintf("ICM_TEST_AGENT=%s exec %s", build, Quote(self))
	serve, hello := "exit 0", `read -r b p < "$lib/../active" && echo "$b $p"`
	switch broken {
	case "it does not start":
		serve = "exit 1"
	case "it does not answer":
		hello = "echo nobody listens; exit 1"
	case "it ends again and again":
		hello = `read -r b p < "$lib/../active" && echo "$b $p$(date +%N)"`
	case "its line is dead":
		dial = "exit 0"
	}
	return fmt.Sprintf("#!/bin/sh\nlib=${0%%/*}/..\ncase $1 in\nversion) echo %s;;\nserve) %s;;\nhello) %s;;\ndial) %s;;\nput) cat > \"$lib/../store.$2.$3.$4\";;\nesac\n",
		build, serve, hello, dial)
}

// scratch is a node whose directories lie below root, and whose systemctl,
// sudo and the like are stubs that record how they were called.
type scratch struct {
	*world
	root string
	runs *runs
}

type runs struct{ sessions int }

const stubs = `
systemctl) echo "systemctl $*" >> "$ROOT/calls"
	for unit; do :; done
	case $1,$unit in
	is-active,*-watch*) [ -e "$ROOT/lib/update" ];;
	is-active,*) [ -e "$ROOT/active" ];;
	start,*-watch*) $(sed -n 's/^ExecStart=//p' "$ROOT/units/$unit") </dev/null >/dev/null 2>&1 9>&- &;;
	start,*|restart,*)
		[ $1 = start ] && [ -e "$ROOT/active" ] && exit 0
		rm -f "$ROOT/active"
		"$ROOT/lib/current/icm-agent" serve || { [ $2 = --no-block ] && exit 0; echo "Job failed" >&2; exit 1; }
		echo "$(readlink "$ROOT/lib/current") $$" > "$ROOT/active";;
	*,*-watch*) ;;
	stop,*|kill,*|disable,*) rm -f "$ROOT/active";;
	esac;;
sudo) [ -e "$ROOT/nosudo" ] && { cat "$ROOT/nosudo" >&2; exit 1; }; shift; exec "$@";;
id) case $1 in -u) echo 1000;; -un) echo tester;; esac;;
groupadd|groupdel) echo "${0##*/} $*" >> "$ROOT/calls";;
getent) [ -d "$ROOT/lib" ] || grep -q groupadd "$ROOT/calls" 2>/dev/null;;
journalctl) echo "the log of the agent";;
uname) case $1 in -m) cat "$ROOT/machine";; *) echo Linux;; esac;;
df) cat "$ROOT/df";;
selinuxenabled) exit 1;;
sync) ;;
`

func newScratch(t *testing.T, shell string) *scratch {
	t.Helper()
	path, err := exec.LookPath(shell)
	if err != nil {
		t.Skipf("%s is missing", shell)
	}
	root := t.TempDir()
	n := &scratch{root: root, runs: &runs{}}
	for _, dir := range []string{"bin", "units", "systemd", "run"} {
		if err := os.Mkdir(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	n.write(t, "stub", "#!/bin/sh\nROOT="+Quote(root)+"\ncase ${0##*/} in"+stubs+"esac\n", 0o755)
	for _, name := range strings.Fields("systemctl sudo id groupadd groupdel getent journalctl uname df selinuxenabled sync") {
		if err := os.Symlink("../stub", filepath.Join(root, "bin", name)); err != nil {
			t.Fatal(err)
		}
	}
	n.write(t, "machine", "x86_64\n", 0o644)
	n.df(t, 1<<20)
	moved := strings.NewReplacer(wire.AgentLib, root+"/lib", wire.AgentHome, root+"/home", unitDir, root+"/units",
		filepath.Dir(wire.AgentSocket), root+"/run", "/bin/sh", path, watchTimes, "1 1")
	n.world = newWorld(t, sshtest.Options{Exec: func(ctx context.Context, s *sshtest.Session) int {
		n.runs.sessions++
		s.Command = "export PATH=" + Quote(root+"/bin:"+os.Getenv("PATH")) + " ICM_SYSTEMD=" + Quote(root+"/systemd") + "; " + moved.Replace(s.Command)
		return sshtest.Shell(ctx, s)
	}})
	return n
}

func (n *scratch) write(t *testing.T, name, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(n.root, name), []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

func (n *scratch) df(t *testing.T, kb int) {
	t.Helper()
	n.write(t, "df", fmt.Sprintf("Filesystem 1024-blocks Used Available Capacity Mounted\n/dev/x 9 9 %d 9%% /\n", kb), 0o644)
}

func (n *scratch) bootstrap(t *testing.T, src *agentbin.Source) (Outcome, error) {
	t.Helper()
	n.runs.sessions = 0
	agent, out, err := Bootstrap(t.Context(), n.dial(t, Options{}), src)
	if err != nil {
		return out, err
	}
	t.Cleanup(func() { _ = agent.Close() })
	var facts wire.Facts
	if err := agent.Call(t.Context(), wire.MethodFacts, wire.FactsRequest{}, &facts); err != nil {
		t.Fatal(err)
	}
	if facts.Build != out.Build {
		t.Errorf("agent %q answers, the outcome says %q", facts.Build, out.Build)
	}
	return out, nil
}

func (n *scratch) must(t *testing.T, src *agentbin.Source, want Outcome) {
	t.Helper()
	if got, err := n.bootstrap(t, src); err != nil || got != want {
		t.Fatalf("got %+v, %v, want %+v", got, err, want)
	}
}

func (n *scratch) versions(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(n.root, "lib"))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func TestAnAgentIsInstalledOnceAndFoundInOneRoundTripAfterwards(t *testing.T) {
	for _, shell := range []string{"dash", "bash"} {
		t.Run(shell, func(t *testing.T) {
			n := newScratch(t, shell)
			src := agents(t, "1.0.0", "")
			n.must(t, src, Outcome{Did: "installed", Build: "1.0.0"})
			if n.runs.sessions != 3 {
				t.Errorf("it took %d sessions: look, push, connect are 3", n.runs.sessions)
			}
			unit, err := os.ReadFile(filepath.Join(n.root, "units", wire.AgentUnit))
			if err != nil || !bytes.Contains(unit, []byte("KillMode=process")) {
				t.Errorf("unit file: %v\n%s", err, unit)
			}
			n.must(t, src, Outcome{Did: "found", Build: "1.0.0", Before: "1.0.0"})
			if n.runs.sessions != 1 {
				t.Errorf("finding the right agent took %d sessions", n.runs.sessions)
			}
		})
	}
}

func TestAnotherBuildIsReplacedAndOnlyTheOneBeforeIsKept(t *testing.T) {
	n := newScratch(t, "dash")
	n.must(t, agents(t, "1.0.0", ""), Outcome{Did: "installed", Build: "1.0.0"})
	n.must(t, agents(t, "1.1.0", ""), Outcome{Did: "replaced", Build: "1.1.0", Before: "1.0.0"})
	n.must(t, agents(t, "1.2.0", ""), Outcome{Did: "replaced", Build: "1.2.0", Before: "1.1.0"})
	if got, want := n.versions(t), []string{".lock", "1.1.0", "1.2.0", "current", "previous", "switch.sh"}; !slices.Equal(got, want) {
		t.Errorf("there is %q, want %q", got, want)
	}
}

func TestANewAgentThatDoesNotWorkGivesWayToTheOld(t *testing.T) {
	for broken, why := range map[string]string{
		"it does not start":       "it does not answer; its last words: the log of the agent",
		"it does not answer":      "it does not answer; ",
		"it ends again and again": "it ends and is started again; ",
	} {
		t.Run(broken, func(t *testing.T) {
			t.Parallel()
			n := newScratch(t, "dash")
			old := agents(t, "1.0.0", "")
			n.must(t, old, Outcome{Did: "installed", Build: "1.0.0"})
			_, err := n.bootstrap(t, agents(t, "1.1.0", broken))
			if err == nil || !strings.Contains(err.Error(), "agent 1.1.0 does not work here: "+why) ||
				!strings.HasSuffix(err.Error(), "; the old agent 1.0.0 was put back") || WaitingHelps(err) {
				t.Fatalf("err = %v", err)
			}
			n.must(t, old, Outcome{Did: "found", Build: "1.0.0", Before: "1.0.0"})
			if got, want := n.versions(t), []string{".lock", "1.0.0", "current", "previous", "reverted", "switch.sh"}; !slices.Equal(got, want) {
				t.Errorf("there is %q, want %q", got, want)
			}
			got, err := n.bootstrap(t, agents(t, "1.2.0", ""))
			if err != nil || !strings.HasPrefix(got.Reverted, "agent 1.1.0: "+why) {
				t.Errorf("the next update says %+v, %v", got, err)
			}
			n.must(t, agents(t, "1.2.1", ""), Outcome{Did: "replaced", Build: "1.2.1", Before: "1.2.0"})
		})
	}
}

func TestANewAgentThatAnswersOnItsNodeStaysWhenTheLineIsDead(t *testing.T) {
	n := newScratch(t, "dash")
	n.must(t, agents(t, "1.0.0", ""), Outcome{Did: "installed", Build: "1.0.0"})
	if _, err := n.bootstrap(t, agents(t, "1.1.0", "its line is dead")); err == nil || strings.Contains(err.Error(), "put back") {
		t.Errorf("err = %v", err)
	}
	if current, err := os.Readlink(filepath.Join(n.root, "lib/current")); err != nil || current != "1.1.0" {
		t.Errorf("current is %q, %v", current, err)
	}
}

func TestAnAgentThatRunsIsKeptWhateverTheLinksSay(t *testing.T) {
	n := newScratch(t, "dash")
	n.must(t, agents(t, "1.0.0", ""), Outcome{Did: "installed", Build: "1.0.0"})
	sleeping, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(sleeping)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(n.root, "lib/0.9.0"), 0o755); err != nil {
		t.Fatal(err)
	}
	n.write(t, "lib/0.9.0/icm-agent", string(program), 0o755)
	running := exec.Command(filepath.Join(n.root, "lib/0.9.0/icm-agent"), "60")
	if err := running.Start(); err != nil {
		t.Fatal(err)
	}
	n.must(t, agents(t, "1.1.0", ""), Outcome{Did: "replaced", Build: "1.1.0", Before: "1.0.0"})
	if !slices.Contains(n.versions(t), "0.9.0") {
		t.Errorf("what runs was deleted; there is %q", n.versions(t))
	}
	_ = running.Process.Kill()
	_ = running.Wait()
	n.must(t, agents(t, "1.2.0", ""), Outcome{Did: "replaced", Build: "1.2.0", Before: "1.1.0"})
	if slices.Contains(n.versions(t), "0.9.0") {
		t.Errorf("what nobody needs is still there: %q", n.versions(t))
	}
}

func TestANewerAgentStays(t *testing.T) {
	n := newScratch(t, "dash")
	n.must(t, agents(t, "2.0.0", ""), Outcome{Did: "installed", Build: "2.0.0"})
	ours := agents(t, "1.9.9", "")
	n.must(t, ours, Outcome{Did: "kept newer", Build: "2.0.0", Before: "2.0.0"})
	if err := os.Remove(filepath.Join(n.root, "active")); err != nil {
		t.Fatal(err)
	}
	n.must(t, ours, Outcome{Did: "started", Build: "2.0.0", Before: "2.0.0"})
	n.write(t, "lib/2.0.0/protocol", "7 9\n", 0o644)
	if _, err := n.bootstrap(t, ours); !errors.Is(err, ErrUnfit) || !strings.Contains(err.Error(), "agent 2.0.0 is newer than this icm (1.9.9)") {
		t.Errorf("err = %v", err)
	}
}

func TestAStoppedAgentIsStartedWithoutSendingItAgain(t *testing.T) {
	n := newScratch(t, "dash")
	src := agents(t, "1.0.0", "")
	n.must(t, src, Outcome{Did: "installed", Build: "1.0.0"})
	inode := func() os.FileInfo {
		info, err := os.Stat(filepath.Join(n.root, "lib/1.0.0/icm-agent"))
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	before := inode()
	if err := os.Remove(filepath.Join(n.root, "active")); err != nil {
		t.Fatal(err)
	}
	n.must(t, src, Outcome{Did: "started", Build: "1.0.0", Before: "1.0.0"})
	if !os.SameFile(before, inode()) {
		t.Error("the program was sent again")
	}
	n.write(t, "lib/1.0.0/icm-agent", "damaged", 0o755)
	if err := os.Remove(filepath.Join(n.root, "active")); err != nil {
		t.Fatal(err)
	}
	n.must(t, src, Outcome{Did: "installed", Build: "1.0.0", Before: "1.0.0"})
}

func TestANodeThatCannotHoldAnAgentIsRefusedInWords(t *testing.T) {
	for name, tc := range map[string]struct {
		spoil func(*scratch)
		want  error
		text  string
		hint  string
	}{
		"sudo asks for a password": {func(n *scratch) { n.write(t, "nosudo", "sudo: a password is required\n", 0o644) },
			ErrNoSudo, "no sudo without a password for user tester: sudo: a password is required",
			"put this line into a file in /etc/sudoers.d: tester ALL=(ALL) NOPASSWD:ALL"},
		"sudo wants a terminal": {func(n *scratch) { n.write(t, "nosudo", "sudo: sorry, you must have a tty to run sudo\n", 0o644) },
			ErrNoSudo, "you must have a tty", "Defaults:tester !requiretty"},
		"there is no systemd": {func(n *scratch) { _ = os.Remove(filepath.Join(n.root, "systemd")) },
			ErrUnfit, "its process 1 is ", "nodes must be booted with systemd"},
		"its architecture is another": {func(n *scratch) { n.write(t, "machine", "s390x\n", 0o644) },
			agentbin.ErrArch, "s390x (there is one for amd64, arm64)", "nodes must be amd64 or arm64"},
		"its disk is nearly full": {func(n *scratch) { n.df(t, 100) },
			ErrUnfit, "/usr/local/lib/icm-agent has 0 MB free, the agent needs 1 MB", "make space"},
	} {
		t.Run(name, func(t *testing.T) {
			n := newScratch(t, "dash")
			tc.spoil(n)
			_, err := n.bootstrap(t, agents(t, "1.0.0", ""))
			if !errors.Is(err, tc.want) || !strings.Contains(err.Error(), tc.text) || !strings.Contains(hint.Of(err), tc.hint) || WaitingHelps(err) {
				t.Errorf("err = %v, hint %q", err, hint.Of(err))
			}
			if _, err := os.Stat(filepath.Join(n.root, "lib")); !os.IsNotExist(err) {
				t.Error("something was put there all the same")
			}
		})
	}
}

func TestARemovedAgentLeavesNothing(t *testing.T) {
	n := newScratch(t, "bash")
	n.must(t, agents(t, "1.0.0", ""), Outcome{Did: "installed", Build: "1.0.0"})
	n.write(t, "run/agent.sock", "", 0o600)
	if err := os.Mkdir(filepath.Join(n.root, "home"), 0o700); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := RemoveAgent(t.Context(), n.dial(t, Options{})); err != nil {
			t.Fatal(err)
		}
		for _, gone := range []string{"lib", "home", "run", "active", "units/" + wire.AgentUnit} {
			if _, err := os.Lstat(filepath.Join(n.root, gone)); !os.IsNotExist(err) {
				t.Errorf("%s is still there", gone)
			}
		}
	}
	calls, err := os.ReadFile(filepath.Join(n.root, "calls"))
	if err != nil || !bytes.Contains(calls, []byte("groupdel "+wire.AgentGroup)) {
		t.Errorf("calls:\n%s", calls)
	}
}

func TestALoginShellThatGreetsIsReadThrough(t *testing.T) {
	for name, greeting := range map[string]string{
		"with lines":             "Welcome!\nicm is great\n",
		"without an end of line": "last login: never",
		"with a marker's start":  "odd \x00icm-ag",
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, sshtest.Options{Exec: func(ctx context.Context, s *sshtest.Session) int {
				_, _ = io.WriteString(s.Stdout, greeting)
				_ = wire.Serve(ctx, &joined{Reader: s.Stdin, Writer: s.Stdout, close: func() error { return nil }}, "1.0.0", nil)
				return 0
			}})
			agent, out, err := Bootstrap(t.Context(), w.dial(t, Options{}), agents(t, "1.0.0", ""))
			if err != nil || out.Did != "found" {
				t.Fatalf("%+v, %v", out, err)
			}
			_ = agent.Close()
		})
	}
}

func TestAShellThatPrintsWithoutEndIsGivenUp(t *testing.T) {
	w := newWorld(t, sshtest.Options{Exec: func(_ context.Context, s *sshtest.Session) int {
		for {
			if _, err := s.Stdout.Write(bytes.Repeat([]byte("yes\n"), 1000)); err != nil {
				return 1
			}
		}
	}})
	if _, _, err := Bootstrap(t.Context(), w.dial(t, Options{}), agents(t, "1.0.0", "")); err == nil || !strings.Contains(err.Error(), "prints too much") {
		t.Errorf("err = %v", err)
	}
}

func TestWhatAScriptReportsIsExplained(t *testing.T) {
	for said, want := range map[string]string{
		"cannot unpack the agent: gzip: stdout: No space left on device":                   "make space",
		"mkdir: cannot create directory '/usr/local/lib/icm-agent': Read-only file system": "read-write",
		"cannot run: sh: 1: /usr/local/lib/x: Permission denied":                           "noexec",
		"cannot run: Exec format error":                                                    "architecture",
		"the service does not start: panic":                                                "journalctl -u icm-agent.service",
	} {
		if err := explain(said); !errors.Is(err, ErrUnfit) || !strings.Contains(hint.Of(err), want) {
			t.Errorf("%q: hint %q", said, hint.Of(err))
		}
	}
}

func TestVersionsAreComparedByNumber(t *testing.T) {
	for _, tc := range []struct {
		theirs, ours string
		want         bool
	}{
		{"1.10.0", "1.9.0", true},
		{"1.9.0", "1.10.0", false},
		{"v2.0", "1.9.9-dirty", true},
		{"1.0.0-12-gabc", "1.0.0", false},
		{"devel", "1.0.0", false},
		{"", "1.0.0", false},
	} {
		if got := newer(status{Build: tc.theirs}, tc.ours); got != tc.want {
			t.Errorf("newer(%q, %q) = %v", tc.theirs, tc.ours, got)
		}
	}
}

func FuzzAnAnswerOfANodeNeverPanics(f *testing.F) {
	f.Add([]byte("hello\nicm:os=debian 12\nicm:freekb=12\nicm:protocol=1 1\nicm:end=1 1\n"))
	f.Add([]byte("x" + wire.Marker))
	f.Fuzz(func(t *testing.T, data []byte) {
		st, found, err := readStart(newReader(data))
		if err != nil && found {
			t.Errorf("found and %v, %+v", err, st)
		}
	})
}
