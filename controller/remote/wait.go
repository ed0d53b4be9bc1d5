package remote

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"icm/internal/hint"
)

// Wait says how long to wait for a node, and what for.
type Wait struct {
	// For is the deadline; 0 tries once.
	For time.Duration
	// Auth waits for a refused login too: right for a node that boots for the
	// first time and gets its key from cloud-init, wrong for any other.
	Auth bool
	// Told is told before every pause what is waited for and what was seen last.
	Told func(Waiting)
	// Pause is the first pause, which then grows to ten times itself; 0 is 1 s.
	Pause time.Duration
}

// Waiting is one look of a wait that was not over yet.
type Waiting struct {
	Name   string        // what is waited for
	Last   string        // what was seen last
	Lasted time.Duration // so far
	Left   time.Duration // until it is given up
	Clears string        // what would end it
}

// DialUntilUp dials until it works, until waiting does not help, or until the
// wait is over. The last try's error is in the error.
func (d *Dialer) DialUntilUp(ctx context.Context, t Target, w Wait) (*Conn, error) {
	return retry(ctx, w, "SSH login works", func(ctx context.Context) (*Conn, error) { return d.Dial(ctx, t) })
}

// retry calls try until it works, waiting does not help or w is over.
func retry[T any](ctx context.Context, w Wait, name string, try func(context.Context) (T, error)) (T, error) {
	deadline := time.Now().Add(w.For)
	pause := orDefault(w.Pause, time.Second)
	longest := 10 * pause
	for {
		got, err := try(ctx)
		left := time.Until(deadline)
		switch {
		case err == nil, w.For == 0, !w.goesOn(err), ctx.Err() != nil:
			return got, err
		case left <= 0:
			return got, fmt.Errorf("waited %s: %w", w.For, err)
		}
		if w.Told != nil {
			w.Told(Waiting{Name: name, Last: err.Error(), Lasted: w.For - left, Left: left, Clears: clears(err)})
		}
		if err := sleep(ctx, min(jitter(pause), left)); err != nil {
			return got, err
		}
		pause = min(pause*3/2, longest)
	}
}

func (w Wait) goesOn(err error) bool {
	return WaitingHelps(err) || w.Auth && errors.Is(err, ErrAuth)
}

// clears says what would end a wait: what the error itself advises, if it does.
func clears(err error) string {
	if h := hint.Of(err); h != "" {
		return h
	}
	return "bring the node, its network and its sshd up"
}

// jitter keeps two hundred nodes that failed together from being tried
// together again.
func jitter(d time.Duration) time.Duration {
	return d*7/10 + time.Duration(rand.Int64N(int64(d)*6/10+1))
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
