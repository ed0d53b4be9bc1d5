package crash

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"icm/controller/deploy"
	"icm/controller/remote"
	"icm/controller/state"
	"icm/internal/secret"
	"icm/internal/wire"
	"icm/plugins/provider"
	"icm/plugins/provider/providertest"
	"icm/tests/sim"
)

// stateDir is the deployment's state directory, and so its id.
const stateDir = "ICM-1"

// controllerOrder is what a controller needs to know.
type controllerOrder struct {
	Dir  string // deployment directory
	Here string // where the nodes' directories are
	Verb string
	Kit  string // name without .tar.gz
	// At is the moment at which Signal is sent to the controller itself; 0 is
	// never.
	At     int64
	Signal syscall.Signal
	// Watched lets the site see every change to a file before it is made.
	Watched bool
	Rerun   bool // the command was given before
	Slowly  bool // one node after the other
}

// controller is icm at work. Its moments are the calls to agents, before and
// after each, and everything that it reports.
type controller struct {
	order  controllerOrder
	moment atomic.Int64
}

// result is what a controller tells about itself when it has ended.
type controllerResult struct{ Moments int64 }

func runController(o controllerOrder) error {
	if o.Watched {
		if err := watchMe(); err != nil {
			return err
		}
	}
	c := &controller{order: o}
	if err := c.do(context.Background(), c.job()); err != nil {
		return explain(err)
	}
	return json.NewEncoder(os.Stdout).Encode(controllerResult{c.moment.Load()})
}

// do gives the command. One that was given again after it had been cut off may
// find that there is nothing left to do, and say so as an error.
func (c *controller) do(ctx context.Context, j *deploy.Job) (err error) {
	switch c.order.Verb {
	case "provision":
		_, err = j.Provision(ctx)
	case "unprovision":
		err = j.Unprovision(ctx, deploy.UnprovisionOptions{})
	case "inventory":
		_, err = j.Inventory(ctx, true)
	case "unlock":
		_, err = j.Unlock()
	case "hold":
		_, err = j.Hold("")
	case "recover":
		_, err = j.Recover(ctx, deploy.RecoverOptions{Nodes: []string{"127.0.0.1:1", "127.0.0.1:2"}})
		if err != nil && c.order.Rerun && strings.Contains(err.Error(), "instances.json is there") {
			err = nil // it had written everything
		}
	case "undo":
		var id string
		if id, err = c.newest("undo"); err == nil {
			_, _, err = j.Undo(ctx, id)
		}
	case "resume":
		_, err = j.Resume(ctx, "")
		if err != nil && c.order.Rerun && strings.Contains(err.Error(), "has ended: done") {
			err = nil
		}
	default:
		if verb, ok := strings.CutPrefix(c.order.Verb, nothingLeft); ok {
			return planIsEmpty(ctx, j, deploy.Verb(verb))
		}
		_, err = j.Operate(ctx, deploy.Verb(c.order.Verb))
	}
	return err
}

// nothingLeft stands before a verb that must have nothing to do any more.
const nothingLeft = "nothing left of "

func planIsEmpty(ctx context.Context, j *deploy.Job, verb deploy.Verb) error {
	plan, err := j.Plan(ctx, verb)
	if err != nil || plan.Empty() {
		return err
	}
	data, err := json.Marshal(plan)
	return errors.Join(err, fmt.Errorf("icm plan %s still wants to do something: %s", verb, data))
}

// newest is the last operation with another verb.
func (c *controller) newest(but string) (id string, err error) {
	dir, err := state.Open(filepath.Join(c.order.Dir, stateDir))
	if err != nil {
		return "", err
	}
	all, err := dir.ListOperations()
	for _, r := range all {
		if r.Meta.Verb != but {
			id = r.Meta.ID
		}
	}
	return id, err
}

// explain says what cli would say.
func explain(err error) error {
	var refused *deploy.RefusedError
	if errors.As(err, &refused) {
		err = fmt.Errorf("%w: %+v", err, refused.Refusals)
	}
	return err
}

