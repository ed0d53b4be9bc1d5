package remote

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"icm/controller/remote/sshtest"
	"icm/internal/hint"
	"icm/internal/secret"
)

func TestMain(m *testing.M) {
	if os.Getenv("ICM_TEST_AGENT") != "" {
		os.Exit(fakeAgent())
	}
	os.Exit(m.Run())
}

// world is a server and who may log in.
type world struct {
	*sshtest.Server
	key   ssh.Signer
	store *sshtest.Store
}

func newWorld(t testing.TB, opts sshtest.Options) *world {
	t.Helper()
	key := sshtest.NewKey(t)
	opts.Keys = append(opts.Keys, key.PublicKey())
	return &world{Server: sshtest.Start(t, opts), key: key, store: &sshtest.Store{}}
}

func (w *world) target() Target {
	return Target{MachineName: "ACME-DM-TEST-0001", Addr: w.Host(), Port: w.Port(), User: w.User(),
		Signers: []ssh.Signer{w.key}, HostKeys: w.store}
}

func (w *world) dial(t testing.TB, opts Options) *Conn {
	t.Helper()
	c, err := NewDialer(opts).Dial(t.Context(), w.target())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestACommandRunsAndItsStatusComesBack(t *testing.T) {
	c := newWorld(t, sshtest.Options{}).dial(t, Options{})
	for name, tc := range map[string]struct {
		line, in, out, err string
		exit               int
	}{
		"one that works":                   {line: "echo yes", out: "yes\n"},
		"one that fails":                   {line: "echo no >&2; exit 7", err: "no\n", exit: 7},
		"one that reads":                   {line: "tr a-z A-Z", in: "abc", out: "ABC"},
		"one that leaves its input unread": {line: "head -c 3", in: strings.Repeat("abc", 1<<20), out: "abc"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errs bytes.Buffer
			res, err := c.Run(t.Context(), Cmd{Line: tc.line, Stdin: strings.NewReader(tc.in), Stdout: &out, Stderr: &errs})
			if err != nil || res.Exit != tc.exit || out.String() != tc.out || errs.String() != tc.err {
				t.Errorf("got %+v, %v, out %q, err %q", res, err, out.String(), errs.String())
			}
		})
	}
}

func TestACancelledCommandIsAskedToStop(t *testing.T) {
	asked := make(chan string, 1)
	started := make(chan struct{})
	c := newWorld(t, sshtest.Options{Exec: func(_ context.Context, s *sshtest.Session) int {
		close(started)
		asked <- <-s.Signals()
		return 0
	}}).dial(t, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-started; cancel() }()
	_, err := c.Run(ctx, Cmd{Line: "sleep forever"})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v", err)
	}
	if got := <-asked; got != "TERM" {
		t.Errorf("signal %q", got)
	}
}

func TestALoginIsTriedWithTheKeyThenWithThePassword(t *testing.T) {
	stranger := sshtest.NewKey(t)
	for name, tc := range map[string]struct {
		opts   sshtest.Options
		change func(*Target)
		want   error
		text   string
	}{
		"the key is right":                       {change: func(*Target) {}},
		"the key is wrong, the password right":   {opts: sshtest.Options{Password: "pw"}, change: func(t *Target) { t.Signers = []ssh.Signer{stranger}; t.Password = secret.New("pw") }},
		"the password answers a question":        {opts: sshtest.Options{Password: "pw", KeyboardInteractive: true}, change: func(t *Target) { t.Signers = nil; t.Password = secret.New("pw") }},
		"both are wrong":                         {opts: sshtest.Options{Password: "pw"}, change: func(t *Target) { t.Signers = []ssh.Signer{stranger}; t.Password = secret.New("canary-1") }, want: ErrAuth, text: "login refused for user tester: neither the key nor the password was accepted"},
		"only a key, and wrong":                  {change: func(t *Target) { t.Signers = []ssh.Signer{stranger} }, want: ErrAuth, text: "login refused for user tester: the key was not accepted"},
		"nothing to log in with":                 {change: func(t *Target) { t.Signers = nil }, want: ErrAuth, text: "login refused for user tester: no key and no password was given"},
		"the node says that it is still booting": {opts: sshtest.Options{Banner: "\"System is booting up. Unprivileged users are not permitted to log in yet.\"\n"}, change: func(t *Target) { t.Signers = []ssh.Signer{stranger} }, want: ErrRefused, text: "SSH connection refused: the node is still booting"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, tc.opts)
			target := w.target()
			tc.change(&target)
			c, err := NewDialer(Options{}).Dial(t.Context(), target)
			if !errors.Is(err, tc.want) || err != nil && err.Error() != tc.text {
				t.Fatalf("err = %v", err)
			}
			if err == nil {
				_ = c.Close()
			} else if strings.Contains(err.Error()+hint.Of(err), "canary") {
				t.Errorf("the password shows: %v", err)
			}
		})
	}
}

