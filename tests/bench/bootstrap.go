package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"

	"golang.org/x/crypto/ssh"

	"icm/controller/agentbin"
	"icm/controller/remote"
)

func signers(s ssh.Signer) []ssh.Signer { return []ssh.Signer{s} }

// bootstrapResult is what bootstraps cost, in seconds, one figure a run.
type bootstrapResult struct {
	FreshWall, FreshCPU []float64
	AgainWall, AgainCPU []float64
}

// bootstrap takes the agents off all nodes, puts them there again and connects
// once more with nothing to do, some times over, and prints what that cost.
func bootstrap(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("bench bootstrap", flag.ContinueOnError)
	var c clientOptions
	c.register(flags)
	runs := flags.Int("runs", 3, "how many times")
	if err := flags.Parse(args); err != nil {
		return err
	}
	hosts, err := c.load()
	if err != nil {
		return err
	}
	src, err := agentbin.Embedded()
	if err != nil {
		return err
	}
	var r bootstrapResult
	for range *runs {
		if err := removeAgents(ctx, c, hosts); err != nil {
			return err
		}
		wall, cpu, err := timed(ctx, c, hosts, src, "installed")
		if err != nil {
			return err
		}
		r.FreshWall, r.FreshCPU = append(r.FreshWall, wall), append(r.FreshCPU, cpu)
		if wall, cpu, err = timed(ctx, c, hosts, src, "found"); err != nil {
			return err
		}
		r.AgainWall, r.AgainCPU = append(r.AgainWall, wall), append(r.AgainCPU, cpu)
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}

func timed(ctx context.Context, c clientOptions, hosts []host, src remote.AgentSource, want string) (wall, cpu float64, err error) {
	start, before := time.Now(), ownCPU()
	nodes, err := connectAll(ctx, c, hosts, src)
	defer closeAll(nodes)
	wall, cpu = time.Since(start).Seconds(), (ownCPU() - before).Seconds()
	if err != nil {
		return 0, 0, err
	}
	for _, n := range nodes {
		if did := n.Outcome().Did; did != want {
			return 0, 0, fmt.Errorf("the bootstrap has %s an agent where it should have %s one", did, want)
		}
	}
	return wall, cpu, nil
}

func removeAgents(ctx context.Context, c clientOptions, hosts []host) error {
	dialer := remote.NewDialer(remote.Options{})
	for _, t := range c.targets(hosts) {
		conn, err := dialer.Dial(ctx, t)
		if err != nil {
			return err
		}
		err = remote.RemoveAgent(ctx, conn)
		_ = conn.Close()
		if err != nil {
			return fmt.Errorf("node %s: %w", t.MachineName, err)
		}
	}
	return nil
}
