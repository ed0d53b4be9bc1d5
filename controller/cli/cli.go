package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
)

// command is one row of the table: what it is called, what it says of itself,
// and how its options are read. setup registers the options and returns the
// function that runs with them.
type command struct {
	name    string
	summary string // one line, for the list of commands
	help    string // what a reader needs to know before using it
	args    string // operands, for the usage line
	setup   func(fs *flag.FlagSet) runFunc
}

// runFunc runs a command whose options have been read.
type runFunc func(ctx context.Context, env *Env, args []string) error

// commands is everything icm can be told to do.
func commands() []command {
	return []command{
		provisionCommand, inventoryCommand, unprovisionCommand,
		checkCommand, planCommand, installCommand, uninstallCommand, upgradeCommand,
		psCommand, healthCommand, startCommand, stopCommand, sessionCommand, sqlCommand,
		sshCommand, scpCommand,
		bundleCommand,
		operationsCommand, tasksCommand, holdCommand, resumeCommand, undoCommand, unlockCommand, recoverCommand, adoptCommand, releaseCommand, receiptCommand,
		keygenCommand,
		versionCommand, completionCommand(), helpCommand(),
	}
}

// Main runs one command line, without the program's own name, and returns the
// exit status. It is the only place that prints an error.
func Main(ctx context.Context, env *Env, argv []string) int {
	err := run(ctx, env, argv)
	if errors.Is(err, flag.ErrHelp) {
		return ExitOK
	}
	if err != nil {
		report(env.Err, err)
	}
	return exitStatus(err)
}

func run(ctx context.Context, env *Env, argv []string) error {
	env.Argv = argv
	if len(argv) == 0 {
		overview(env.Err, env.Build)
		return &usageError{"no command given", `try "icm help"`}
	}
	switch strings.TrimLeft(argv[0], "-") {
	case "help", "h":
		if strings.HasPrefix(argv[0], "-") {
			overview(env.Out, env.Build)
			return nil
		}
	}
	name := argv[0]
	if strings.TrimLeft(name, "-") == "version" {
		name = "version"
	}
	c, ok := find(name)
	if !ok {
		return &usageError{fmt.Sprintf("Unrecognized goal: '%s' (try \"icm -help\")", name), nearest(name)}
	}
	return c.run(ctx, env, argv[1:])
}

func (c command) run(ctx context.Context, env *Env, argv []string) error {
	fs := flag.NewFlagSet("icm "+c.name, flag.ContinueOnError)
	fs.SetOutput(io.Discard) // errors are reported once, by Main
	f := c.setup(fs)
	args, err := parseAll(fs, argv)
	if errors.Is(err, flag.ErrHelp) {
		c.usage(env.Out)
		return err
	}
	if err != nil {
		return &usageError{err.Error(), fmt.Sprintf("icm help %s", c.name)}
	}
	if c.args == "" && len(args) > 0 {
		return &usageError{fmt.Sprintf("icm %s takes no operand, but was given %q", c.name, args[0]), fmt.Sprintf("icm help %s", c.name)}
	}
	return f(ctx, env, args)
}

// parseAll allows options after operands, as in `icm plan install -role AM`.
func parseAll(fs *flag.FlagSet, argv []string) ([]string, error) {
	var args []string
	for {
		if err := fs.Parse(argv); err != nil {
			return nil, err
		}
		rest := fs.Args()
		if len(rest) == 0 {
			return args, nil
		}
		args, argv = append(args, rest[0]), rest[1:]
	}
}

func find(name string) (command, bool) {
	for _, c := range commands() {
		if c.name == name {
			return c, true
		}
	}
	return command{}, false
}

// containerCommands are ICM's commands for containers, which this icm does not
// have.
var containerCommands = []string{"run", "exec", "pull", "rm", "cp", "docker"}

func nearest(name string) string {
	if slices.Contains(containerCommands, name) {
		return "this icm works with kits, not with containers: icm install, icm ssh, icm session"
	}
	best, distance := "", 3
	for _, c := range commands() {
		if d := editDistance(name, c.name); d < distance {
			best, distance = c.name, d
		}
	}
	if best == "" {
		return "icm help lists the commands"
	}
	return "did you mean icm " + best + "?"
}
