package deploy

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// defaultParallel is how many nodes are worked on at a time. It bounds file
// descriptors and the CPU spent on handshakes, not what the nodes do.
const defaultParallel = 64

// NodeError is what went wrong on one node. It is where the node's name enters
// an error, once.
type NodeError struct {
	Node string
	Err  error
}

func (e *NodeError) Error() string { return fmt.Sprintf("node %s: %v", e.Node, e.Err) }
func (e *NodeError) Unwrap() error { return e.Err }

// NodeErrors are the nodes that did not do what was asked, in the order they
// were asked. Done counts those that did.
type NodeErrors struct {
	Errs []*NodeError
	Done int
}

func (e *NodeErrors) Error() string {
	if len(e.Errs) == 1 {
		return e.Errs[0].Error()
	}
	return fmt.Sprintf("%d nodes failed, the first: %v", len(e.Errs), e.Errs[0])
}

// Unwrap gives every node's error to errors.Is and errors.As.
func (e *NodeErrors) Unwrap() []error {
	out := make([]error, len(e.Errs))
	for i, err := range e.Errs {
		out[i] = err
	}
	return out
}

// forEach calls f for every node, at most parallel at a time, and waits for
// all. One node's error does not stop the others; a cancelled ctx stops nodes
// that were not begun.
func forEach(ctx context.Context, nodes []string, parallel int, f func(ctx context.Context, i int, node string) error) error {
	if parallel <= 0 {
		parallel = defaultParallel
	}
	errs := make([]error, len(nodes))
	slots := make(chan struct{}, parallel)
	var wg sync.WaitGroup
	for i, node := range nodes {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil { // also when a slot was free at the same time
			errs[i] = context.Cause(ctx)
			continue
		}
		wg.Go(func() {
			defer func() { <-slots }()
			errs[i] = f(ctx, i, node)
		})
	}
	wg.Wait()
	return collect(nodes, errs)
}

func collect(nodes []string, errs []error) error {
	out := &NodeErrors{}
	for i, err := range errs {
		if err == nil {
			out.Done++
			continue
		}
		ne := &NodeError{}
		if !errors.As(err, &ne) {
			ne = &NodeError{Node: nodes[i], Err: err}
		}
		out.Errs = append(out.Errs, ne)
	}
	if len(out.Errs) == 0 {
		return nil
	}
	return out
}
