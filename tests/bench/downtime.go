package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"icm/internal/kind"
	"icm/internal/wire"
)

// superserver is where an instance answers its clients.
const superserver = "1972"

// downtime upgrades the site, and looks how long each instance is away: from
// outside, by its port, and from inside, by the agent's journal.
func downtime(ctx context.Context, l *labSite, sec *section) error {
	if _, err := l.bring(ctx, "IRIS-2023.1.1"); err != nil {
		return err
	}
	hosts, err := l.hosts()
	if err != nil {
		return err
	}
	watch := watchPorts(ctx, hosts)
	m, err := l.icm(ctx, "upgrade")
	away := watch.end()
	if err != nil {
		return err
	}
	sec.columns("node", "port closed, s", "stop", "complete the copy", "installer", "start", "health", "from stop to health, s", "kit fetched and unpacked")
	good, longest := true, 0.0
	for _, h := range hosts {
		text, err := l.inside(ctx, h.Name, "cat "+wire.AgentHome+"/journal")
		if err != nil {
			return err
		}
		u, err := readUpgrade(text)
		if err != nil {
			return fmt.Errorf("node %s: %w", h.Name, err)
		}
		seconds := func(kind string) string { return fmt.Sprintf("%.2f", u.took(kind).Seconds()) }
		sec.row(h.Name, fmt.Sprintf("%.2f", away[h.Name].Seconds()), seconds(kind.IRISStop), seconds(kind.IRISSnapshot), seconds(kind.IRISUpgrade),
			seconds(kind.IRISStart), seconds(kind.IRISHealth), fmt.Sprintf("%.2f", u.away().Seconds()), u.kits())
		good = good && u.kitsBefore()
		longest = max(longest, u.away().Seconds())
	}
	sec.budget("downtime of an instance in `icm upgrade`", "stop + installer + start, no download or unpacking inside",
		fmt.Sprintf("%.1f s at most, kits ready before: %v", longest, good), "-", verdict(good))
	sec.note("Upgrade of three nodes, one after the other: %.1f s wall, %.2f s of controller CPU. The columns are the tasks of the agent's journal; the port was tried every 20 ms from outside.", m.wall.Seconds(), m.cpu.Seconds())
	sec.note("“Complete the copy” is what changed between a copy made while the instance ran and its stop: the way back if the new version does not start.")
	sec.command("icm upgrade")
	sec.command("lab exec NODE -- icm-agent journal")
	return nil
}

// portWatch tries ports until it is told to end.
type portWatch struct {
	cancel context.CancelFunc
	wg     sync.WaitGroup
	mu     sync.Mutex
	away   map[string]time.Duration
}

func watchPorts(ctx context.Context, hosts []host) *portWatch {
	ctx, cancel := context.WithCancel(ctx)
	w := &portWatch{cancel: cancel, away: map[string]time.Duration{}}
	for _, h := range hosts {
		w.wg.Go(func() { w.watch(ctx, h) })
	}
	return w
}

// watch adds up how long the port of an instance was closed.
func (w *portWatch) watch(ctx context.Context, h host) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var gone time.Time
	for {
		conn, err := net.DialTimeout("tcp", net.JoinHostPort(h.Addr, superserver), time.Second)
		now := time.Now()
		switch {
		case err != nil && gone.IsZero():
			gone = now
		case err == nil:
			_ = conn.Close()
			if !gone.IsZero() {
				w.mu.Lock()
				w.away[h.Name] += now.Sub(gone)
				w.mu.Unlock()
				gone = time.Time{}
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (w *portWatch) end() map[string]time.Duration {
	w.cancel()
	w.wg.Wait()
	return w.away
}

// upgraded is what a node's journal says of its upgrade.
type upgraded struct {
	began, ended map[string]time.Time // by kind; the last change that has it
}

// entry is a line of the journal.
type entry struct {
	wire.Event
	Submit *wire.Change `json:"submit"`
}

// crcLen is what stands before the JSON of a line of the journal.
const crcLen = 9

func readUpgrade(journal string) (upgraded, error) {
	u := upgraded{began: map[string]time.Time{}, ended: map[string]time.Time{}}
	tasks := map[string]string{} // change and task → kind
	for line := range strings.Lines(journal) {
		if len(line) <= crcLen {
			continue
		}
		var e entry
		if err := json.Unmarshal([]byte(line[crcLen:]), &e); err != nil {
			return u, fmt.Errorf("cannot read its journal: %w", err)
		}
		if e.Submit != nil {
			for _, t := range e.Submit.Tasks {
				tasks[e.Submit.ID+" "+t.ID] = t.Kind
			}
		}
		switch k := tasks[e.Change+" "+e.Task]; {
		case e.Task == "" || e.Line != "":
		case e.Status == wire.StatusDoing:
			u.began[k] = e.Time
		case e.Status == wire.StatusDone:
			u.ended[k] = e.Time
		}
	}
	if u.ended[kind.IRISUpgrade].IsZero() || u.ended[kind.IRISHealth].Before(u.began[kind.IRISStop]) {
		return u, fmt.Errorf("its journal tells of no upgrade")
	}
	return u, nil
}

func (u upgraded) took(kind string) time.Duration { return u.ended[kind].Sub(u.began[kind]) }

func (u upgraded) away() time.Duration { return u.ended[kind.IRISHealth].Sub(u.began[kind.IRISStop]) }

// kitsBefore reports whether the kit was there before the instance stopped.
func (u upgraded) kitsBefore() bool {
	return !u.ended[kind.KitUnpack].IsZero() && u.ended[kind.KitUnpack].Before(u.began[kind.IRISStop]) &&
		u.ended[kind.KitFetch].Before(u.began[kind.IRISStop])
}

func (u upgraded) kits() string {
	if !u.kitsBefore() {
		return "not before the stop"
	}
	return fmt.Sprintf("%.1f s before the stop", u.began[kind.IRISStop].Sub(u.ended[kind.KitUnpack]).Seconds())
}
