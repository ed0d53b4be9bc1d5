package deploy

import (
	"slices"
	"testing"
	"time"

	"icm/internal/wire"
)

func TestALongWaitIsToldWhenSomethingChangesAndOnceAMinute(t *testing.T) {
	var w waits
	var told []int
	for second := range 200 {
		seen := `status "starting"`
		if second >= 30 {
			seen = `status "recovering"`
		}
		if w.due(wire.Waiting{For: "for IRIS to be ready", Last: seen, Lasted: time.Duration(second) * time.Second, Left: time.Hour}) {
			told = append(told, second)
		}
	}
	if want := []int{10, 30, 90, 150}; !slices.Equal(told, want) {
		t.Errorf("told after %v seconds, want %v", told, want)
	}
	if !w.due(wire.Waiting{For: "for IRIS to be down", Lasted: tellAfter}) {
		t.Error("the next wait is not told")
	}
}

type heard []Event

func (h *heard) Report(ev Event) { *h = append(*h, ev) }

func TestAWaitOfTheAgentIsToldToTheOperator(t *testing.T) {
	var h heard
	f := follower{change: wire.Change{ID: "c", Tasks: []wire.Task{{ID: "1", Kind: "iris.start", Summary: "Start IRIS"}}}, report: &h, node: "n", begun: map[string]bool{}}
	w := wire.Waiting{For: "for IRIS to be ready", Last: `status "starting"`, Lasted: time.Minute, Left: time.Hour, Clears: "see messages.log"}
	for _, it := range []wire.Item{
		{Progress: &wire.Progress{Task: "1", Unit: "seconds", Waiting: &w}},
		{Event: &wire.Event{Task: "1", Status: wire.StatusWait, Line: "waiting for a mount; until 12:00:00"}},
	} {
		if err := f.item(it); err != nil {
			t.Fatal(err)
		}
	}
	var kinds []EventKind
	for _, ev := range h {
		kinds = append(kinds, ev.Kind)
	}
	if want := []EventKind{Moved, Waiting, Recorded, Waiting}; !slices.Equal(kinds, want) || h[1].Waiting == nil || h[3].Text != "for a mount; until 12:00:00" {
		t.Errorf("heard %+v", h)
	}
}
