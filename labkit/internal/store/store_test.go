package store

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func newSet(t *testing.T) (*Set, *DB, string) {
	t.Helper()
	dir, jdir := t.TempDir(), t.TempDir()
	if err := Create(dir, 2); err != nil {
		t.Fatal(err)
	}
	s := NewSet(&Journal{Dir: jdir, Format: 2})
	if err := s.Journal.Start(); err != nil {
		t.Fatal(err)
	}
	db, err := s.Mount(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, db, jdir
}

func TestWhatWasAcknowledgedIsThereAfterTheFileIsCutAnywhere(t *testing.T) {
	s, db, jdir := newSet(t)
	for i := range 5 {
		if _, err := s.SetValue(db, Key("a", fmt.Sprint(i)), "v"); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Kill(db, Key("a", "2")); err != nil {
		t.Fatal(err)
	}
	want, _ := Verify(db.Dir)
	s.Close()
	whole, _ := os.ReadFile(datPath(db.Dir))
	for cut := headerSize; cut <= len(whole); cut++ {
		if err := os.WriteFile(datPath(db.Dir), whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		again := NewSet(&Journal{Dir: jdir, Format: 2})
		if _, err := again.Mount(db.Dir); err != nil {
			t.Fatal(err)
		}
		if _, err := again.Recover(); err != nil {
			t.Fatal(err)
		}
		again.Close()
		if got, _ := Verify(db.Dir); got != want {
			t.Fatalf("cut at %d: %+v, want %+v", cut, got, want)
		}
	}
}

func TestOlderFilesAreConvertedAndNewerOnesRefused(t *testing.T) {
	s, db, jdir := newSet(t)
	if _, err := s.SetValue(db, Key("a"), "v"); err != nil {
		t.Fatal(err)
	}
	before, _ := Verify(db.Dir)
	s.Close()
	newer, err := Open(db.Dir, 3)
	if err != nil {
		t.Fatal(err)
	}
	newer.Close()
	after, _ := Verify(db.Dir)
	if after.Format != 3 || after.Digest != before.Digest {
		t.Errorf("conversion gave %+v from %+v", after, before)
	}
	var tooNew *FormatError
	if _, err := Open(db.Dir, 2); !errors.As(err, &tooNew) {
		t.Errorf("a newer database was opened: %v", err)
	}
	if _, err := (&Journal{Dir: jdir, Format: 1}).Replay(func(Record) error { return nil }); !errors.As(err, &tooNew) {
		t.Errorf("a newer journal was replayed: %v", err)
	}
}

func TestLostCountsWhatOnlyTheJournalHas(t *testing.T) {
	s, db, jdir := newSet(t)
	for i := range 3 {
		if _, err := s.SetValue(db, Key("a", fmt.Sprint(i)), "v"); err != nil {
			t.Fatal(err)
		}
	}
	if lost, err := Lost(db.Dir, jdir); err != nil || lost != 0 {
		t.Fatalf("lost %d, %v", lost, err)
	}
	if err := os.Truncate(datPath(db.Dir), headerSize); err != nil {
		t.Fatal(err)
	}
	if lost, err := Lost(db.Dir, jdir); err != nil || lost != 3 {
		t.Errorf("lost %d, %v; want 3", lost, err)
	}
}

func TestMirroredRecordsCanBeSentAgain(t *testing.T) {
	s, db, _ := newSet(t)
	_, copyDB, _ := newSet(t)
	other := NewSet(&Journal{Dir: t.TempDir(), Format: 2})
	if err := other.Journal.Start(); err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		if _, err := s.SetValue(db, Key("a", fmt.Sprint(i)), "v"); err != nil {
			t.Fatal(err)
		}
	}
	recs, err := db.Since(0, 100)
	if err != nil || len(recs) != 4 {
		t.Fatalf("%d records, %v", len(recs), err)
	}
	for range 2 {
		if err := other.Receive(copyDB, append([]Record(nil), recs...)); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(db.digest(), copyDB.digest()); diff != "" {
		t.Error(diff)
	}
}

func TestKeysCollateNumbersBeforeStrings(t *testing.T) {
	order := []string{"-10", "-1.5", "0", ".5", "2", "10", "1e3", "a", "b"}
	for i := range order[1:] {
		if Key("g", order[i]) >= Key("g", order[i+1]) {
			t.Errorf("%s does not sort before %s", order[i], order[i+1])
		}
	}
}

func TestSubscriptsComeBackFromKeys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sub := rapid.OneOf(rapid.StringN(1, 20, -1), rapid.Map(rapid.IntRange(-1e6, 1e6), func(i int) string { return fmt.Sprint(i) })).Draw(t, "sub")
		prefix := Key("g", "x")
		got, _, ok := FirstSub(Key("g", "x", sub, "below"), prefix)
		if !ok || got != sub {
			t.Fatalf("%q came back as %q, %v", sub, got, ok)
		}
	})
}
