// Package await waits for conditions. Every wait has a name, a predicate, the
// value last seen and a deadline, so that a wait that failed can say what was
// missing.
package await

import (
	"context"
	"fmt"
	"time"
)

// Condition looks once. seen is what it found, for the error text. An error
// ends the wait: looking again would not help.
type Condition func() (done bool, seen string, err error)

// firstPause and maxPause bound how often a condition is looked at: often
// while the answer is likely to come soon, seldom when it takes longer.
const (
	firstPause = 5 * time.Millisecond
	maxPause   = 200 * time.Millisecond
)

// Until looks at condition until it holds, ctx ends or limit has passed. what
// completes the sentence "waiting for …".
func Until(ctx context.Context, what string, limit time.Duration, condition Condition) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for pause := firstPause; ; pause = min(pause*2, maxPause) {
		done, seen, err := condition()
		if err != nil || done {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w while waiting for %s; last seen: %s", ctx.Err(), what, seen)
		case <-time.After(pause):
		}
	}
}
