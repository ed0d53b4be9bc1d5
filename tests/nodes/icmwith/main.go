// Icmwith is icm with other agents than its own: those in the directory that
// ICM_TEST_AGENTS names. Scenarios of updates use it.
package main

import (
	"context"
	"fmt"
	"os"

	"icm/controller/agentbin"
	"icm/controller/cli"
	"icm/controller/deploy"
)

func main() { os.Exit(run()) }

func run() int {
	agents, err := agentbin.FromDir(os.Getenv("ICM_TEST_AGENTS"))
	if err != nil {
		fmt.Fprintln(os.Stderr, "icmwith:", err)
		return cli.ExitError
	}
	real := deploy.Real{Build: agents.Build(), Getenv: os.Getenv, Environ: os.Environ(), Passphrase: cli.AskPassphrase, Agents: agents}
	env, err := cli.NewEnv(agents.Build(), real.World)
	if err != nil {
		fmt.Fprintln(os.Stderr, "icmwith:", err)
		return cli.ExitError
	}
	return cli.Main(context.Background(), env, os.Args[1:])
}
