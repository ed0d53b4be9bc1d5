package remote

import (
	"bufio"
	"bytes"
	"context"
	_ "embed" // the scripts
	"errors"
	"fmt"
	"io"
	"time"

	"icm/internal/hint"
	"icm/internal/wire"
)

//go:embed bootstrap.sh
var bootstrapScript string

// probeLimit bounds one look at a node. Everything it runs is quick; what is
// not is a name service or PAM that hangs.
const probeLimit = time.Minute

// lookOnly is a build that no agent is of.
const lookOnly = "?"

// probeCommand runs bootstrap.sh. The script becomes the stream to the agent
// when build runs there.
func probeCommand(build string) string {
	return script(bootstrapScript, wire.AgentLib, build, wire.AgentUnit, protocols())
}

func script(text string, args ...string) string {
	return QuoteArgs(append([]string{"/bin/sh", "-c", text, "icm"}, args...)...)
}

func protocols() string { return fmt.Sprintf("%d %d", wire.OldestVersion, wire.Version) }

// probe runs bootstrap.sh. Either agent or the status is set.
func (c *Conn) probe(ctx context.Context, build, ours string) (agent *wire.Client, st status, err error) {
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	s, err := c.session(ctx)
	if err != nil {
		return nil, st, err
	}
	stop := context.AfterFunc(ctx, func() { _ = s.Close() })
	defer func() {
		// Once cancelled the session is closed, whatever was found.
		if !stop() && err == nil {
			agent, err = nil, ctx.Err()
		}
		if agent == nil {
			_ = s.Close()
		}
	}()
	in, err := s.StdinPipe()
	if err != nil {
		return nil, st, err
	}
	out, err := s.StdoutPipe()
	if err != nil {
		return nil, st, err
	}
	said := &tail{}
	s.Stderr = said
	if err := s.Start(probeCommand(build)); err != nil {
		return nil, st, c.sortSession("cannot look at the node", err)
	}
	buffered := bufio.NewReader(out)
	st, found, err := readStart(buffered)
	if err != nil {
		return nil, st, c.silent(ctx, said.String(), err)
	}
	if !found {
		return nil, st, nil
	}
	agent, err = wire.NewClient(&joined{Reader: buffered, Writer: in, close: s.Close}, ours)
	return agent, st, err
}

// silent says why the script did not speak.
func (c *Conn) silent(ctx context.Context, said string, err error) error {
	switch {
	case c.Err() != nil:
		return c.Err()
	case ctx.Err() != nil:
		return fmt.Errorf("%w: the node's shell did not answer", ErrTimeout)
	case errors.Is(err, io.EOF):
		return hint.New(fmt.Errorf("%w: its shell ended without an answer: %s", errNoAnswer, lastLine(said, "it said nothing")),
			"the login shell of the user must be a POSIX shell that runs commands")
	default:
		return err
	}
}

// errNoAnswer means the script, or the agent it became, ended without a word.
var errNoAnswer = errors.New("node did not answer the bootstrap")

// runScript runs one of the scripts that change the node, as root.
func (c *Conn) runScript(ctx context.Context, stdin io.Reader, text string, args ...string) error {
	var out bytes.Buffer
	var said tail
	line := asRoot(c.target.User) + script(text, args...)
	res, err := c.Run(ctx, Cmd{Line: line, Stdin: stdin, Stdout: &limited{to: &out, room: maxGreeting}, Stderr: &said})
	if err != nil {
		return err
	}
	done, failure := outcome(out.Bytes())
	switch {
	case done && res.Exit == 0:
		return nil
	case failure != "":
		return explain(failure)
	default:
		return explain(lastLine(said.String(), fmt.Sprintf("the script ended with status %d", res.Exit)))
	}
}

// asRoot is what stands before a command that root has to run.
func asRoot(user string) string {
	if user == "root" {
		return ""
	}
	return "sudo -n "
}

// limited drops what is over its room: a script of ours says little.
type limited struct {
	to   io.Writer
	room int
}

func (l *limited) Write(p []byte) (int, error) {
	n := min(len(p), l.room)
	l.room -= n
	if _, err := l.to.Write(p[:n]); err != nil {
		return 0, err
	}
	return len(p), nil
}
