package remote

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestATailKeepsTheEndOfWhatWasSaidHoweverItCame(t *testing.T) {
	long := strings.Repeat("chatter\n", maxTail) + "the last line"
	for name, r := range map[string]io.Reader{
		"at once":            strings.NewReader(long),
		"in halves":          iotest.HalfReader(strings.NewReader(long)),
		"with its end at it": iotest.DataErrReader(strings.NewReader(long)),
	} {
		var kept tail
		n, err := io.Copy(&kept, r)
		if err != nil || n != int64(len(long)) {
			t.Errorf("%s: %d of %d bytes, %v", name, n, len(long), err)
		}
		if got := kept.String(); got != long[len(long)-maxTail:] {
			t.Errorf("%s: %d bytes are kept, ending in %q", name, len(got), got[max(0, len(got)-20):])
		}
	}
}

func TestATailKeepsWhatWasSaidBeforeTheLineBroke(t *testing.T) {
	broken := errors.New("broken")
	var kept tail
	_, err := io.Copy(&kept, io.MultiReader(strings.NewReader("last words"), iotest.ErrReader(broken)))
	if !errors.Is(err, broken) || kept.String() != "last words" {
		t.Errorf("kept %q, %v", kept.String(), err)
	}
}
