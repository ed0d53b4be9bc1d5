package await

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestAWaitEndsWhenTheConditionHolds(t *testing.T) {
	looks := 0
	err := Until(t.Context(), "the third look", time.Minute, func() (bool, string, error) {
		looks++
		return looks == 3, "", nil
	})
	if err != nil || looks != 3 {
		t.Fatalf("Until = %v after %d looks, want nil after 3", err, looks)
	}
}

func TestAWaitThatFailsSaysWhatWasSeenLast(t *testing.T) {
	err := Until(t.Context(), "the sun", time.Millisecond, func() (bool, string, error) {
		return false, "rain", nil
	})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("Until = %v, want a deadline error", err)
	}
	for _, want := range []string{"waiting for the sun", "last seen: rain"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
}

func TestAnErrorOfTheConditionEndsTheWait(t *testing.T) {
	broken := errors.New("broken")
	err := Until(t.Context(), "nothing", time.Minute, func() (bool, string, error) { return false, "", broken })
	if !errors.Is(err, broken) {
		t.Fatalf("Until = %v, want the condition's own error", err)
	}
}
