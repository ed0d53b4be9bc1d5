package deploy

import (
	"context"
	"sync"
	"time"

	"icm/controller/state"
)

// Watch asks nodes again and again. Connections stay open from one time to the
// next, so that looking at many nodes costs little. It is used by one goroutine.
type Watch struct {
	job   *Job
	mu    sync.Mutex
	lines map[string]Node
}

// Watch begins to watch the selected nodes. Close ends it.
func (j *Job) Watch() *Watch { return &Watch{job: j, lines: map[string]Node{}} }

// Close closes all connections.
func (w *Watch) Close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	closeAll(w.lines)
	clear(w.lines)
}

// answerLimit bounds how long a node may take to answer.
const answerLimit = 20 * time.Second

// each hands every selected node to f, side by side, with a limit. f's own error
// ends the node's connection: the next time a new one is made.
func (w *Watch) each(ctx context.Context, limit time.Duration, f func(ctx context.Context, i int, n state.Instance, node Node, err error) error) (provisioned, error) {
	p, err := w.job.instances()
	if err != nil {
		return p, err
	}
	nodes := p.real()
	_ = forEach(ctx, machineNames(nodes), w.job.Parallel, func(ctx context.Context, i int, name string) error {
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		node, err := w.line(ctx, nodes[i], p.dir)
		if err := f(ctx, i, nodes[i], node, err); err != nil {
			w.drop(name)
		}
		return nil
	})
	return p, context.Cause(ctx)
}

// line is the connection to a node.
func (w *Watch) line(ctx context.Context, n state.Instance, dir *state.Dir) (Node, error) {
	w.mu.Lock()
	node := w.lines[n.MachineName]
	w.mu.Unlock()
	if node != nil {
		return node, nil
	}
	a, err := w.job.address(n, dir)
	if err != nil {
		return nil, err
	}
	if node, err = w.job.World.Connect(ctx, a); err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines[n.MachineName] = node
	return node, nil
}

func (w *Watch) drop(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if node := w.lines[name]; node != nil {
		_ = node.Close() // it is of no use any more
		delete(w.lines, name)
	}
}