func TestAHostKeyIsPinnedAloudAndAChangedOneIsRefused(t *testing.T) {
	w := newWorld(t, sshtest.Options{})
	var told []string
	d := NewDialer(Options{FirstContact: func(machine, print string) { told = append(told, machine+" "+print) }})
	for range 2 {
		c, err := d.Dial(t.Context(), w.target())
		if err != nil {
			t.Fatal(err)
		}
		_ = c.Close()
	}
	print := ssh.FingerprintSHA256(w.HostKey())
	if want := "ACME-DM-TEST-0001 ssh-ed25519 " + print; len(told) != 1 || told[0] != want {
		t.Errorf("told %q, want once %q", told, want)
	}

	other := newWorld(t, sshtest.Options{})
	target := other.target()
	target.HostKeys = w.store
	tries := 0
	_, err := d.DialUntilUp(t.Context(), target, Wait{For: time.Minute, Auth: true, Told: func(Waiting) { tries++ }})
	if !errors.Is(err, ErrHostKey) || WaitingHelps(err) || tries != 0 {
		t.Fatalf("err = %v after %d waits", err, tries)
	}
	for _, want := range []string{print, ssh.FingerprintSHA256(other.HostKey()), "pinned at an earlier contact"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %q", want, err)
		}
	}
	if !strings.Contains(hint.Of(err), "known_hosts") {
		t.Errorf("hint %q", hint.Of(err))
	}
	if other.Logins() != 0 {
		t.Error("it logged in all the same")
	}
}

func TestAKeyTheProviderToldIsCheckedFromTheFirstContactOn(t *testing.T) {
	w := newWorld(t, sshtest.Options{})
	d := NewDialer(Options{FirstContact: func(string, string) { t.Error("said that the key was trusted blindly") }})
	w.store.Tell("ACME-DM-TEST-0001", w.HostKey())
	c, err := d.Dial(t.Context(), w.target())
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
	if _, pinned := w.store.Lookup("ACME-DM-TEST-0001"); !pinned {
		t.Error("the key was not pinned")
	}

	wrong := newWorld(t, sshtest.Options{})
	wrong.store.Tell("ACME-DM-TEST-0001", sshtest.NewKey(t).PublicKey())
	if _, err := d.Dial(t.Context(), wrong.target()); !errors.Is(err, ErrHostKey) || !strings.Contains(err.Error(), "told by the provider") {
		t.Errorf("err = %v", err)
	}
}

func TestAServerWithSeveralKeysShowsTheOneThatIsPinned(t *testing.T) {
	rsaKey, err := ssh.ParsePrivateKey([]byte(makeKey(t, "rsa", "")))
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, sshtest.Options{HostKeys: []ssh.Signer{sshtest.NewKey(t), rsaKey}})
	w.store.Tell("ACME-DM-TEST-0001", rsaKey.PublicKey())
	w.dial(t, Options{})
}