func (c *controller) job() *deploy.Job {
	file := func(name string) string { return filepath.Join(c.order.Dir, name) }
	j := &deploy.Job{
		Dir: c.order.Dir, Verb: c.order.Verb, Argv: []string{c.order.Verb},
		Files:       deploy.Files{Definitions: file("definitions.json"), Defaults: file("defaults.json"), Instances: file("instances.json"), StateDir: file(stateDir)},
		Fields:      map[string]string{"KitURL": "file:///kits/" + c.order.Kit + ".tar.gz"},
		Password:    secret.New(password),
		AskPassword: func() (secret.Secret, bool, error) { return secret.Secret{}, false, nil },
		Confirm:     func(string) error { return nil },
	}
	if c.order.Slowly {
		j.Parallel = 1
	}
	j.World = deploy.World{
		Provider: func(context.Context, string) (provider.Provider, func() error, error) {
			return given{&providertest.Fake{}}, func() error { return nil }, nil
		},
		Connect: c.connect, RemoveAgent: c.removeAgent, Report: c, Now: time.Now, Build: "crash",
	}
	return j
}

// pass is a moment of the controller's work.
func (c *controller) pass() {
	if c.moment.Add(1) == c.order.At {
		_ = syscall.Kill(os.Getpid(), c.order.Signal)
	}
}

// Report implements deploy.Reporter.
func (c *controller) Report(ev deploy.Event) {
	if ev.Kind == deploy.Moved {
		return
	}
	if ev.Err != nil {
		fmt.Fprintf(os.Stderr, "%s: %s: %v\n", ev.Subject, ev.Text, ev.Err)
	} else {
		fmt.Fprintf(os.Stderr, "%s: %s\n", ev.Subject, ev.Text)
	}
	switch ev.Kind {
	case deploy.Recorded, deploy.Waiting: // how many there are is a matter of time
	default:
		c.pass()
	}
}

func (c *controller) nodeDir(machine string) string {
	for i, m := range machines {
		if m.name == machine || machine == fmt.Sprintf("127.0.0.1:%d", i+1) { // recover knows addresses only
			return filepath.Join(c.order.Here, m.short)
		}
	}
	return filepath.Join(c.order.Here, machine)
}

func (c *controller) connect(ctx context.Context, a deploy.Address) (deploy.Node, error) {
	dir := c.nodeDir(a.Machine)
	if _, err := askInit(ctx, filepath.Join(dir, "run", initSocket), request{Verb: "install-agent"}); err != nil {
		return nil, fmt.Errorf("%w: %v", remote.ErrLost, err)
	}
	return &node{Line: &sim.Line{Dial: func() (*wire.Client, error) { return dial(dir) }}, c: c, dir: dir}, nil
}

// dial connects to the agent of the node in dir.
func dial(dir string) (*wire.Client, error) {
	conn, err := net.Dial("unix", agentSocket(dir))
	if err != nil {
		return nil, fmt.Errorf("%w: %v", remote.ErrLost, err)
	}
	client, err := wire.NewClient(conn, "crash")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %v", remote.ErrLost, err), conn.Close())
	}
	return client, nil
}

func agentSocket(dir string) string { return filepath.Join(dir, wire.AgentSocket) }

func (c *controller) removeAgent(ctx context.Context, n deploy.Node) error {
	_, err := askInit(ctx, filepath.Join(n.(*node).dir, "run", initSocket), request{Verb: "remove-agent"})
	return err
}

// node is a connection whose calls are moments.
type node struct {
	*sim.Line
	c   *controller
	dir string
}

func (n *node) Call(ctx context.Context, method string, req, reply any) error {
	n.c.pass()
	err := n.Line.Call(ctx, method, req, reply)
	n.c.pass()
	return err
}

func (n *node) Follow(ctx context.Context, change string, after uint64, item func(wire.Item) error) error {
	n.c.pass()
	return n.Line.Follow(ctx, change, after, item)
}

// Put puts a file where icm-agent put would.
func (n *node) Put(_ context.Context, name string, in io.Reader, _ int64, _ string) error {
	n.c.pass()
	dir := filepath.Join(n.dir, wire.AgentHome, "incoming")
	data, err := io.ReadAll(in)
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name), data, 0o600)
	}
	n.c.pass()
	return err
}

func (*node) Shell() deploy.Shell { return nil }

// given is a provider of nodes that are there already, all at one address.
type given struct{ *providertest.Fake }

func (given) Info(context.Context) (provider.Info, error) {
	return provider.Info{Name: "Lab", Version: "crash"}, nil
}

func (g given) Provision(ctx context.Context, req provider.Request, progress func(provider.Progress)) (provider.Result, error) {
	res, err := g.Fake.Provision(ctx, req, progress)
	for i := range res.Nodes {
		res.Nodes[i].IPAddress, res.Nodes[i].DNSName = "127.0.0.1", ""
	}
	return res, err
}
