package deploy

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"icm/controller/agentbin"
	"icm/controller/pluginhost"
	"icm/controller/remote"
	"icm/internal/hint"
	"icm/internal/secret"
	"icm/internal/wire"
	"icm/plugins/provider"
)

// Real is the world of the real program: SSH, plugins beside icm, the agents
// inside it.
type Real struct {
	Build   string
	Getenv  func(string) string
	Environ []string // providers get a part of it
	// Passphrase is asked once per encrypted key file.
	Passphrase func(file string) (secret.Secret, error)
	// Agents overrides the agents inside icm; nil is those.
	Agents remote.AgentSource
}

// World makes the world for one command.
func (r Real) World(report Reporter) World {
	say := func(machine, text string) {
		report.Report(Event{Kind: Warned, Subject: machine, Text: text})
	}
	dialer := remote.NewDialer(remote.Options{
		FirstContact: func(machine, fingerprint string) {
			say(machine, "its host key was trusted unseen, and is pinned from now on: "+fingerprint)
		},
		Passphrase:  r.Passphrase,
		AgentSocket: r.Getenv("SSH_AUTH_SOCK"),
	})
	c := connector{dialer: dialer, agents: r.Agents, stores: &hostKeyStores{}, report: report}
	return World{
		Provider: r.provider(report), Reach: c.reach, Connect: c.connect, RemoveAgent: c.removeAgent,
		Report: report, Now: time.Now, Build: r.Build,
	}
}

func (r Real) provider(report Reporter) func(context.Context, string) (provider.Provider, func() error, error) {
	return func(ctx context.Context, name string) (provider.Provider, func() error, error) {
		exe, err := os.Executable()
		if err != nil {
			return nil, nil, err
		}
		host := pluginhost.New(pluginhost.Config{
			Dirs: pluginhost.DefaultDirs(exe, r.Getenv("ICM_PROVIDER_DIR")),
			Env:  r.Environ,
			Log:  slog.New(slog.NewTextHandler(recorded{report, name}, nil)),
		})
		return host.Provider(ctx, name)
	}
}

// recorded hands log lines of a plugin to icm.log.
type recorded struct {
	report  Reporter
	subject string
}

func (r recorded) Write(p []byte) (int, error) {
	r.report.Report(Event{Kind: Recorded, Subject: r.subject, Text: strings.TrimSpace(string(p))})
	return len(p), nil
}

// connector makes connections to nodes.
type connector struct {
	dialer *remote.Dialer
	agents remote.AgentSource
	stores *hostKeyStores
	report Reporter
}

// firstWait is how long a node may take to let icm in. Nodes that were just
// made are waited for by their provider; this is for one that reboots.
const firstWait = 30 * time.Second

// firstBootWait is how long a machine in a cloud may take from being made to
// letting icm in: it boots, and cloud-init makes the user.
const firstBootWait = 10 * time.Minute

func (c connector) target(a Address) (remote.Target, error) {
	keys := c.stores.of(a.KnownHosts)
	// A file of pinned keys that cannot be read must not look like a first
	// contact.
	if err := keys.check(); err != nil {
		return remote.Target{}, err
	}
	t := remote.Target{
		MachineName: a.Machine, Addr: a.Host, Port: a.Port, User: a.User,
		KeyFile: a.KeyFile, Password: a.Password, HostKeys: keys,
	}
	if a.Bastion == "" {
		return t, nil
	}
	b, err := bastion(a.Bastion)
	if err != nil {
		return t, err
	}
	b.KeyFile, b.HostKeys = t.KeyFile, t.HostKeys
	t.Bastion = &b
	return t, nil
}

