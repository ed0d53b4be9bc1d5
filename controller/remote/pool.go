package remote

import (
	"context"
	"sync"
)

// Connected is what became of one target.
type Connected struct {
	Target Target
	Node   *Node // nil when Err is not
	Err    error
}

// ConnectAll connects to many nodes, at most parallel at a time, 64 when 0. The
// answers are in the order of the targets; one node's error does not stop the
// others.
func (d *Dialer) ConnectAll(ctx context.Context, targets []Target, src AgentSource, opts ConnectOptions, parallel int) []Connected {
	if parallel <= 0 {
		parallel = 64
	}
	out := make([]Connected, len(targets))
	slots := make(chan struct{}, parallel)
	var wg sync.WaitGroup
	for i, t := range targets {
		out[i].Target = t
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			out[i].Err = ctx.Err()
			continue
		}
		wg.Go(func() {
			defer func() { <-slots }()
			out[i].Node, out[i].Err = d.Connect(ctx, t, src, opts)
		})
	}
	wg.Wait()
	return out
}
