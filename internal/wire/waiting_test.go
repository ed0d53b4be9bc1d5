package wire

import (
	"testing"
	"time"
)

func TestAWaitIsToldWhole(t *testing.T) {
	now := time.Date(2024, 2, 29, 12, 0, 12, 0, time.Local)
	w := Waiting{For: "until the agent answers again", Last: "no answer", Lasted: 12 * time.Second, Left: 15 * time.Minute, Clears: "bring the node up"}
	want := "until the agent answers again; last seen: no answer; for 12s now, until 12:15:12 at the latest; bring the node up"
	if got := w.Sentence(now); got != want {
		t.Errorf("it says\n%s\nwant\n%s", got, want)
	}
	w.Last = ""
	want = "until the agent answers again; for 12s now, until 12:15:12 at the latest; bring the node up"
	if got := w.Sentence(now); got != want {
		t.Errorf("it says\n%s\nwant\n%s", got, want)
	}
}
