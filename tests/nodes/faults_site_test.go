//go:build nodes

package nodes

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// What scenarios with faults need besides a site: power and cables, commands
// that are killed on their way, kits that were tampered with, and a way to
// tell that a node was left alone.

func (s *site) powerCut(machine string) { s.t.Helper(); s.lab("power-cut", machine) }
func (s *site) powerOn(machine string)  { s.t.Helper(); s.lab("power-on", machine) }
func (s *site) cut(machine string)      { s.t.Helper(); s.lab("cut", machine) }
func (s *site) heal(machine string)     { s.t.Helper(); s.lab("heal", machine) }

// eventually polls a condition until it holds. ok tells what it saw last.
func eventually(t *testing.T, what string, limit time.Duration, ok func() (bool, string)) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for {
		good, seen := ok()
		if good {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited %s for %s; last seen: %s", limit, what, seen)
		}
		<-time.After(50 * time.Millisecond)
	}
}

// background is a command that runs while the scenario does something else.
type background struct {
	t     *testing.T
	cmd   *exec.Cmd
	said  *growing
	ended chan struct{}
}

// growing is a buffer that may be read while it is written to.
type growing struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (g *growing) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.buf.Write(p)
}

func (g *growing) String() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.buf.String()
}

// begin starts a command line of icm.
func (s *site) begin(args ...string) *background {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), commandLimit)
	b := &background{t: s.t, cmd: s.command(ctx, "icm", args...), said: &growing{}, ended: make(chan struct{})}
	b.cmd.Stdout, b.cmd.Stderr = b.said, b.said
	if err := b.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() {
		_ = b.cmd.Wait() // its status is read below
		cancel()
		close(b.ended)
	}()
	s.t.Cleanup(func() { b.signal(syscall.SIGKILL); <-b.ended })
	return b
}

// waitFor waits until the command has said something.
func (b *background) waitFor(pattern string) {
	b.t.Helper()
	re := regexp.MustCompile(pattern)
	eventually(b.t, "the command to say "+pattern, 2*time.Minute, func() (bool, string) {
		select {
		case <-b.ended:
			if !re.MatchString(b.said.String()) {
				b.t.Fatalf("it ended with status %d and did not say %q:\n%s", b.cmd.ProcessState.ExitCode(), pattern, b.said)
			}
		default:
		}
		return re.MatchString(b.said.String()), b.said.String()
	})
}

func (b *background) signal(sig syscall.Signal) {
	if err := b.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		b.t.Errorf("cannot send %s: %v", sig, err)
	}
}

// wait waits for the end. All that it said is in the result's err.
func (b *background) wait() result {
	b.t.Helper()
	<-b.ended
	b.t.Logf("$ %s   (status %d)\n%s", strings.Join(b.cmd.Args, " "), b.cmd.ProcessState.ExitCode(), b.said)
	return result{err: b.said.String(), status: b.cmd.ProcessState.ExitCode()}
}

// untouched is a node as its files, mounts and processes of ours show it, but
// for what an instance that runs writes by itself.
func (s *site) untouched(machine string) string {
	s.t.Helper()
	cmd := s.command(context.Background(), "lab", "-deployment", filepath.Base(s.stateDir()), "exec", machine, "--", "sh", "-c", `{
		find /etc /home /root /tmp /usr/local /usr/irissys /irissys /var/lib/icm-agent* \( -path '*/mgr/*' -o -path '/irissys/*/*' \) -prune \
			-o ! -path /etc ! -name '.#*' -printf '%p %y %m %U:%G %s %T@ %l\n' 2>/dev/null
		findmnt -rn -o TARGET,FSROOT,OPTIONS | grep -v -e /proc -e /sys -e /run -e credentials
		systemctl show -p MainPID -p NRestarts icm-agent 'icm-iris*' 2>/dev/null
	} | sort`)
	out, err := cmd.Output() // not into the test's log: it is long
	if err != nil {
		s.t.Fatalf("cannot look at %s: %v", machine, err)
	}
	return string(out)
}

