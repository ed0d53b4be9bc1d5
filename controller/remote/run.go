package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// stopGrace is how long a cancelled command has to end after SIGTERM before its
// session is closed under it.
const stopGrace = 5 * time.Second

// Cmd is a command on a node.
type Cmd struct {
	// Line goes to the login shell as it stands; what a program composes is
	// made by QuoteArgs.
	Line           string
	Stdin          io.Reader // nil is empty
	Stdout, Stderr io.Writer // nil discards
}

// Result is how a command ended.
type Result struct {
	Exit   int    // 128 and more after a signal, as in a shell
	Signal string // "TERM", … when a signal ended it
}

// Run runs a command and waits for it. An exit status other than 0 is a
// Result, not an error: err is about the connection. When ctx is cancelled the
// command gets SIGTERM and a few seconds.
func (c *Conn) Run(ctx context.Context, cmd Cmd) (Result, error) {
	s, err := c.session(ctx)
	if err != nil {
		return Result{}, err
	}
	defer s.Close()
	s.Stdout, s.Stderr = inTurn(cmd.Stdout, cmd.Stderr)
	in, err := feed(s, cmd.Stdin)
	if err != nil {
		return Result{}, err
	}
	if err := s.Start(cmd.Line); err != nil {
		return Result{}, c.sortSession("cannot start the command", err)
	}
	go in.copy()
	res, err := c.wait(ctx, s)
	if readErr := in.failed(); err == nil && readErr != nil {
		return res, fmt.Errorf("cannot read the command's input: %w", readErr)
	}
	return res, err
}

// inTurn lets a caller give the same writer twice: a session writes to both
// from goroutines of its own.
func inTurn(a, b io.Writer) (io.Writer, io.Writer) {
	var mu sync.Mutex
	wrap := func(w io.Writer) io.Writer {
		if w == nil {
			return nil
		}
		return &turn{mu: &mu, w: w}
	}
	return wrap(a), wrap(b)
}

type turn struct {
	mu *sync.Mutex
	w  io.Writer
}

func (t *turn) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.w.Write(p)
}

// input is a command's standard input. It is not left to ssh.Session, which
// calls it an error when a command ends without having read all.
type input struct {
	to   io.WriteCloser
	from io.Reader

	mu  sync.Mutex
	err error // from's own
}

func feed(s *ssh.Session, from io.Reader) (*input, error) {
	to, err := s.StdinPipe()
	if from == nil {
		from = strings.NewReader("")
	}
	return &input{to: to, from: from}, err
}

func (i *input) copy() {
	_, _ = io.Copy(i.to, i) // a command need not read
	_ = i.to.Close()
}

// Read remembers why from failed.
func (i *input) Read(p []byte) (int, error) {
	n, err := i.from.Read(p)
	if err != nil && err != io.EOF {
		i.mu.Lock()
		i.err = err
		i.mu.Unlock()
	}
	return n, err
}

func (i *input) failed() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.err
}

func (c *Conn) session(ctx context.Context) (*ssh.Session, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	type opened struct {
		s   *ssh.Session
		err error
	}
	// The ssh package waits for ever when the line breaks at the wrong moment.
	done := make(chan opened, 1)
	go func() {
		s, err := c.client.NewSession()
		done <- opened{s, err}
	}()
	select {
	case o := <-done:
		if o.err != nil {
			return nil, c.sortSession("cannot open a session", o.err)
		}
		return o.s, nil
	case <-c.lost:
		return nil, c.Err()
	case <-ctx.Done():
	}
	go func() { // nobody wants it any more
		if o := <-done; o.err == nil {
			_ = o.s.Close()
		}
	}()
	return nil, ctx.Err()
}

// wait waits for a started session, and ends it when ctx is over.
func (c *Conn) wait(ctx context.Context, s *ssh.Session) (Result, error) {
	ended := make(chan error, 1)
	go func() { ended <- s.Wait() }()
	select {
	case err := <-ended:
		return c.result(err)
	case <-ctx.Done():
	}
	_ = s.Signal(ssh.SIGTERM) // sshd before 7.9, or for root, ignores it; closing follows
	grace := time.NewTimer(stopGrace)
	defer grace.Stop()
	select {
	case <-ended:
		return Result{}, fmt.Errorf("the command was stopped: %w", ctx.Err())
	case <-c.lost:
		return Result{}, c.Err()
	case <-grace.C:
		_ = s.Close()
		return Result{}, fmt.Errorf("the command did not stop on SIGTERM; its session was closed, and it may still run on the node: %w", ctx.Err())
	}
}

// result sorts what a session's end says.
func (c *Conn) result(err error) (Result, error) {
	var exit *ssh.ExitError
	switch {
	case err == nil:
		return Result{}, nil
	case errors.As(err, &exit):
		return Result{Exit: exit.ExitStatus(), Signal: exit.Signal()}, nil
	default:
		return Result{}, c.sortSession("the command did not end properly", err)
	}
}

// sortSession sorts the errors of an open connection.
func (c *Conn) sortSession(what string, err error) error {
	var refused *ssh.OpenChannelError
	var missing *ssh.ExitMissingError
	if errors.As(err, &refused) {
		return fmt.Errorf("%s: the node's sshd refuses it: %s (MaxSessions may be reached)", what, refused.Message)
	}
	// What a session says of a dying connection comes a moment before the
	// connection's own end, and is not worth reading.
	dying := time.NewTimer(time.Second)
	defer dying.Stop()
	select {
	case <-c.lost:
		return fmt.Errorf("%s: %w", what, c.Err())
	case <-dying.C:
	}
	switch {
	case errors.As(err, &missing), isClosed(err):
		return fmt.Errorf("%s: %w: it ended without a status", what, ErrLost)
	default:
		return fmt.Errorf("%s: %w", what, err)
	}
}
