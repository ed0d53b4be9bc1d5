package deploy

import (
	"context"
	"errors"
	"time"

	"icm/controller/remote"
)

// An sshd that reloads its configuration closes its port for a moment. icm
// makes it reload at provision, and its next command may come that soon.
const (
	reloadLimit = 2 * time.Second
	reloadPause = 100 * time.Millisecond
)

// overReload tries again while the port is closed, for a moment only: an sshd
// that is down is told as that.
func overReload[T any](ctx context.Context, try func() (T, error)) (T, error) {
	deadline := time.Now().Add(reloadLimit)
	for {
		got, err := try()
		if err == nil || !errors.Is(err, remote.ErrRefused) || time.Now().After(deadline) {
			return got, err
		}
		select {
		case <-time.After(reloadPause):
		case <-ctx.Done():
			return got, err
		}
	}
}
