package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// runLimit bounds the whole run: a bench that hangs ends by itself.
const runLimit = 40 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, runLimit)
	defer cancel()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run is the bench itself, or one of the clients that it measures: they are
// processes of their own, so that what they cost can be told apart.
func run(ctx context.Context, args []string) error {
	if len(args) > 0 {
		switch args[0] {
		case "loop":
			return loop(ctx, args[1:])
		case "connected":
			return connected(ctx, args[1:])
		case "bootstrap":
			return bootstrap(ctx, args[1:])
		}
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	top := flags.String("top", ".", "`directory` of the project, with bin and build/kits")
	out := flags.String("o", "docs/benchmarks.md", "`file` to write, below -top")
	only := flags.String("only", "", "only the sections whose name matches this `regex`")
	light := flags.Int("light", 200, "how many light nodes")
	bin := flags.String("bin", "", "`directory` of the programs to measure (default bin below -top)")
	hold := flags.Bool("hold", false, "make the light nodes, say where their files are, and wait for the end of standard input: for profiling")
	nodes := flags.Int("nodes", 16, "how many lab nodes")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if os.Getuid() != 0 {
		return fmt.Errorf("nodes are made by root")
	}
	abs, err := filepath.Abs(*top)
	if err != nil {
		return err
	}
	s := settings{top: abs, out: *out, bin: *bin, only: *only, light: *light, lab: *nodes}
	if s.bin == "" {
		s.bin = filepath.Join(abs, "bin")
	}
	if !filepath.IsAbs(s.out) {
		s.out = filepath.Join(abs, s.out)
	}
	if *hold {
		return holdFarm(ctx, s)
	}
	return benchAll(ctx, s)
}
