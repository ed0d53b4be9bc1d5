package engine

import (
	"strings"
	"testing"
)

// sequences are programs of the mini language (see program), what is called,
// in this order, and where everything stands at the end.
var sequences = []struct{ program, calls, end string }{
	{"1 2 3", "do1 do2 do3", "1=done 2=done 3=done; done"},
	{"1 2 3:do-error 4", "do1 do2 do3 undo3 undo2 undo1",
		"1=undone 2=undone 3=undone 4=hold; undone: task 3 (Task 3): no luck"},
	{"1 2:do-error 3; hold", "do1 do2",
		"1=done 2=error 3=hold; error: task 2 (Task 2): no luck"},
	{"1:do-error", "do1 undo1", "1=undone; undone: task 1 (Task 1): no luck"},
	// A task without an undo has nothing to undo and keeps nobody waiting
	// (snapd 4259: undo of a task without a handler ignored the order).
	{"1 2:no-undo 3:do-error", "do1 do2 do3 undo3 undo1",
		"1=undone 2=undone 3=undone; undone: task 3 (Task 3): no luck"},
	{"1 2:no-undo,do-error", "do1 do2 undo1",
		"1=undone 2=error; undone: task 2 (Task 2): no luck"},
	// A failing undo does not keep the others from theirs.
	{"1 2:undo-error 3:do-error", "do1 do2 do3 undo3 undo2 undo1",
		"1=undone 2=error 3=undone; error: task 3 (Task 3): no luck; not undone: task 2 (Task 2): cannot take it back"},
	{"1 2:one-way 3:do-error", "do1 do2 do3 undo3 undo1",
		"1=undone 2=done 3=undone; error: task 3 (Task 3): no luck; not undone: task 2 (Task 2): there is no way back: data is deleted"},
	{"1 2:one-way,do-error", "do1 do2 undo1",
		"1=undone 2=error; error: task 2 (Task 2): no luck; not undone: task 2 (Task 2): there is no way back: data is deleted"},
	{"1 2:do-panic", "do1 do2 undo2 undo1",
		"1=undone 2=undone; undone: task 2 (Task 2): the agent made a mistake (please report it): oops at PLACE"},
	{"1:undo-panic 2:do-error", "do1 do2 undo2 undo1",
		"1=error 2=undone; error: task 2 (Task 2): no luck; not undone: task 1 (Task 1): the agent made a mistake (please report it): oops at PLACE"},
	{"", "", "; done"},
}

func TestSequences(t *testing.T) {
	for _, row := range sequences {
		t.Run(row.program, func(t *testing.T) {
			w := newWorld()
			s := start(t, t.TempDir(), w, Options{})
			s.mustSubmit(program(t, row.program))
			end := standing(s.finish("c"))
			if err := s.end(); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(w.calls, " "); got != row.calls {
				t.Errorf("called %s\n  want %s", got, row.calls)
			}
			if i := strings.Index(end, "world_test.go:"); i >= 0 {
				end = end[:i] + "PLACE" + strings.TrimLeft(end[i+len("world_test.go:"):], "0123456789")
			}
			if end != row.end {
				t.Errorf("ends as %s\n  want %s", end, row.end)
			}
		})
	}
}
