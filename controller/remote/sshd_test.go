package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"icm/controller/remote/sshtest"
)

// startSSHD starts OpenSSH's own server on loopback, with its own files, and
// returns how to reach it.
func startSSHD(t testing.TB, config string) Target {
	t.Helper()
	sshd, err := exec.LookPath("/usr/sbin/sshd")
	if err != nil {
		t.Skip("/usr/sbin/sshd is missing (package openssh-server)")
	}
	if os.Getuid() != 0 {
		t.Skip("sshd needs root to let somebody log in")
	}
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil { // its chroot; package's service makes it
		t.Fatal(err)
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	key, hostKey := sshtest.NewKey(t), makeKeyFor(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	_ = l.Close()
	for name, text := range map[string]string{
		"host": hostKey,
		"keys": string(ssh.MarshalAuthorizedKey(key.PublicKey())),
		"config": fmt.Sprintf("Port %d\nListenAddress 127.0.0.1\nHostKey %s/host\nAuthorizedKeysFile %[2]s/keys\nPidFile none\n"+
			"StrictModes no\nUsePAM no\nPermitRootLogin prohibit-password\nMaxStartups 200\nMaxSessions 100\n%s\n", port, dir, config),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(sshd, "-D", "-e", "-f", filepath.Join(dir, "config"))
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("sshd:\n%s", &log)
		}
	})
	signer, err := ssh.ParsePrivateKey([]byte(hostKey))
	if err != nil {
		t.Fatal(err)
	}
	store := &sshtest.Store{}
	store.Tell("ACME-DM-TEST-0001", signer.PublicKey())
	return Target{MachineName: "ACME-DM-TEST-0001", Addr: "127.0.0.1", Port: port, User: me.Username,
		Signers: []ssh.Signer{key}, HostKeys: store}
}

