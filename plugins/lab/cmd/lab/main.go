// Command lab does to the nodes of the provider Lab what happens to machines:
// the plug is pulled, a cable is cut, a system hangs. It is for tests and for
// rehearsals, see docs/lab.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"icm/plugins/lab/internal/lab"
	"icm/plugins/lab/internal/network"
	"icm/plugins/lab/internal/node"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	var exit *exec.ExitError
	switch {
	case err == nil:
	case errors.As(err, &exit):
		os.Exit(exit.ExitCode()) // that of the program inside the node
	default:
		fmt.Fprintln(os.Stderr, "lab:", err)
		os.Exit(1)
	}
}

const usage = `Usage: lab [-dir DIR] [-deployment ID] COMMAND

  list                     the nodes of this machine
  power-cut MACHINE        kill everything in the node at once
  power-on MACHINE         start a node that is off, and wait until it is ready
  reboot MACHINE           restart a node, and wait until it is ready
  freeze MACHINE           stop all its processes where they are
  thaw MACHINE             let them go on
  cut MACHINE              pull its network cable
  heal MACHINE             plug it in again
  shape MACHINE RATE       limit its network both ways: 200mbit, or off
  exec MACHINE -- PROGRAM  run a program in the node as root, without SSH

Exit status: 0 done, 1 error; with exec, that of the program.
`

// world is what a command works with.
type world struct {
	lab        *lab.Lab
	deployment string
	in         io.Reader
	out, err   io.Writer
}

func run(ctx context.Context, args []string, in io.Reader, out, stderr io.Writer) error {
	w := world{in: in, out: out, err: stderr}
	flags := flag.NewFlagSet("lab", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { fmt.Fprint(stderr, usage) }
	dir := flags.String("dir", lab.DataDir, "directory of the lab's deployments")
	flags.StringVar(&w.deployment, "deployment", "", "only nodes of this deployment")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	w.lab = lab.New("", *dir, lab.CacheDir)
	args = flags.Args()
	if len(args) == 1 && args[0] == "list" {
		return w.list()
	}
	if len(args) < 2 {
		return errors.New("no such command; lab -help lists them")
	}
	do, ok := commands[args[0]]
	if !ok || len(args[2:]) < do.least || len(args[2:]) > do.most {
		return fmt.Errorf("cannot understand lab %s; lab -help lists the commands", args[0])
	}
	n, err := w.lab.Find(w.deployment, args[1])
	if err != nil {
		return err
	}
	return do.run(ctx, w, n, args[2:])
}

// command is something that is done to one node.
type command struct {
	least, most int // arguments after the machine's name
	run         func(ctx context.Context, w world, n *node.Node, args []string) error
}

const many = 1 << 16

var commands = map[string]command{
	"power-cut": {0, 0, func(ctx context.Context, _ world, n *node.Node, _ []string) error { return n.PowerCut(ctx) }},
	"power-on":  {0, 0, func(ctx context.Context, w world, n *node.Node, _ []string) error { return w.lab.PowerOn(ctx, n) }},
	"reboot":    {0, 0, func(ctx context.Context, _ world, n *node.Node, _ []string) error { return n.Reboot(ctx) }},
	"freeze":    {0, 0, func(_ context.Context, _ world, n *node.Node, _ []string) error { return running(n, n.Freeze) }},
	"thaw":      {0, 0, func(_ context.Context, _ world, n *node.Node, _ []string) error { return n.Thaw() }},
	"cut": {0, 0, func(ctx context.Context, _ world, n *node.Node, _ []string) error {
		return running(n, func() error { return n.Subnet.Cut(ctx, n.Number) })
	}},
	"heal": {0, 0, func(ctx context.Context, _ world, n *node.Node, _ []string) error {
		return running(n, func() error { return n.Subnet.Heal(ctx, n.Number) })
	}},
	"shape": {1, 1, shape},
	"exec":  {1, many, runInside},
}

// running does something that only a node that is on can have done to it.
func running(n *node.Node, do func() error) error {
	if !n.Running() {
		return fmt.Errorf("node %s is not running", n.Machine)
	}
	return do()
}

func shape(ctx context.Context, _ world, n *node.Node, args []string) error {
	rate, err := network.ParseRate(args[0])
	if err != nil {
		return err
	}
	return n.Shape(ctx, rate)
}

func runInside(ctx context.Context, w world, n *node.Node, args []string) error {
	if args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		return errors.New("say which program to run: lab exec MACHINE -- PROGRAM")
	}
	leader := n.Leader()
	if leader == 0 {
		return fmt.Errorf("node %s is not running", n.Machine)
	}
	cmd := node.Command(ctx, leader, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = w.in, w.out, w.err
	return cmd.Run()
}

func (w world) list() error {
	nodes, err := w.lab.Nodes(w.deployment)
	if err != nil {
		return err
	}
	for _, n := range nodes {
		if _, err := fmt.Fprintf(w.out, "%-30s %-28s %-15s %s\n", n.Deployment, n.Machine, n.Address(), lab.State(n)); err != nil {
			return err
		}
	}
	return nil
}
