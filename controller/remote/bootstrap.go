package remote

import (
	"context"
	_ "embed" // the scripts
	"errors"
	"fmt"
	"io"
	"path"
	"time"

	"icm/controller/agentbin"
	"icm/internal/hint"
	"icm/internal/wire"
)

//go:embed install.sh
var installScript string

//go:embed switch.sh
var switchScript string

//go:embed remove.sh
var removeScript string

// installLimit is for a few MB over a very thin line, and a slow start.
const installLimit = 10 * time.Minute

// watchTimes are, in seconds, how long a new agent must answer on its node
// without a break, and when it must have begun to. Their sum is below the 30 s
// after which the old agent is back.
const watchTimes = "8 15"

// Outcome says what a bootstrap found and did.
type Outcome struct {
	Did    string // "found", "kept newer", "started", "installed", "replaced"
	Build  string // of the agent that answers now
	Before string // build that was there, "" for none
	// Reverted tells which earlier update the node took back by itself, and
	// why; "" when there was none.
	Reverted string
}

// Bootstrap returns a client of the node's agent. The right agent answers in
// one round trip; otherwise it is put there, or started. A new agent that does
// not answer on its own node gives way to the one before it, and that is an
// error. The node sees to that by itself, whatever becomes of this program or
// of the network: see switch.sh.
func Bootstrap(ctx context.Context, c *Conn, src AgentSource) (*wire.Client, Outcome, error) {
	build := src.Build()
	agent, st, err := c.probe(ctx, build, build)
	if err == nil && agent != nil {
		return agent, Outcome{Did: "found", Build: build, Before: build}, nil
	}
	if needsLook(err) {
		// The agent was there and did not answer: hung, or sudo refused it.
		_, st, err = c.probe(ctx, lookOnly, build)
	}
	if err != nil {
		return nil, Outcome{}, fmt.Errorf("cannot bootstrap: %w", err)
	}
	b := &bootstrap{conn: c, ours: build, st: st}
	agent, did, err := b.act(ctx, src)
	if err != nil {
		return nil, Outcome{}, fmt.Errorf("cannot bootstrap: %w", err)
	}
	out := Outcome{Did: did, Build: build, Before: st.Build, Reverted: st.Reverted}
	if did == "kept newer" || did == "started" {
		out.Build = st.Build
	}
	return agent, out, nil
}

// needsLook leaves errors of the line alone; any other may be the agent's.
func needsLook(err error) bool {
	return err != nil && !errors.Is(err, ErrLost) && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
}

type bootstrap struct {
	conn *Conn
	ours string
	st   status
}

func (b *bootstrap) act(ctx context.Context, src AgentSource) (*wire.Client, string, error) {
	what, agent, err := decide(b.st, b.ours, src.For)
	if err != nil {
		return nil, "", err
	}
	did := "installed"
	switch {
	case what == actKeep:
		client, err := b.attach(ctx, b.st.Build)
		return client, "kept newer", err
	case what == actStart:
		client, err := b.start(ctx, b.st.Build, "")
		return client, "started", err
	case b.st.Build == b.ours && what == actActivate:
		did = "started" // Build is ours
	case b.st.Build != "" && b.st.Build != b.ours:
		did = "replaced"
	}
	if what == actActivate {
		client, err := b.start(ctx, b.ours, agent.SHA256)
		return client, did, err
	}
	client, err := b.push(ctx, agent)
	return client, did, err
}

// push sends the agent, starts it and waits for its hello.
func (b *bootstrap) push(ctx context.Context, agent agentbin.Agent) (*wire.Client, error) {
	gz, _, err := agent.Open()
	if err != nil {
		return nil, err
	}
	if err := b.install(ctx, gz, "push", b.ours, agent.SHA256); err != nil {
		return nil, err
	}
	return b.attach(ctx, b.ours)
}

// start makes a build that is already there the current one.
func (b *bootstrap) start(ctx context.Context, build, sum string) (*wire.Client, error) {
	if err := b.install(ctx, nil, "activate", build, sum); err != nil {
		return nil, err
	}
	return b.attach(ctx, build)
}

func (b *bootstrap) install(ctx context.Context, gz io.Reader, mode, build, sum string) error {
	ctx, cancel := context.WithTimeout(ctx, installLimit)
	defer cancel()
	return b.conn.runScript(ctx, gz, installScript, mode, wire.AgentLib, build, sum,
		wire.AgentUnit, unitFile(), wire.AgentGroup, protocols(), unitDir,
		wire.AgentWatch, watchUnitFile(), switchScript, watchTimes)
}

func (b *bootstrap) attach(ctx context.Context, build string) (*wire.Client, error) {
	agent, st, err := b.conn.probe(ctx, build, b.ours)
	switch {
	case err != nil:
		return nil, fmt.Errorf("agent %s does not answer: %w", build, err)
	case agent == nil && !st.Active:
		return nil, hint.New(fmt.Errorf("%w: agent %s was started and runs no more", ErrUnfit, build),
			"on the node: journalctl -u "+wire.AgentUnit)
	case agent == nil:
		return nil, fmt.Errorf("%w: agent %s runs there now; another icm is at work on this node", ErrUnfit, st.Build)
	}
	return agent, nil
}

// RemoveAgent takes the agent off the node without a trace: service, programs,
// journal, group and socket. Nothing to remove is no error.
func RemoveAgent(ctx context.Context, c *Conn) error {
	_, st, err := c.probe(ctx, lookOnly, "")
	if err == nil && st.Sudo != "ok" {
		err = sudoError(st)
	}
	if err == nil {
		err = c.runScript(ctx, nil, removeScript, wire.AgentLib, wire.AgentHome, wire.AgentUnit,
			wire.AgentGroup, unitDir, path.Dir(wire.AgentSocket), wire.AgentKits, wire.AgentSettings, wire.AgentWatch)
	}
	if err != nil {
		return fmt.Errorf("cannot remove the agent: %w", err)
	}
	return nil
}
