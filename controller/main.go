// The program icm: see package cli.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"icm/controller/cli"
	"icm/controller/deploy"
)

// build names this build; the Makefile sets it.
var build = "dev"

func main() { os.Exit(run()) }

func run() int {
	// The first signal asks everything to stop as soon as that is safe; a
	// second one, after stop, ends the program as usual.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	context.AfterFunc(ctx, stop)
	real := deploy.Real{Build: build, Getenv: os.Getenv, Environ: os.Environ(), Passphrase: cli.AskPassphrase}
	env, err := cli.NewEnv(build, real.World)
	if err != nil {
		fmt.Fprintln(os.Stderr, "icm:", err)
		return cli.ExitError
	}
	return cli.Main(ctx, env, os.Args[1:])
}
