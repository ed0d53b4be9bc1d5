package engine

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"icm/internal/wire"
)

// tornAt makes the journal behave as if the agent was killed with k bytes of
// record n written, and tells how long the record is.
func tornAt(n uint64, k int, length *int) func(FaultPoint) error {
	return func(p FaultPoint) error {
		if p.Seq != n || p.After {
			return nil
		}
		*length = len(p.Line)
		if _, err := p.File.Write(p.Line[:min(k, len(p.Line))]); err != nil {
			return err
		}
		return errCrash
	}
}

// inMemory is a directory that is synced at no cost, for tests that would
// otherwise tell of this machine's disk.
func inMemory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "icm-engine-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// everyNth is the sample of records that are torn at every byte.
const everyNth = 6

func TestAChangeEndsTheSameWayWhereverARecordIsTorn(t *testing.T) {
	c := program(t, "1 2:undo-error 3:no-undo 4:do-error 5")
	want, records := undisturbed(t, inMemory(t), c)
	for n := uint64(2); n <= records; n += everyNth {
		length := 1
		for k := 0; k <= length; k++ {
			got := crashed(t, inMemory(t), c, []func(FaultPoint) error{tornAt(n, k, &length)})
			if got.end != want.end || !maps.Equal(got.things, want.things) {
				t.Fatalf("record %d torn after %d of %d bytes:\n got %v\nwant %v", n, k, length, got, want)
			}
		}
		if length < 20 {
			t.Errorf("record %d was not torn at every byte: it has %d", n, length)
		}
	}
}

// No task escapes the undo of its change, whenever that begins (snapd 3796: a
// task that ran beside the failing one stayed done), and whatever could not be
// undone blocks nobody.
func TestNoTaskEscapesTheUndoOfItsChange(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := anyProgram(rt)
		c := program(t, text)
		_, records := undisturbed(t, inMemory(t), c)
		at := rapid.Uint64Range(1, records).Draw(rt, "aborted at")
		reached := make(chan struct{})
		w := newWorld()
		s := start(t, inMemory(t), w, Options{Fault: func(p FaultPoint) error {
			if p.Seq == at && p.After {
				close(reached)
			}
			return nil
		}})
		s.mustSubmit(c)
		<-reached // and then at any moment: the change runs on meanwhile
		if _, err := s.Abort(t.Context(), wire.AbortRequest{Fence: ourFence, Change: c.ID}); err != nil {
			rt.Fatal(err)
		}
		end := s.finish(c.ID)
		next := program(t, "1")
		next.ID, next.Tasks[0].ID = "next", "of the next"
		s.mustSubmit(next)
		if got := s.finish(next.ID).Status; got != wire.StatusDone {
			rt.Errorf("%q was aborted, and the next change is %s", text, got)
		}
		if err := s.end(); err != nil {
			rt.Fatal(err)
		}
		nothingEscaped(rt, text, end, w)
	})
}

// nothingEscaped checks that each task was undone, or that the change says why
// not.
func nothingEscaped(t *rapid.T, text string, end wire.ChangeState, w *world) {
	kinds := w.kinds()
	words := strings.Fields(strings.TrimSuffix(text, "; hold"))
	for _, task := range end.Tasks {
		word := words[slices.IndexFunc(words, func(word string) bool { return word == task.ID || strings.HasPrefix(word, task.ID+":") })]
		k := kinds["both"]
		for _, special := range []string{"no-undo", "one-way"} {
			if strings.Contains(word, special) {
				k = kinds[special]
			}
		}
		thing, touched := w.things[task.ID]
		switch {
		case task.Status == wire.StatusHold:
			if touched {
				t.Errorf("%q: task %s never began, and made something %s", text, task.ID, thing)
			}
		case k.OneWay != "" || strings.Contains(word, "undo-error"):
			if touched && !strings.Contains(end.Error, "task "+task.ID+" ") {
				t.Errorf("%q: task %s is not undone, and the change does not say so: %s", text, task.ID, standing(end))
			}
		case k.Undo == nil:
		case touched && thing != "gone":
			t.Errorf("%q: task %s escaped the undo: %s; %s", text, task.ID, thing, standing(end))
		}
	}
	if !end.Status.Ended() {
		t.Errorf("%q stands as %s", text, standing(end))
	}
}