// sameAs fails when a node is not what it was before.
func (s *site) sameAs(before, machine string) {
	s.t.Helper()
	if after := s.untouched(machine); after != before {
		s.t.Errorf("%s was changed:\n%s", machine, difference(before, after))
	}
}

// difference lists the lines that only one of two texts has.
func difference(before, after string) string {
	has := func(text string) map[string]bool {
		out := map[string]bool{}
		for line := range strings.Lines(text) {
			out[strings.TrimSpace(line)] = true
		}
		return out
	}
	old, now := has(before), has(after)
	var out []string
	for line := range old {
		if !now[line] {
			out = append(out, "- "+line)
		}
	}
	for line := range now {
		if !old[line] {
			out = append(out, "+ "+line)
		}
	}
	return strings.Join(out, "\n")
}

// madeKit builds a faulty variant of the kits and returns its path.
func madeKit(t *testing.T, variant string) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command("go", "run", "./labkit/cmd/mkkits", "-o", dir, "-variant", variant)
	cmd.Dir = top()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("mkkits -variant %s: %v: %s", variant, err, out)
	}
	found, err := filepath.Glob(filepath.Join(dir, "*.tar.gz"))
	if err != nil || len(found) != 1 {
		t.Fatalf("want one kit of variant %s, have %v (%v)", variant, found, err)
	}
	return found[0]
}

// editedKit is a copy of a kit, of the same name, in which one file was
// changed. path is the file's path inside the kit's directory.
func editedKit(t *testing.T, original, path string, edit func(string) string) string {
	t.Helper()
	in, err := os.Open(original)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	copied := filepath.Join(t.TempDir(), filepath.Base(original))
	out, err := os.Create(copied)
	if err != nil {
		t.Fatal(err)
	}
	unzip, err := gzip.NewReader(in)
	if err != nil {
		t.Fatal(err)
	}
	zip, err := gzip.NewWriterLevel(out, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(editTar(unzip, zip, path, edit), zip.Close(), out.Close()); err != nil {
		t.Fatal(err)
	}
	return copied
}

func editTar(in io.Reader, out io.Writer, path string, edit func(string) string) error {
	r, w := tar.NewReader(in), tar.NewWriter(out)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return w.Close()
		}
		if err != nil {
			return err
		}
		data, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		if _, name, _ := strings.Cut(h.Name, "/"); name == path {
			data = []byte(edit(string(data)))
			h.Size = int64(len(data))
		}
		if err := errors.Join(w.WriteHeader(h), justError(w.Write(data))); err != nil {
			return err
		}
	}
}

func justError(_ int, err error) error { return err }

// slowKit is a kit whose installer pauses in the middle of its work, and goes on
// when nobody reads what it says any more.
func slowKit(t *testing.T, original string, pause time.Duration) string {
	t.Helper()
	return editedKit(t, original, "irisinstall_silent", func(script string) string {
		line := fmt.Sprintf("trap '' PIPE\nexport STANDIN_INSTALL_DELAY_MS=%d\n", pause.Milliseconds())
		return strings.Replace(script, "\n", "\n"+line, 1)
	})
}

// bringFile copies a kit to some nodes, all where none is named. It is there
// after a restart too.
func (s *site) bringFile(path string, machines ...string) {
	s.t.Helper()
	args := []string{"scp", "-localPath", path, "-remotePath", "/var/tmp/"}
	if len(machines) > 0 {
		args = append(args, "-machine", strings.Join(machines, "|"))
	}
	s.must(args...)
	s.set("KitURL", "file:///var/tmp/"+filepath.Base(path))
}

// confirmed runs a command line that asks, and says yes.
func (s *site) confirmed(args ...string) result {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), commandLimit)
	defer cancel()
	cmd := s.command(ctx, "icm", args...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader("yes\n"), &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatalf("icm %s: %v", strings.Join(args, " "), err)
	}
	return result{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}
