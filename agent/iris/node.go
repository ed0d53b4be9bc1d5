package iris

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"icm/agent/host"
)

// queryLimit is how long a query of the iris command may take. A hung instance
// hangs the query too, and that is an answer.
const queryLimit = 15 * time.Second

// Node is IRIS on this machine.
type Node struct {
	// Root is "/"; tests use a directory, which holds the iris command and
	// the registry.
	Root string
	// Home is the agent's own directory.
	Home string

	run func(context.Context, host.Command) (host.Output, error)

	// Poll is the time between two looks at something that is waited for.
	Poll time.Duration
	// DiedAfter is how long an instance that was started may be down.
	DiedAfter time.Duration
}

// New makes a Node.
func New(root, home string) *Node {
	run := func(ctx context.Context, c host.Command) (host.Output, error) { return c.Run(ctx) }
	return &Node{Root: root, Home: home, run: run, Poll: time.Second, DiedAfter: diedAfter}
}

// Program returns the path of the iris command, or "" when there is none.
func (n *Node) Program() string {
	for _, path := range []string{"usr/bin/iris", "usr/local/etc/irissys/iris"} {
		path = filepath.Join(n.Root, path)
		if st, err := os.Stat(path); err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 {
			return path
		}
	}
	return ""
}

// registry is where kits keep the list of instances and the ISCAgent.
func (n *Node) registry() string { return filepath.Join(n.Root, "usr/local/etc/irissys") }

// pause waits for one look, or until ctx ends.
func (n *Node) pause(ctx context.Context) error {
	t := time.NewTimer(n.Poll)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
