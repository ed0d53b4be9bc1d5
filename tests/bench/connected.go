package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"

	"icm/controller/agentbin"
	"icm/controller/remote"
	"icm/internal/wire"
)

// agents names the build that runs on the nodes, so that none is put there.
type agents struct{ build string }

func (a agents) Build() string { return a.build }
func (a agents) For(arch string) (agentbin.Agent, error) {
	return agentbin.Agent{}, fmt.Errorf("there is no agent %s for %s in this bench", a.build, arch)
}

// connectedResult is what a controller that stays connected costs. Times are
// in seconds, memory in bytes.
type connectedResult struct {
	Nodes                  int
	ConnectWall            float64
	ConnectCPU             float64
	Found                  int // nodes that took one round trip
	FactsWall, FactsCPU    []float64
	InstWall, InstCPU      []float64
	FactsBytes             int
	RestCPU, RestWall      float64
	RSS                    int64
	Goroutines, FDs        int
	BareRSS                int64 // before the first connection
	BareGoroutines, BareFD int
}

// connected connects to all nodes, calls their agents in rounds, rests, and
// prints what that cost as JSON.
func connected(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("bench connected", flag.ContinueOnError)
	var c clientOptions
	c.register(flags)
	build := flags.String("build", "", "`build` of the agents on the nodes")
	rounds := flags.Int("rounds", 20, "how many rounds")
	pause := flags.Duration("rest", 12*time.Second, "how long to rest")
	if err := flags.Parse(args); err != nil {
		return err
	}
	hosts, err := c.load()
	if err != nil {
		return err
	}
	r := connectedResult{Nodes: len(hosts)}
	if r.BareRSS, r.BareGoroutines, r.BareFD, err = holding(); err != nil {
		return err
	}
	wall, cpu := time.Now(), ownCPU()
	nodes, err := connectAll(ctx, c, hosts, agents{*build})
	defer closeAll(nodes)
	if err != nil {
		return err
	}
	r.ConnectWall, r.ConnectCPU = time.Since(wall).Seconds(), (ownCPU() - cpu).Seconds()
	for _, n := range nodes {
		if n.Outcome().Did == "found" {
			r.Found++
		}
	}
	if err := r.rounds(ctx, nodes, *rounds); err != nil {
		return err
	}
	if err := rest(ctx, *pause/2); err != nil { // what the rounds left may settle
		return err
	}
	wall, cpu = time.Now(), ownCPU()
	if err := rest(ctx, *pause/2); err != nil {
		return err
	}
	r.RestWall, r.RestCPU = time.Since(wall).Seconds(), (ownCPU() - cpu).Seconds()
	if r.RSS, r.Goroutines, r.FDs, err = holding(); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}

// connectAll connects as icm does.
func connectAll(ctx context.Context, c clientOptions, hosts []host, src remote.AgentSource) ([]*remote.Node, error) {
	dialer := remote.NewDialer(remote.Options{})
	found := dialer.ConnectAll(ctx, c.targets(hosts), src, remote.ConnectOptions{}, 0)
	var nodes []*remote.Node
	var errs []error
	for _, f := range found {
		if f.Err != nil {
			errs = append(errs, fmt.Errorf("node %s: %w", f.Target.MachineName, f.Err))
			continue
		}
		nodes = append(nodes, f.Node)
	}
	return nodes, errors.Join(errs...)
}

func (c *clientOptions) targets(hosts []host) []remote.Target {
	var out []remote.Target
	for _, h := range hosts {
		out = append(out, remote.Target{MachineName: h.Addr, Addr: h.Addr, User: c.user, HostKeys: c.known, Signers: signers(c.signer)})
	}
	return out
}

func closeAll(nodes []*remote.Node) {
	for _, n := range nodes {
		_ = n.Close() // the process ends
	}
}

func (r *connectedResult) rounds(ctx context.Context, nodes []*remote.Node, count int) error {
	var facts wire.Facts
	if err := nodes[0].Call(ctx, wire.MethodFacts, wire.FactsRequest{}, &facts); err != nil {
		return err
	}
	body, err := wire.Encode(facts)
	if err != nil {
		return err
	}
	r.FactsBytes = len(body)
	for range count {
		wall, cpu, err := round(ctx, nodes, func(ctx context.Context, n *remote.Node) error {
			return n.Call(ctx, wire.MethodFacts, wire.FactsRequest{}, &wire.Facts{})
		})
		if err != nil {
			return err
		}
		r.FactsWall, r.FactsCPU = append(r.FactsWall, wall), append(r.FactsCPU, cpu)
		wall, cpu, err = round(ctx, nodes, func(ctx context.Context, n *remote.Node) error {
			return n.Call(ctx, wire.MethodInstances, wire.InstancesRequest{}, &wire.InstancesReply{})
		})
		if err != nil {
			return err
		}
		r.InstWall, r.InstCPU = append(r.InstWall, wall), append(r.InstCPU, cpu)
	}
	return nil
}

// round calls all nodes at once and returns seconds of wall and CPU.
func round(ctx context.Context, nodes []*remote.Node, call func(context.Context, *remote.Node) error) (wall, cpu float64, err error) {
	errs := make([]error, len(nodes))
	var wg sync.WaitGroup
	start, before := time.Now(), ownCPU()
	for i, n := range nodes {
		wg.Go(func() { errs[i] = call(ctx, n) })
	}
	wg.Wait()
	return time.Since(start).Seconds(), (ownCPU() - before).Seconds(), errors.Join(errs...)
}

// ownCPU is the CPU time of this process.
func ownCPU() time.Duration {
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		return 0
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}

// holding is what this process holds now.
func holding() (rss int64, goroutines, fds int, err error) {
	kb, err := readField("/proc/self/status", "VmRSS")
	if err != nil {
		return 0, 0, 0, err
	}
	open, err := os.ReadDir("/proc/self/fd")
	return kb << 10, runtime.NumGoroutine(), len(open), err
}
