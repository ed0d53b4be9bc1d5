package main

import (
	"bytes"
	"context"
	_ "embed" // the script
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

//go:embed lightnode.sh
var lightNodeScript string

// bridge is what light nodes are plugged into.
const bridge = "icmbench"

// farm is a number of light nodes on one bridge.
type farm struct {
	dir   string // of logs and keys
	group *group // of all nodes
	nodes []*lightNode
	keys  keys
	build string // of the agents
	// upAfter is how long it took until every sshd answered.
	upAfter time.Duration
}

type lightNode struct {
	number int // from 1
	addr   netip.Prefix
	log    string // what sshd says
	tell   io.WriteCloser
	cmd    *exec.Cmd
}

// host is a node as the clients are told of it.
type host struct {
	Name string `json:"name"`
	Addr string `json:"addr"`
}

func (f *farm) hosts(n int) []host {
	var out []host
	for _, node := range f.nodes[:n] {
		out = append(out, host{fmt.Sprintf("BENCH-AM-LIGHT-%04d", node.number), node.addr.Addr().String()})
	}
	return out
}

// freeSubnet is a /24 of the block kept for tests that no interface is in.
func freeSubnet() (netip.Prefix, error) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return netip.Prefix{}, err
	}
	for third := 255; third > 200; third-- {
		want := netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 19, byte(third), 0}), 24)
		taken := false
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil && p.Overlaps(want) {
				taken = true
			}
		}
		if !taken {
			return want, nil
		}
	}
	return netip.Prefix{}, errors.New("198.19.200.0 to 198.19.255.0 are all taken")
}

// startFarm makes n nodes over an image and waits until each answers. The
// caller stops the farm, also when this fails.
func startFarm(ctx context.Context, dir, image, agent string, n int) (*farm, error) {
	f := &farm{dir: dir}
	if err := removeBridge(); err != nil {
		return f, err
	}
	subnet, err := freeSubnet()
	if err != nil {
		return f, err
	}
	if f.keys, err = makeKeys(dir); err != nil {
		return f, err
	}
	if f.build, err = agentBuild(agent); err != nil {
		return f, err
	}
	base := filepath.Join(dir, "base")
	if err := writeBase(base, image, agent, f.build, f.keys); err != nil {
		return f, err
	}
	if f.group, err = newGroup("nodes"); err != nil {
		return f, err
	}
	start := time.Now()
	if err := f.start(ctx, base+":"+image, subnet, n); err != nil {
		return f, err
	}
	if err := f.network(ctx, subnet); err != nil {
		return f, err
	}
	for _, node := range f.nodes {
		if err := await(ctx, "sshd of light node "+node.addr.String(), time.Minute, node.answers); err != nil {
			return f, err
		}
	}
	f.upAfter = time.Since(start)
	return f, nil
}

func (f *farm) start(ctx context.Context, lower string, subnet netip.Prefix, n int) error {
	point := filepath.Join(f.dir, "node") // each mounts there, unseen by the others
	if err := os.Mkdir(point, 0o700); err != nil {
		return err
	}
	addr := subnet.Addr().Next() // of the bridge
	for i := range n {
		addr = addr.Next()
		node := &lightNode{number: i + 1, addr: netip.PrefixFrom(addr, subnet.Bits()), log: filepath.Join(f.dir, fmt.Sprintf("sshd-%d.log", i+1))}
		if err := node.start(ctx, f.group, lower, point); err != nil {
			return fmt.Errorf("cannot start light node %d: %w", i+1, err)
		}
		f.nodes = append(f.nodes, node)
	}
	return nil
}

func (n *lightNode) start(ctx context.Context, g *group, lower, point string) error {
	log, err := os.Create(n.log)
	if err != nil {
		return err
	}
	defer log.Close()
	line := g.entering([]string{"sh", "-c", lightNodeScript, "lightnode", lower, point, n.addr.String()})
	n.cmd = exec.CommandContext(ctx, line[0], line[1:]...)
	n.cmd.Stdout, n.cmd.Stderr = log, log
	n.cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS,
		Setsid:     true, // a Ctrl-C is for the bench, which ends its nodes in order
	}
	if n.tell, err = n.cmd.StdinPipe(); err != nil {
		return err
	}
	return n.cmd.Start()
}

// network makes the bridge and plugs all nodes in, with one run of ip.
func (f *farm) network(ctx context.Context, subnet netip.Prefix) error {
	var b strings.Builder
	fmt.Fprintf(&b, "link add %s type bridge\naddress add %s/24 dev %s\nlink set %s up\n", bridge, subnet.Addr().Next(), bridge, bridge)
	for _, n := range f.nodes {
		fmt.Fprintf(&b, "link add %s-%d type veth peer name eth0 netns %d\n", bridge, n.number, n.cmd.Process.Pid)
		fmt.Fprintf(&b, "link set %s-%d master %s up\n", bridge, n.number, bridge)
	}
	cmd := exec.CommandContext(ctx, "ip", "-batch", "-")
	cmd.Stdin = strings.NewReader(b.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot plug the light nodes in: %w: %s", err, out)
	}
	for _, n := range f.nodes {
		if _, err := io.WriteString(n.tell, "network\n"); err != nil {
			return err
		}
	}
	return nil
}

// answers looks for sshd's banner.
func (n *lightNode) answers() error {
	conn, err := net.DialTimeout("tcp", net.JoinHostPort(n.addr.Addr().String(), "22"), time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	_, err = conn.Read(make([]byte, 4))
	return err
}

// startAgents starts the agent on the first n nodes.
func (f *farm) startAgents(n int) error {
	for _, node := range f.nodes[:n] {
		if _, err := io.WriteString(node.tell, "agent\n"); err != nil {
			return err
		}
	}
	return nil
}

// sessions counts what the sshds of all nodes were asked to run so far.
func (f *farm) sessions() (int, error) {
	count := 0
	for _, n := range f.nodes {
		data, err := os.ReadFile(n.log)
		if err != nil {
			return 0, err
		}
		count += bytes.Count(data, []byte("Starting session: "))
	}
	return count, nil
}

// stop ends all nodes. Their namespaces go with them, mounts and links too.
func (f *farm) stop() error {
	for _, n := range f.nodes {
		_ = n.tell.Close()
	}
	var err error
	if f.group != nil {
		err = f.group.remove()
	}
	for _, n := range f.nodes {
		_ = n.cmd.Wait() // it was killed
	}
	return errors.Join(err, removeBridge())
}

// removeBridge removes the bridge, also one that a killed bench left.
func removeBridge() error {
	if _, err := os.Stat(filepath.Join("/sys/class/net", bridge)); err != nil {
		return nil
	}
	if out, err := exec.Command("ip", "link", "delete", bridge).CombinedOutput(); err != nil {
		return fmt.Errorf("cannot remove the bridge: %w: %s", err, out)
	}
	return nil
}
