// Package command runs the outside programs the lab needs. Building a call
// and running it are two things, so that tests compare the first.
package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// stopDelay is how long a cancelled program has to end by itself. mmdebstrap
// needs a moment to undo its own mounts.
const stopDelay = 20 * time.Second

// maxText is how much of a program's trouble goes into an error.
const maxText = 600

// Command is one call of an outside program.
type Command struct {
	Path  string   // a program name looked up on PATH, or a path
	Args  []string // without the program itself
	Env   []string // added to BaseEnv; nothing is inherited
	Stdin io.Reader
	// Files are open in the program from descriptor 3 on.
	Files []*os.File
}

// New builds a call without standard input.
func New(path string, args ...string) Command { return Command{Path: path, Args: args} }

// BaseEnv is the environment every program gets.
func BaseEnv() []string {
	return []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "HOME=/root"}
}

// Run runs the program to its end and returns its standard output. Cancelling
// ctx asks the program's whole group to end, then kills it.
func (c Command) Run(ctx context.Context) (string, error) {
	cmd := exec.CommandContext(ctx, c.Path, c.Args...)
	cmd.Env = append(BaseEnv(), c.Env...)
	cmd.Stdin = c.Stdin
	cmd.ExtraFiles = c.Files
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = stopDelay
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if err == nil {
		return stdout.String(), nil
	}
	if ctx.Err() != nil {
		return stdout.String(), fmt.Errorf("%s was stopped: %w", c.Path, ctx.Err())
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return stdout.String(), fmt.Errorf("cannot run %s: %w", c.Path, err)
	}
	return stdout.String(), fmt.Errorf("%s %s: %v: %s", c.Path, first(c.Args), exit, tail(stderr.String()))
}

func first(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

// tail is the end of what a program said, on one line.
func tail(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > maxText {
		s = "…" + s[len(s)-maxText:]
	}
	return s
}
