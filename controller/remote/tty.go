package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/crypto/ssh"
	"golang.org/x/term"
)

// TTY is the terminal a command is joined to.
type TTY struct {
	In            io.Reader
	Out           io.Writer
	Term          string // the value of TERM there
	Width, Height int
	// Resized delivers every new size, width first; nil is never.
	Resized <-chan [2]int
}

// RunTTY runs a command, or the login shell when line is "", on a
// pseudo-terminal joined to tty. The caller has put its own terminal into raw
// mode; see Interactive.
func (c *Conn) RunTTY(ctx context.Context, line string, tty TTY) (Result, error) {
	s, err := c.session(ctx)
	if err != nil {
		return Result{}, err
	}
	defer s.Close()
	modes := ssh.TerminalModes{ssh.ECHO: 1, ssh.TTY_OP_ISPEED: 115200, ssh.TTY_OP_OSPEED: 115200}
	if err := s.RequestPty(tty.Term, tty.Height, tty.Width, modes); err != nil {
		return Result{}, c.sortSession("cannot get a terminal on the node", err)
	}
	stdin, err := s.StdinPipe()
	if err != nil {
		return Result{}, err
	}
	s.Stdout, s.Stderr = inTurn(tty.Out, tty.Out)
	if err := startTTY(s, line); err != nil {
		return Result{}, c.sortSession("cannot start the command", err)
	}
	// Not s.Stdin: Wait would then wait for one more key after the command ended.
	go func() {
		_, _ = io.Copy(stdin, tty.In)
		_ = stdin.Close()
	}()
	done := make(chan struct{})
	defer close(done)
	go followSize(s, tty.Resized, done)
	return c.wait(ctx, s)
}

func startTTY(s *ssh.Session, line string) error {
	if line == "" {
		return s.Shell()
	}
	return s.Start(line)
}

func followSize(s *ssh.Session, resized <-chan [2]int, done <-chan struct{}) {
	for {
		select {
		case size := <-resized:
			_ = s.WindowChange(size[1], size[0]) // the wait notices a broken line
		case <-done:
			return
		}
	}
}

// Interactive joins a command, or the login shell when line is "", to this
// process's terminal, which is put into raw mode and always put back.
func (c *Conn) Interactive(ctx context.Context, line string, in, out *os.File) (res Result, err error) {
	fd := int(in.Fd())
	if !term.IsTerminal(fd) {
		return Result{}, errors.New("an interactive command needs a terminal")
	}
	width, height, err := term.GetSize(fd)
	if err != nil {
		return Result{}, fmt.Errorf("cannot get the size of the terminal: %w", err)
	}
	before, err := term.MakeRaw(fd)
	if err != nil {
		return Result{}, fmt.Errorf("cannot set up the terminal: %w", err)
	}
	defer func() { err = errors.Join(err, term.Restore(fd, before)) }()
	done := make(chan struct{})
	defer close(done)
	return c.RunTTY(ctx, line, TTY{
		In: in, Out: out, Term: termName(), Width: width, Height: height, Resized: watchSize(fd, done),
	})
}

func termName() string {
	if t := os.Getenv("TERM"); t != "" {
		return t
	}
	return "dumb"
}

// watchSize delivers the terminal's size whenever it changes, until done.
func watchSize(fd int, done <-chan struct{}) <-chan [2]int {
	changed := make(chan os.Signal, 1)
	signal.Notify(changed, syscall.SIGWINCH)
	sizes := make(chan [2]int, 1)
	go func() {
		defer signal.Stop(changed)
		for {
			select {
			case <-changed:
			case <-done:
				return
			}
			if w, h, err := term.GetSize(fd); err == nil {
				select {
				case sizes <- [2]int{w, h}:
				case <-done:
					return
				}
			}
		}
	}()
	return sizes
}
