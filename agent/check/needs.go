package check

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"icm/agent/host"
	"icm/internal/hint"
	"icm/internal/wire"
)

// How far the clocks may be apart. The request is on its way for some time, so
// less than clockWarn cannot be told from that. Mirror members, licences and
// logs of several nodes bear a few seconds; an hour, the usual mistake of a
// time zone, they do not.
const (
	clockWarn = 2 * time.Second
	clockFail = 60 * time.Second
)

// reachLimit is how long one address may take to accept a connection.
const reachLimit = 5 * time.Second

func checkClock(_ context.Context, n node) []wire.Finding {
	if n.req.Now.IsZero() {
		return nil
	}
	const hint = "let chrony or systemd-timesyncd set the clock: timedatectl set-ntp true"
	skew := n.Now().Sub(n.req.Now)
	which := "ahead of"
	if skew < 0 {
		skew, which = -skew, "behind"
	}
	text := fmt.Sprintf("the clock is %s %s the controller's", skew.Round(100*time.Millisecond), which)
	switch {
	case skew > clockFail:
		return finding(fail, hint, "%s", text)
	case skew > clockWarn:
		return finding(warn, hint, "%s", text)
	}
	return finding(pass, "", "the clock agrees with the controller's")
}

func checkMemory(_ context.Context, n node) []wire.Finding {
	if n.req.Memory == 0 {
		return nil
	}
	have := host.TotalMemory(n.Root)
	if have < n.req.Memory {
		return finding(fail, "give the node more memory, or ask for smaller buffers", "the node has %s of memory, %s is needed", size(have), size(n.req.Memory))
	}
	return finding(pass, "", "the node has %s of memory", size(have))
}

func checkKit(_ context.Context, n node) []wire.Finding {
	switch {
	case n.req.KitURL == "" || n.Kit == nil:
		return nil
	case n.kit != nil:
		return finding(fail, hint.Of(n.kit), "%v", n.kit)
	}
	return finding(pass, "", "the kit can be had")
}

// checkSpace adds up what is needed on each file system.
func checkSpace(_ context.Context, n node) []wire.Finding {
	var out []wire.Finding
	for _, needs := range n.byFileSystem() {
		var total int64
		var what []string
		for _, s := range needs {
			total += s.Bytes
			what = append(what, s.For)
		}
		path, text := needs[0].Path, strings.Join(what, " and ")
		free, err := host.FreeSpace(filepath.Join(n.Root, path))
		switch {
		case err != nil:
			out = append(out, finding(fail, "", "%v", err)...)
		case free < total:
			out = append(out, finding(fail, "free some space there, or choose a larger volume", "%s has %s free, %s needs %s", path, size(free), text, size(total))...)
		default:
			out = append(out, finding(pass, "", "%s has %s free for %s", path, size(free), text)...)
		}
	}
	return out
}

// byFileSystem puts needs together that draw on the same space.
func (n node) byFileSystem() [][]wire.SpaceNeed {
	var out [][]wire.SpaceNeed
	place := map[uint64]int{}
	for _, s := range n.req.Space {
		id, ok := host.FileSystemOf(filepath.Join(n.Root, s.Path))
		i, seen := place[id]
		if !ok || !seen {
			place[id] = len(out)
			out = append(out, nil)
			i = len(out) - 1
		}
		out[i] = append(out[i], s)
	}
	return out
}

func checkPorts(ctx context.Context, n node) []wire.Finding {
	if len(n.req.Ports) == 0 {
		return nil
	}
	var ports []int
	for _, p := range n.req.Ports {
		ports = append(ports, p.Port)
	}
	held, err := host.Listeners(n.Root, ports)
	if err != nil {
		return finding(fail, "", "%v", err)
	}
	var out []wire.Finding
	for _, p := range n.req.Ports {
		by, taken := held[p.Port]
		switch {
		case !taken:
			out = append(out, finding(pass, "", "port %d (%s) is free", p.Port, p.For)...)
		case by.PID != 0 && n.Owns != nil && n.Owns(ctx, n.req.Instance, by.PID):
			out = append(out, finding(pass, "", "port %d (%s) is held by %s itself", p.Port, p.For, n.req.Instance)...)
		case by.PID == 0:
			out = append(out, finding(fail, "stop what listens there, or choose another port", "port %d (%s) is taken by a process that cannot be seen", p.Port, p.For)...)
		default:
			out = append(out, finding(fail, "stop it, or choose another port", "port %d (%s) is taken by %s, process %d", p.Port, p.For, by.Name, by.PID)...)
		}
	}
	return out
}

// searchPath is where Command looks too.
var searchPath = []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}

func checkCommands(_ context.Context, n node) []wire.Finding {
	var missing []string
	for _, name := range n.req.Commands {
		if !slices.ContainsFunc(searchPath, func(dir string) bool { return executable(filepath.Join(n.Root, dir, name)) }) {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return finding(fail, "install the packages that bring them", "missing: %s", strings.Join(missing, ", "))
	}
	if len(n.req.Commands) == 0 {
		return nil
	}
	return finding(pass, "", "all programs are there")
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// checkReach tries all addresses at the same time, so that the whole takes no
// longer than the slowest.
func checkReach(ctx context.Context, n node) []wire.Finding {
	out := make([]wire.Finding, len(n.req.Reach))
	var wg sync.WaitGroup
	for i, addr := range n.req.Reach {
		wg.Go(func() { out[i] = reach(ctx, addr) })
	}
	wg.Wait()
	return out
}

func reach(ctx context.Context, addr string) wire.Finding {
	d := net.Dialer{Timeout: reachLimit}
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return wire.Finding{Result: fail, Text: fmt.Sprintf("%s cannot be reached: %v", addr, err), Hint: "check the firewalls between the two, and that something listens there"}
	}
	_ = c.Close()
	return wire.Finding{Result: pass, Text: addr + " accepts connections"}
}

func checkHostname(ctx context.Context, n node) []wire.Finding {
	if n.Root != "/" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, reachLimit)
	defer cancel()
	name, err := os.Hostname()
	if err == nil {
		_, err = net.DefaultResolver.LookupHost(ctx, name)
	}
	if err != nil {
		return finding(warn, "add the name to /etc/hosts: mirroring and licensing look it up", "the node's own name does not resolve: %v", err)
	}
	return finding(pass, "", "the name %s resolves", name)
}
