package engine

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"icm/internal/wire"
)

var errCrash = errors.New("killed")

// crashAt makes the journal behave as if the agent was killed at a record:
// before it, after it, or with the first bytes of it written.
func crashAt(n uint64, how string) func(FaultPoint) error {
	return func(p FaultPoint) error {
		if p.Seq != n || p.After != (how == "after") {
			return nil
		}
		if how == "torn" {
			if _, err := p.File.Write(p.Line[:len(p.Line)/2]); err != nil {
				return err
			}
		}
		return errCrash
	}
}

// outcome is all that must be the same, with crashes or without.
type outcome struct {
	end    string
	things map[string]string
}

func undisturbed(t testing.TB, dir string, c wire.Change) (outcome, uint64) {
	t.Helper()
	w := newWorld()
	s := start(t, dir, w, Options{})
	s.mustSubmit(c)
	end := standing(s.finish(c.ID))
	last, err := s.Events(t.Context(), 0, "", false, func(wire.Item) error { return nil })
	if err := errors.Join(err, s.end()); err != nil {
		t.Fatal(err)
	}
	return outcome{end, w.things}, last
}

// crashed runs a change with one crash after the other and then to its end.
func crashed(t testing.TB, dir string, c wire.Change, faults []func(FaultPoint) error) outcome {
	t.Helper()
	w := newWorld()
	for _, fault := range faults {
		s := start(t, dir, w, Options{Fault: fault})
		_, err := s.Submit(t.Context(), request(c))
		if err == nil {
			_, err = s.Events(t.Context(), 0, c.ID, true, func(wire.Item) error { return s.Check() })
		}
		if err != nil && !errors.Is(err, errCrash) {
			t.Fatal(err)
		}
		if err := s.end(); err != nil && !errors.Is(err, errCrash) {
			t.Fatal(err)
		}
	}
	s := start(t, dir, w, Options{})
	s.mustSubmit(c) // what a controller does that does not know how far it got
	end := standing(s.finish(c.ID))
	if err := s.end(); err != nil {
		t.Fatal(err)
	}
	return outcome{end, w.things}
}

func TestAChangeEndsTheSameWayWhereverTheAgentIsKilled(t *testing.T) {
	for _, text := range []string{"1 2 3", "1 2:undo-error 3:no-undo 4:do-error 5", "1 2:one-way 3:do-error 4; hold", "1:one-way 2:do-error"} {
		c := program(t, text)
		want, records := undisturbed(t, t.TempDir(), c)
		for n := uint64(1); n <= records; n++ {
			for _, how := range []string{"before", "torn", "after"} {
				got := crashed(t, t.TempDir(), c, []func(FaultPoint) error{crashAt(n, how)})
				if got.end != want.end || !maps.Equal(got.things, want.things) {
					t.Fatalf("%q killed %s record %d:\n got %v\nwant %v", text, how, n, got, want)
				}
			}
		}
	}
}

// anyProgram draws a program of the mini language.
func anyProgram(t *rapid.T) string {
	var words []string
	for i := range rapid.IntRange(0, 6).Draw(t, "tasks") {
		word := fmt.Sprint(i + 1)
		special := rapid.SampledFrom([]string{"", "", "", "do-error", "do-panic", "undo-error", "no-undo", "one-way",
			"do-error,undo-error", "no-undo,do-error", "one-way,do-error"}).Draw(t, "special")
		if special != "" {
			word += ":" + special
		}
		words = append(words, word)
	}
	if rapid.Bool().Draw(t, "hold") {
		return strings.Join(words, " ") + "; hold"
	}
	return strings.Join(words, " ")
}

func TestAnyProgramWithAnyCrashesEndsAsWithoutThem(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := program(t, anyProgram(rt))
		want, records := undisturbed(t, t.TempDir(), c)
		var faults []func(FaultPoint) error
		for range rapid.IntRange(1, 4).Draw(rt, "crashes") {
			n := rapid.Uint64Range(1, records+3).Draw(rt, "record")
			faults = append(faults, crashAt(n, rapid.SampledFrom([]string{"before", "torn", "after"}).Draw(rt, "how")))
		}
		dir := t.TempDir()
		got := crashed(t, dir, c, faults)
		if got.end != want.end || !maps.Equal(got.things, want.things) {
			rt.Fatalf("%q:\n got %v\nwant %v", c.Summary, got, want)
		}
		obeysArrows(rt, dir, c)
	})
}

// obeysArrows reads the journal as a stranger would and checks every move
// against the drawing in state.go.
func obeysArrows(t *rapid.T, dir string, c wire.Change) {
	at := map[string]wire.Status{"": wire.StatusDo}
	for _, task := range c.Tasks {
		at[task.ID] = wire.StatusDo
	}
	var seq uint64
	err := ReadJournal(dir, func(e wire.Event) error {
		if seq++; e.Seq != seq {
			return fmt.Errorf("event %d has number %d", seq, e.Seq)
		}
		if e.Status == "" || seq == 1 {
			return nil
		}
		arrows := taskArrows
		if e.Task == "" {
			arrows = changeArrows
		}
		if err := allowed(arrows, at[e.Task], e.Status, "task "+e.Task); err != nil {
			return err
		}
		at[e.Task] = e.Status
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
