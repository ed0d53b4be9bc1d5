package hint

import (
	"errors"
	"fmt"
	"io"
	"testing"
)

func TestAHintTravelsBesideItsError(t *testing.T) {
	err := fmt.Errorf("cannot read kit: %w", New(io.ErrUnexpectedEOF, "fetch it again"))
	if got := err.Error(); got != "cannot read kit: unexpected EOF" {
		t.Errorf("the hint shows in the error text: %q", got)
	}
	if got := Of(err); got != "fetch it again" {
		t.Errorf("Of = %q", got)
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error("the error below the hint is hidden")
	}
}

func TestNoErrorHasNoHint(t *testing.T) {
	if err := New(nil, "x"); err != nil {
		t.Errorf("New(nil) = %v", err)
	}
	if got := Of(io.EOF); got != "" {
		t.Errorf("Of = %q", got)
	}
}
