package terraform

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"icm/plugins/provider"
)

// settleLimit is how long a terraform is waited for whose icm was killed. A
// machine takes minutes to start in some clouds.
const settleLimit = 30 * time.Minute

// takeSettled is takeWork for those who read what terraform wrote.
func takeSettled(ctx context.Context, root, what string) (free func(), err error) {
	if free, err = takeWork(root, what); err != nil {
		return nil, err
	}
	if err := settle(ctx, root); err != nil {
		free()
		return nil, err
	}
	return free, nil
}

// settle waits until no terraform writes to a state below root: one whose
// plugin was killed finishes first, and writes its state in place.
func settle(ctx context.Context, root string) error {
	states, err := filepath.Glob(filepath.Join(root, "*", stateFile))
	if err != nil {
		return err
	}
	for _, path := range states {
		if err := settleOne(ctx, path); err != nil {
			return err
		}
	}
	return nil
}

func settleOne(ctx context.Context, path string) error {
	ctx, cancel := context.WithTimeout(ctx, settleLimit)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		pid, err := writerOf(path)
		if err != nil || pid == 0 {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return ctx.Err()
			}
			return &provider.Error{
				Message: fmt.Sprintf("terraform, process %d, is still at work on %s after %s", pid, filepath.Dir(path), settleLimit),
				Hint:    "see what it waits for; kill it when it hangs, then run the command again",
				Kind:    provider.KindRefused,
			}
		}
	}
}

// writerOf is the process that has terraform's lock on a state; 0 for none.
func writerOf(path string) (int, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	lock := unix.Flock_t{Type: unix.F_RDLCK}
	if err := unix.FcntlFlock(f.Fd(), unix.F_GETLK, &lock); err != nil {
		return 0, fmt.Errorf("cannot see who has the lock on %s: %w", path, err)
	}
	if lock.Type == unix.F_UNLCK {
		return 0, nil
	}
	return int(lock.Pid), nil
}
