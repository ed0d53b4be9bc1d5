package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"icm/internal/wire"
)

// build is set by the linker: -X main.build=…
var build = "unknown"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	code := run(ctx, world{Args: os.Args[1:], In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Getenv: os.Getenv})
	stop()
	os.Exit(code)
}

// world is what the commands see of the outside. Tests pass their own.
type world struct {
	Args     []string
	In       io.Reader
	Out, Err io.Writer
	Getenv   func(string) string
}

// home is the agent's directory, socket where it listens. The environment
// moves both for tests and for a second, private agent.
func (w world) home() string   { return w.or("ICM_AGENT_HOME", wire.AgentHome) }
func (w world) socket() string { return w.or("ICM_AGENT_SOCKET", wire.AgentSocket) }

func (w world) or(name, otherwise string) string {
	if v := w.Getenv(name); v != "" {
		return v
	}
	return otherwise
}

const usage = "usage: icm-agent serve | dial | hello | put NAME SIZE SHA256 | journal | version"

// errUsage is a command line that is not understood.
var errUsage = errors.New(usage)

// run runs one command and returns the exit status.
func run(ctx context.Context, w world) int {
	err := command(ctx, w)
	if err == nil {
		return 0
	}
	fmt.Fprintf(w.Err, "icm-agent: %v\n", err)
	if errors.Is(err, errUsage) {
		return 2
	}
	return 1
}

func command(ctx context.Context, w world) error {
	if len(w.Args) == 0 {
		return errUsage
	}
	rest := w.Args[1:]
	switch {
	case w.Args[0] == "put" && len(rest) == 3:
		return put(ctx, w, rest[0], rest[1], rest[2])
	case len(rest) > 0:
		return errUsage
	}
	switch w.Args[0] {
	case "serve":
		return serve(ctx, w)
	case "dial":
		return dial(ctx, w)
	case "hello":
		return hello(ctx, w)
	case "journal":
		return printJournal(w)
	case "version":
		_, err := fmt.Fprintf(w.Out, "%s protocol %d\n", build, wire.Version)
		return err
	}
	return errUsage
}
