package state

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestAnOperationIsRecorded(t *testing.T) {
	d := testDir(t)
	o := operation(t, d, "install", "icm", "install", "-iscPassword", "canary", "-SSHPassword=canary", "-kitURL=https://u:canary@k.example/k")
	if err := o.Plan(map[string]int{"stages": 3}); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if err := o.Event(map[string]int{"n": i}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if r := read(t, d, o.ID()); r.State != Running || len(r.Events) != 20 {
		t.Errorf("before its end it is %s with %d events", r.State, len(r.Events))
	}
	if err := o.Finish(Outcome{State: Partial, Exit: 4}, time.Now()); err != nil {
		t.Fatal(err)
	}
	r := read(t, d, o.ID())
	if r.State != Partial || r.Outcome.Exit != 4 || !bytes.Contains(r.Plan, []byte(`"stages": 3`)) || r.Meta.Runs[0].PID != os.Getpid() {
		t.Errorf("it is recorded as %+v", r)
	}
	if argv := strings.Join(r.Meta.Argv, " "); argv != "icm install -iscPassword ***** -SSHPassword=***** -kitURL=https://k.example/k" {
		t.Errorf("argv is recorded as %s", argv)
	}
	if err := o.Event("late"); err == nil {
		t.Error("an event after the end is no error")
	}
}

func TestIDsSortByTimeAlsoWhenTheClockGoesBack(t *testing.T) {
	d := testDir(t)
	now := time.Now()
	var ids []string
	for _, shift := range []time.Duration{0, 0, time.Hour, -time.Hour, 0} {
		o, err := d.NewOperation("stop", nil, now.Add(shift))
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, o.ID())
		if err := o.Finish(Outcome{State: Done}, now); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.IsSorted(ids) || len(slices.Compact(slices.Clone(ids))) != len(ids) {
		t.Errorf("ids are %v", ids)
	}
	ops, err := d.ListOperations()
	if err != nil || len(ops) != len(ids) {
		t.Errorf("%d operations are listed, %v", len(ops), err)
	}
}

func TestARecordCutAnywhereIsAPrefixAndGoesOn(t *testing.T) {
	d := testDir(t)
	o := operation(t, d, "install")
	for i := range 3 {
		if err := o.Event(map[string]string{"line": fmt.Sprint("number ", i)}); err != nil {
			t.Fatal(err)
		}
	}
	whole, err := os.ReadFile(eventsPath(o.Dir()))
	if err != nil {
		t.Fatal(err)
	}
	for cut := range len(whole) + 1 {
		if err := os.WriteFile(eventsPath(o.Dir()), whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		lines := bytes.Count(whole[:cut], []byte("\n"))
		if got := len(read(t, d, o.ID()).Events); got != lines {
			t.Fatalf("cut at byte %d: %d events, want %d", cut, got, lines)
		}
		again, err := d.ResumeOperation(o.ID(), time.Now())
		if err != nil {
			t.Fatalf("cut at byte %d: %v", cut, err)
		}
		if err := again.Event("on"); err != nil {
			t.Fatal(err)
		}
		if got := len(read(t, d, o.ID()).Events); got != lines+1 {
			t.Fatalf("cut at byte %d and resumed: %d events, want %d", cut, got, lines+1)
		}
	}
}

func TestAnAlteredRecordIsNoticed(t *testing.T) {
	for name, test := range map[string]struct {
		alter func([]byte) []byte
		want  string
	}{
		"a word changed":     {func(b []byte) []byte { return bytes.Replace(b, []byte("number 1"), []byte("number 9"), 1) }, "line 3, or the one before it, was altered"},
		"the last changed":   {func(b []byte) []byte { return bytes.Replace(b, []byte("number 2"), []byte("number 9"), 1) }, "was altered"},
		"a line dropped":     {func(b []byte) []byte { return append(line(b, 0), line(b, 2)...) }, "line 2, or the one before it, was altered"},
		"the last dropped":   {func(b []byte) []byte { return append(line(b, 0), line(b, 1)...) }, "it had 3 events when it ended, now it has 2"},
		"two lines swapped":  {func(b []byte) []byte { return slices.Concat(line(b, 1), line(b, 0), line(b, 2)) }, "line 1, or the one before it, was altered"},
		"garbage in between": {func(b []byte) []byte { return slices.Concat(line(b, 0), []byte("x\n"), line(b, 1), line(b, 2)) }, "line 2 is damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			d := testDir(t)
			o := operation(t, d, "install")
			for i := range 3 {
				if err := o.Event(fmt.Sprint("number ", i)); err != nil {
					t.Fatal(err)
				}
			}
			if err := o.Finish(Outcome{State: Done}, time.Now()); err != nil {
				t.Fatal(err)
			}
			data, err := os.ReadFile(eventsPath(o.Dir()))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(eventsPath(o.Dir()), test.alter(data), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := d.OpenOperation(o.ID()); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %v", err)
			}
		})
	}
}

func line(b []byte, n int) []byte { return slices.Clone(bytes.SplitAfter(b, []byte("\n"))[n]) }

func operation(t *testing.T, d *Dir, verb string, argv ...string) *Operation {
	t.Helper()
	o, err := d.NewOperation(verb, argv, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func read(t *testing.T, d *Dir, id string) *Recorded {
	t.Helper()
	r, err := d.OpenOperation(id)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