// bastion reads "user@host:port".
func bastion(s string) (remote.Target, error) {
	user, addr, ok := strings.Cut(s, "@")
	if !ok || user == "" {
		return remote.Target{}, hint.New(fmt.Errorf("BastionHost %q names no user", s), "write user@host or user@host:port")
	}
	b := remote.Target{MachineName: "bastion-" + strings.NewReplacer(":", "-", "[", "", "]", "").Replace(addr), User: user, Addr: addr}
	if host, port, err := net.SplitHostPort(addr); err == nil {
		b.Addr = host
		if b.Port, err = strconv.Atoi(port); err != nil {
			return b, fmt.Errorf("BastionHost %q has no port number after the colon", s)
		}
	}
	return b, nil
}

func (c connector) reach(ctx context.Context, a Address) (Shell, error) {
	t, err := c.target(a)
	if err != nil {
		return nil, err
	}
	conn, err := overReload(ctx, func() (*remote.Conn, error) { return c.dialer.DialUntilUp(ctx, t, remote.Wait{}) })
	if err != nil {
		return nil, err
	}
	return shell{conn: conn, user: a.User}, nil
}

func (c connector) connect(ctx context.Context, a Address) (Node, error) {
	t, err := c.target(a)
	if err != nil {
		return nil, err
	}
	agents, err := c.source()
	if err != nil {
		return nil, err
	}
	told := func(w remote.Waiting) {
		tellWaiting(c.report, a.Machine, wire.Waiting{For: "until " + w.Name, Last: w.Last, Lasted: w.Lasted, Left: w.Left, Clears: w.Clears})
	}
	opts := remote.ConnectOptions{Wait: remote.Wait{Told: told}, Again: remote.Wait{Told: told}}
	if a.Patient {
		opts.Wait.For = firstWait
	}
	if a.FirstBoot {
		opts.Wait.For, opts.Wait.Auth = firstBootWait, true
	}
	n, err := overReload(ctx, func() (*remote.Node, error) { return c.dialer.Connect(ctx, t, agents, opts) })
	if err != nil {
		return nil, err
	}
	if why := n.Outcome().Reverted; why != "" {
		c.report.Report(Event{Kind: Warned, Subject: a.Machine, Text: "an earlier update of its agent was taken back by the node: " + why})
	}
	return node{Node: n, user: a.User}, nil
}

func (c connector) source() (remote.AgentSource, error) {
	if c.agents != nil {
		return c.agents, nil
	}
	return agentbin.Embedded()
}

func (c connector) removeAgent(ctx context.Context, n Node) error {
	real, ok := n.(node)
	if !ok {
		return fmt.Errorf("%T is no connection of this world", n)
	}
	return remote.RemoveAgent(ctx, real.Conn())
}

// node is a remote.Node as the workflow sees it.
type node struct {
	*remote.Node
	user string
}

func (n node) Shell() Shell { return shell{conn: n.Conn(), user: n.user} }

// Put implements Node.
func (n node) Put(ctx context.Context, name string, in io.Reader, size int64, sha256 string) error {
	return n.PutFile(ctx, name, in, size, sha256)
}

// Follow adds the hint to what the agent says.
func (n node) Follow(ctx context.Context, change string, after uint64, item func(wire.Item) error) error {
	return fromAgent(n.Node.Follow(ctx, change, after, item))
}

// shell is a remote.Conn as the workflow sees it.
type shell struct {
	conn *remote.Conn
	user string
}

func (s shell) Run(ctx context.Context, command string, stdin io.Reader, stdout, stderr io.Writer) (int, error) {
	res, err := s.conn.Run(ctx, remote.Cmd{Line: command, Stdin: stdin, Stdout: stdout, Stderr: stderr})
	return res.Exit, err
}

func (s shell) Interactive(ctx context.Context, command string) (int, error) {
	res, err := s.conn.Interactive(ctx, command, os.Stdin, os.Stdout)
	return res.Exit, err
}

func (s shell) Copy(ctx context.Context, local, to string, moved func(done, total int64)) error {
	return s.conn.Copy(ctx, remote.Copy{Local: local, Remote: to, Moved: moved})
}

func (s shell) Close() error { return s.conn.Close() }