func TestALoginThatFailedPinsNothing(t *testing.T) {
	w := newWorld(t, sshtest.Options{})
	w.RefuseLogins(1)
	if _, err := NewDialer(Options{}).Dial(t.Context(), w.target()); !errors.Is(err, ErrAuth) {
		t.Fatalf("err = %v", err)
	}
	if keys, _ := w.store.Lookup("ACME-DM-TEST-0001"); len(keys) != 0 {
		t.Error("the key of a node we could not log in to was pinned")
	}
}

func TestWhatTheNetworkSaysIsSortedOnce(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := free.Addr().(*net.TCPAddr).Port
	_ = free.Close()
	w := newWorld(t, sshtest.Options{})
	for name, tc := range map[string]struct {
		change func(*Target)
		want   error
		waits  bool
	}{
		"nothing listens":       {func(t *Target) { t.Port = closed }, ErrRefused, true},
		"the name is not known": {func(t *Target) { t.Addr = "no-such-node.invalid" }, ErrUnreachable, true},
		"the server is silent":  {func(*Target) { w.Silent(true) }, ErrTimeout, true},
		"a key that is missing": {func(t *Target) { t.Signers = nil; t.KeyFile = "/nonexistent/key" }, ErrKey, false},
	} {
		t.Run(name, func(t *testing.T) {
			defer w.Silent(false)
			target := w.target()
			tc.change(&target)
			_, err := NewDialer(Options{HandshakeTimeout: 200 * time.Millisecond}).Dial(t.Context(), target)
			if !errors.Is(err, tc.want) || WaitingHelps(err) != tc.waits || hint.Of(err) == "" {
				t.Errorf("err = %v, waiting helps: %v, hint: %q", err, WaitingHelps(err), hint.Of(err))
			}
		})
	}
}

func TestAWaitEndsWhenTheNodeIsUp(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	key := sshtest.NewKey(t)
	target := Target{MachineName: "n", Addr: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, User: "tester",
		Signers: []ssh.Signer{key}, HostKeys: &sshtest.Store{}}
	waits := 0
	told := func(w Waiting) {
		if !strings.Contains(w.Last, "nothing listens") || w.Name != "SSH login works" || w.Left <= 0 {
			t.Errorf("told %+v", w)
		}
		if waits++; waits == 2 {
			l, err := net.Listen("tcp", addr)
			if err != nil {
				t.Error(err)
				return
			}
			sshtest.StartOn(t, l, sshtest.Options{Keys: []ssh.PublicKey{key.PublicKey()}})
		}
	}
	c, err := NewDialer(Options{}).DialUntilUp(t.Context(), target, Wait{For: time.Minute, Pause: time.Millisecond, Told: told})
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
}

func TestARefusedKeyIsWaitedForOnlyWhenAsked(t *testing.T) {
	w := newWorld(t, sshtest.Options{})
	d := NewDialer(Options{})
	w.RefuseLogins(3)
	if _, err := d.DialUntilUp(t.Context(), w.target(), Wait{For: time.Minute, Pause: time.Millisecond}); !errors.Is(err, ErrAuth) {
		t.Errorf("err = %v", err)
	}
	c, err := d.DialUntilUp(t.Context(), w.target(), Wait{For: time.Minute, Pause: time.Millisecond, Auth: true})
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
}

func TestAPeerThatFallsSilentIsNoticed(t *testing.T) {
	w := newWorld(t, sshtest.Options{})
	c := w.dial(t, Options{KeepAlive: 20 * time.Millisecond})
	if _, err := c.Run(t.Context(), Cmd{Line: "true"}); err != nil {
		t.Fatal(err)
	}
	w.Freeze()
	_, err := c.Run(t.Context(), Cmd{Line: "true"})
	if !errors.Is(err, ErrLost) || !strings.Contains(err.Error(), "no sign of life") || !WaitingHelps(err) {
		t.Errorf("err = %v", err)
	}
}

