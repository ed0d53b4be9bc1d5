package pluginhost

import (
	"context"
	"sync"

	"icm/plugins/provider"
)

// connection is a provider that knows about its process, and which calls are
// open.
type connection struct {
	name     string
	provider provider.Provider
	process  *process
	open     sync.WaitGroup // no call may begin once the connection is closing
}

var _ provider.Provider = (*connection)(nil)

func (c *connection) Info(ctx context.Context) (provider.Info, error) {
	return counted(c, func() (provider.Info, error) { return c.provider.Info(ctx) })
}

func (c *connection) Validate(ctx context.Context, req provider.Request) ([]provider.Problem, error) {
	return counted(c, func() ([]provider.Problem, error) { return c.provider.Validate(ctx, req) })
}

func (c *connection) Plan(ctx context.Context, req provider.Request) ([]provider.Action, error) {
	return counted(c, func() ([]provider.Action, error) { return c.provider.Plan(ctx, req) })
}

func (c *connection) Provision(ctx context.Context, req provider.Request, progress func(provider.Progress)) (provider.Result, error) {
	return counted(c, func() (provider.Result, error) { return c.provider.Provision(ctx, req, progress) })
}

func (c *connection) Inventory(ctx context.Context, req provider.Request) (provider.Result, error) {
	return counted(c, func() (provider.Result, error) { return c.provider.Inventory(ctx, req) })
}

func (c *connection) Unprovision(ctx context.Context, req provider.Request, progress func(provider.Progress)) error {
	_, err := counted(c, func() (struct{}, error) { return struct{}{}, c.provider.Unprovision(ctx, req, progress) })
	return err
}

func counted[T any](c *connection, call func() (T, error)) (T, error) {
	c.open.Add(1)
	defer c.open.Done()
	v, err := call()
	return v, c.forCaller(err)
}