func makeKeyFor(t testing.TB) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "k")
	out, err := exec.Command("ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", name).CombinedOutput()
	if err != nil {
		t.Skipf("ssh-keygen is missing or failed (package openssh-client): %v %s", err, out)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func dialSSHD(t testing.TB, config string) *Conn {
	t.Helper()
	target := startSSHD(t, config)
	c, err := NewDialer(Options{}).DialUntilUp(t.Context(), target, Wait{For: 20 * time.Second, Pause: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestOpenSSHRunsCommandsAndReportsSignals(t *testing.T) {
	c := dialSSHD(t, "")
	var out, errs bytes.Buffer
	res, err := c.Run(t.Context(), Cmd{Line: "cat; echo oops >&2; exit 9", Stdin: strings.NewReader("in"), Stdout: &out, Stderr: &errs})
	if err != nil || res.Exit != 9 || out.String() != "in" || errs.String() != "oops\n" {
		t.Errorf("%+v, %v, %q, %q", res, err, out.String(), errs.String())
	}
	res, err = c.Run(t.Context(), Cmd{Line: "kill -KILL $$"})
	if err != nil || res.Exit == 0 {
		t.Errorf("%+v, %v", res, err)
	}
}

// sshd delivers no signals to the commands of root, which is who logs in here:
// the worst case, in which the user must be told that the command may go on.
func TestOpenSSHThatDeliversNoSignalsIsToldApart(t *testing.T) {
	c := dialSSHD(t, "")
	ctx, cancel := context.WithCancel(t.Context())
	first := writerFunc(func(p []byte) (int, error) { cancel(); return len(p), nil })
	// The command ends by itself when its output is closed.
	_, err := c.Run(ctx, Cmd{Line: "while echo still here; do sleep 0.1; done", Stdout: first})
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "it may still run on the node") {
		t.Fatalf("err = %v", err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestOpenSSHGivesATerminal(t *testing.T) {
	c := dialSSHD(t, "")
	var mu sync.Mutex
	var out bytes.Buffer
	sizes := make(chan [2]int)
	sent := false
	w := writerFunc(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		if !sent {
			sent = true
			go func() { sizes <- [2]int{132, 50} }()
		}
		return out.Write(p)
	})
	line := "stty size; until [ \"$(stty size)\" = '50 132' ]; do sleep 0.01; done; stty size; tty >/dev/null && exit 4"
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	never, keyboard := net.Pipe() // a key is never hit
	defer keyboard.Close()
	res, err := c.RunTTY(ctx, line, TTY{In: never, Out: w, Term: "xterm", Width: 81, Height: 25, Resized: sizes})
	if err != nil || res.Exit != 4 || out.String() != "25 81\r\n50 132\r\n" {
		t.Errorf("%+v, %v, %q", res, err, out.String())
	}
}

func TestOpenSSHTakesFilesWithAndWithoutSFTP(t *testing.T) {
	for name, config := range map[string]string{"sftp": "Subsystem sftp internal-sftp", "no sftp": ""} {
		t.Run(name, func(t *testing.T) {
			c := dialSSHD(t, config)
			here, there := t.TempDir(), t.TempDir()
			big := bytes.Repeat([]byte("0123456789abcdef"), 1<<18)
			if err := os.WriteFile(here+"/big", big, 0o640); err != nil {
				t.Fatal(err)
			}
			tree(t, here, "d/a", "d/l -> a")
			for range 2 {
				if err := c.Copy(t.Context(), Copy{Local: here + "/", Remote: there + "/x y/"}); err != nil {
					t.Fatal(err)
				}
			}
			got, err := os.ReadFile(there + "/x y/big")
			if err != nil || !bytes.Equal(got, big) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
			if got := strings.Join(found(t, there+"/x y"), " "); got != "big d/ d/a d/l -> a" {
				t.Errorf("there is %q", got)
			}
		})
	}
}

func TestOpenSSHWithoutACommonLoginIsAnAuthError(t *testing.T) {
	target := startSSHD(t, "")
	target.Signers = []ssh.Signer{sshtest.NewKey(t)}
	_, err := NewDialer(Options{}).DialUntilUp(t.Context(), target, Wait{For: 20 * time.Second, Pause: 20 * time.Millisecond})
	if !errors.Is(err, ErrAuth) {
		t.Errorf("err = %v", err)
	}
}

func TestOpenSSHAsABastion(t *testing.T) {
	node := newWorld(t, sshtest.Options{})
	bastion := startSSHD(t, "AllowTcpForwarding yes")
	closed := startSSHD(t, "AllowTcpForwarding no")
	d := NewDialer(Options{})
	wait := Wait{For: 20 * time.Second, Pause: 20 * time.Millisecond}
	for _, b := range []*Target{&bastion, &closed} {
		b.MachineName = "ACME-DM-TEST-0001"
		target := node.target()
		target.Bastion = b
		c, err := d.DialUntilUp(t.Context(), target, wait)
		if b == &bastion {
			if err != nil {
				t.Fatal(err)
			}
			_ = c.Close()
			dead := target
			dead.Port = 1
			if _, err := d.Dial(t.Context(), dead); !errors.Is(err, ErrRefused) {
				t.Errorf("nothing listens behind the bastion: %v", err)
			}
			continue
		}
		if !errors.Is(err, ErrProtocol) || !strings.Contains(err.Error(), "does not let us through") {
			t.Errorf("err = %v", err)
		}
	}
}

// What one cold connection with one command costs on the controller's side.
// The children's time, sshd's, is not in it.
func BenchmarkColdCommand(b *testing.B) {
	target := startSSHD(b, "")
	d := NewDialer(Options{})
	first, err := d.DialUntilUp(b.Context(), target, Wait{For: 20 * time.Second, Pause: 20 * time.Millisecond})
	if err != nil {
		b.Fatal(err)
	}
	_ = first.Close()
	var before, after syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &before)
	for b.Loop() {
		c, err := d.Dial(b.Context(), target)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := c.Run(b.Context(), Cmd{Line: "uname -r"}); err != nil {
			b.Fatal(err)
		}
		_ = c.Close()
	}
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &after)
	used := after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano()
	b.ReportMetric(float64(used)/1e6/float64(b.N), "cpu-ms/node")
}
