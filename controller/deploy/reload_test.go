package deploy

import (
	"errors"
	"fmt"
	"testing"

	"icm/controller/remote"
)

func TestAPortThatIsClosedForAMomentIsTriedAgain(t *testing.T) {
	tries := 0
	got, err := overReload(t.Context(), func() (string, error) {
		if tries++; tries < 3 {
			return "", fmt.Errorf("x: %w", remote.ErrRefused)
		}
		return "in", nil
	})
	if got != "in" || err != nil || tries != 3 {
		t.Errorf("%q, %v after %d tries", got, err, tries)
	}
}

func TestWhatIsNoClosedPortIsTriedOnce(t *testing.T) {
	for _, why := range []error{remote.ErrAuth, remote.ErrUnreachable, remote.ErrHostKey} {
		tries := 0
		_, err := overReload(t.Context(), func() (int, error) { tries++; return 0, why })
		if tries != 1 || !errors.Is(err, why) {
			t.Errorf("%v: %d tries, %v", why, tries, err)
		}
	}
}