func TestAnIdleConnectionStaysUp(t *testing.T) {
	w := newWorld(t, sshtest.Options{})
	c := w.dial(t, Options{KeepAlive: 2 * time.Millisecond})
	var heard atomic.Int64
	heard.Store(c.raw.heard.Load())
	for range 5 { // five keepalives were answered
		eventually(t, "a keepalive was answered", func() bool {
			now := c.raw.heard.Load()
			return now != heard.Swap(now)
		})
	}
	if err := c.Err(); err != nil {
		t.Error(err)
	}
}

func TestALineThatBreaksUnderACommandIsLost(t *testing.T) {
	started := make(chan struct{})
	w := newWorld(t, sshtest.Options{Exec: func(ctx context.Context, _ *sshtest.Session) int {
		close(started)
		<-ctx.Done()
		return 0
	}})
	c := w.dial(t, Options{})
	go func() { <-started; w.CloseConns() }()
	if _, err := c.Run(t.Context(), Cmd{Line: "sleep"}); !errors.Is(err, ErrLost) {
		t.Errorf("err = %v", err)
	}
}

func TestManyNodesShareOneConnectionToTheirBastion(t *testing.T) {
	bastion, node := newWorld(t, sshtest.Options{}), newWorld(t, sshtest.Options{})
	b := bastion.target()
	b.MachineName = "ACME-BH-TEST-0001"
	target := node.target()
	target.Bastion = &b
	d := NewDialer(Options{})
	errs := make(chan error, 20)
	for range cap(errs) {
		go func() {
			c, err := d.Dial(t.Context(), target)
			if err == nil {
				t.Cleanup(func() { _ = c.Close() })
				_, err = c.Run(t.Context(), Cmd{Line: "true"})
			}
			errs <- err
		}()
	}
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
	if bastion.Logins() != 1 || node.Logins() != 20 {
		t.Errorf("%d logins at the bastion, %d at the node", bastion.Logins(), node.Logins())
	}
}

func TestTheBastionIsGivenBackWithTheLastNode(t *testing.T) {
	bastion, node := newWorld(t, sshtest.Options{}), newWorld(t, sshtest.Options{})
	b := bastion.target()
	b.MachineName = "ACME-BH-TEST-0001"
	target := node.target()
	target.Bastion = &b
	d := NewDialer(Options{})
	for range 2 {
		c, err := d.Dial(t.Context(), target)
		if err != nil {
			t.Fatal(err)
		}
		_ = c.Close()
		eventually(t, "the bastion is closed", func() bool { return bastion.Open() == 0 })
	}
	dead := target
	dead.Port = 1
	if _, err := d.Dial(t.Context(), dead); !errors.Is(err, ErrRefused) {
		t.Errorf("err = %v", err)
	}
	node.Stop()
	bastion.Stop()
	_, err := d.Dial(t.Context(), target)
	if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "bastion 127.0.0.1: ") {
		t.Errorf("err = %v", err)
	}
}

func TestATerminalIsJoinedAndFollowsItsSize(t *testing.T) {
	w := newWorld(t, sshtest.Options{Exec: func(_ context.Context, s *sshtest.Session) int {
		first, second := <-s.Resized(), <-s.Resized()
		if !s.TTY || s.Command != "top" || first != [2]int{80, 24} || second != [2]int{132, 50} {
			return 1
		}
		_, _ = s.Stdout.Write([]byte("bye"))
		return 3
	}})
	c := w.dial(t, Options{})
	sizes := make(chan [2]int, 1)
	sizes <- [2]int{132, 50}
	never, keyboard := net.Pipe() // a key is never hit
	defer keyboard.Close()
	var out bytes.Buffer
	res, err := c.RunTTY(t.Context(), "top", TTY{In: never, Out: &out, Term: "xterm", Width: 80, Height: 24, Resized: sizes})
	if err != nil || res.Exit != 3 || out.String() != "bye" {
		t.Errorf("got %+v, %v, %q", res, err, out.String())
	}
}
