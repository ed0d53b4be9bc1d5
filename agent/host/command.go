package host

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// stopDelay is how long a cancelled program has to end by itself.
const stopDelay = 30 * time.Second

// commandLimit is how long a program may take when nobody says otherwise: far
// beyond an installer or an instance that recovers its journals. What hangs
// longer will hang for ever, and somebody must be told.
const commandLimit = 2 * time.Hour

// Command is one call of an outside program. Building it and running it are
// two things, so that tests compare the first.
type Command struct {
	Path string   // a program name looked up on PATH, or a path
	Args []string // without the program itself
	// Env is the whole environment; PATH and LANG are added when missing.
	// Nothing is inherited.
	Env   []string
	Dir   string
	Stdin io.Reader // nil is empty
	// Line, when not nil, gets every line of standard output as it comes.
	Line func(string)
	// UID and GID run the program as somebody else when Credential is true.
	Credential bool
	UID, GID   uint32
	Groups     []uint32
	// Limit is how long the program may take; 0 is two hours.
	Limit time.Duration
	// delay is stopDelay when 0; tests make it shorter.
	delay time.Duration
}

// Output is what a program said. Both streams are cut to the last maxOutput
// bytes.
type Output struct {
	Stdout, Stderr string
	Exit           int
}

const maxOutput = 1 << 20

// Run runs the program and waits for it. A cancelled ctx sends SIGTERM, and
// SIGKILL after half a minute; so does the end of Limit. An exit status other
// than 0 is an error of type *ExitError, with Output filled in.
func (c Command) Run(ctx context.Context) (Output, error) {
	limit := cmp.Or(c.Limit, commandLimit)
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it did not end within %s", limit))
	defer cancel()
	cmd := exec.CommandContext(ctx, c.Path, c.Args...)
	cmd.Env = append(withDefaults(c.Env), purposeEnv(ctx)...)
	cmd.Dir = c.Dir
	cmd.Stdin = c.Stdin
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if c.Credential {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: c.UID, Gid: c.GID, Groups: c.Groups}
	}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = cmp.Or(c.delay, stopDelay)
	stdout, stderr := &tail{line: c.Line}, &tail{}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	err := cmd.Run()
	out := Output{Stdout: stdout.String(), Stderr: stderr.String(), Exit: cmd.ProcessState.ExitCode()}
	if ctx.Err() != nil && err != nil {
		return out, fmt.Errorf("%s was stopped: %w", c.Path, stopped(ctx))
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return out, &ExitError{Path: c.Path, Output: out}
	}
	if errors.Is(err, exec.ErrWaitDelay) {
		return out, nil // it ended well, and left a daemon that keeps its output open
	}
	if err != nil {
		return out, fmt.Errorf("cannot run %s: %w", c.Path, err)
	}
	return out, nil
}

// stopped is why a context ended: the reason that somebody gave it, and Go's.
func stopped(ctx context.Context) error {
	if why := context.Cause(ctx); why != ctx.Err() { //nolint:errorlint // the very same
		return fmt.Errorf("%w: %w", why, ctx.Err())
	}
	return ctx.Err()
}

// ExitError is a program that ended with a status other than 0.
type ExitError struct {
	Path string
	Output
}

func (e *ExitError) Error() string {
	said := lastLine(e.Stderr)
	if said == "" {
		said = lastLine(e.Stdout)
	}
	if said == "" {
		return fmt.Sprintf("%s ended with status %d", e.Path, e.Exit)
	}
	return fmt.Sprintf("%s ended with status %d: %s", e.Path, e.Exit, said)
}

func withDefaults(env []string) []string {
	out := append([]string(nil), env...)
	for _, def := range []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "LC_ALL=C.UTF-8"} {
		name, _, _ := strings.Cut(def, "=")
		if !hasEnv(env, name) {
			out = append(out, def)
		}
	}
	return out
}

func hasEnv(env []string, name string) bool {
	for _, e := range env {
		if strings.HasPrefix(e, name+"=") {
			return true
		}
	}
	return false
}

// tail keeps the last maxOutput bytes and hands lines on.
type tail struct {
	buf     bytes.Buffer
	line    func(string)
	pending []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.buf.Write(p)
	if over := t.buf.Len() - maxOutput; over > 0 {
		t.buf.Next(over)
	}
	if t.line == nil {
		return len(p), nil
	}
	t.pending = append(t.pending, p...)
	for {
		i := bytes.IndexByte(t.pending, '\n')
		if i < 0 {
			break
		}
		t.line(strings.TrimRight(string(t.pending[:i]), "\r"))
		t.pending = t.pending[i+1:]
	}
	if len(t.pending) > maxOutput {
		t.pending = nil // a line that long is no text
	}
	return len(p), nil
}

func (t *tail) String() string { return t.buf.String() }

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	if i := strings.LastIndexByte(s, '\n'); i >= 0 {
		s = s[i+1:]
	}
	return strings.TrimSpace(s)
}
