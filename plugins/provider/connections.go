package provider

import (
	"context"
	"sync"

	"google.golang.org/grpc/stats"
)

// connections notices that the last connection has closed. A provider whose
// icm was killed would otherwise wait for a call for ever.
type connections struct {
	last chan struct{} // closed, once, when none is left

	mu   sync.Mutex
	open int
	gone bool
}

var _ stats.Handler = (*connections)(nil)

// HandleConn implements stats.Handler. A connection counts once it has passed
// the TLS handshake.
func (c *connections) HandleConn(_ context.Context, s stats.ConnStats) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch s.(type) {
	case *stats.ConnBegin:
		c.open++
	case *stats.ConnEnd:
		c.open--
		if c.open == 0 && !c.gone {
			c.gone = true
			close(c.last)
		}
	}
}

// TagConn implements stats.Handler.
func (c *connections) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

// TagRPC implements stats.Handler.
func (c *connections) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

// HandleRPC implements stats.Handler.
func (c *connections) HandleRPC(context.Context, stats.RPCStats) {}
