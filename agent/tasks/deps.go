package tasks

import (
	"context"
	"path/filepath"
	"time"

	"icm/agent/host"
	"icm/agent/iris"
	"icm/agent/unit"
)

// Units is what the kinds ask of systemd. *unit.Manager is one.
type Units interface {
	Read(name string) (text string, found bool, err error)
	Write(ctx context.Context, name, text string) error
	Remove(ctx context.Context, name string) error
	Abandon(ctx context.Context, name string) error
	Reload(ctx context.Context) error
	Enable(ctx context.Context, name string) error
	Disable(ctx context.Context, name string) error
	Start(ctx context.Context, name string) error
	Stop(ctx context.Context, name string) error
	Restart(ctx context.Context, name string) error
	ReloadUnit(ctx context.Context, name string) error
	Status(ctx context.Context, name string) (unit.Status, error)
}

var _ Units = (*unit.Manager)(nil)

func (d Deps) withDefaults() Deps {
	if d.Root == "" {
		d.Root = "/"
	}
	if d.IRIS == nil {
		d.IRIS = iris.New(d.Root, d.Home)
	}
	if d.Units == nil {
		d.Units = unit.New(d.Root)
	}
	if d.Blocks == (host.Blocks{}) {
		d.Blocks = host.NodeBlocks()
	}
	return d
}

// path is where a path of the node lies below the root.
func (d Deps) path(p string) string { return filepath.Join(d.Root, p) }

// poll asks cond every so often until it holds or limit has passed, and
// reports whether it held. An error of ctx ends it.
func poll(ctx context.Context, every, limit time.Duration, cond func() bool) bool {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for !cond() {
		select {
		case <-ctx.Done():
			return cond()
		case <-tick.C:
		}
	}
	return true
}
