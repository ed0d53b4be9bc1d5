package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
)

func names(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("node%03d", i)
	}
	return out
}

func TestNoMoreNodesThanAllowedAreWorkedOnAtATime(t *testing.T) {
	for _, parallel := range []int{1, 3, 0} {
		want := parallel
		if want == 0 {
			want = defaultParallel
		}
		var now, most, calls atomic.Int64
		full := make(chan struct{}) // closed when as many as allowed are at work
		err := forEach(t.Context(), names(200), parallel, func(context.Context, int, string) error {
			n := now.Add(1)
			defer now.Add(-1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			if calls.Add(1) == int64(want) {
				close(full)
			}
			<-full // it ends only if so many do run side by side
			return nil
		})
		if err != nil || calls.Load() != 200 || most.Load() != int64(want) {
			t.Errorf("parallel %d: %d calls, %d at a time, %v", parallel, calls.Load(), most.Load(), err)
		}
	}
}

func TestErrorsComeInTheOrderOfTheNodesWithTheirNamesOnce(t *testing.T) {
	boom := errors.New("boom")
	err := forEach(t.Context(), names(10), 4, func(_ context.Context, i int, node string) error {
		switch {
		case i == 3:
			return &NodeError{node, boom}
		case i%3 == 0:
			return fmt.Errorf("wrapped: %w", boom)
		}
		return nil
	})
	var nodes *NodeErrors
	if !errors.As(err, &nodes) || nodes.Done != 6 || !errors.Is(err, boom) {
		t.Fatalf("the error is %v", err)
	}
	var got []string
	for _, ne := range nodes.Errs {
		got = append(got, ne.Error())
	}
	want := []string{"node node000: wrapped: boom", "node node003: boom", "node node006: wrapped: boom", "node node009: wrapped: boom"}
	if !slices.Equal(got, want) {
		t.Errorf("they are %q", got)
	}
}

func TestACancelledFanOutBeginsNothingMore(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var begun atomic.Int64
	err := forEach(ctx, names(50), 2, func(context.Context, int, string) error {
		begun.Add(1)
		cancel()
		return nil
	})
	if !errors.Is(err, context.Canceled) || begun.Load() > 2 {
		t.Errorf("%d nodes were begun, %v", begun.Load(), err)
	}
	begun.Store(0)
	if err := forEach(ctx, names(50), 100, func(context.Context, int, string) error { begun.Add(1); return nil }); err == nil || begun.Load() != 0 {
		t.Errorf("%d nodes were begun after the cancellation, %v", begun.Load(), err)
	}
}
