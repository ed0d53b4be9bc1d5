package engine

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"icm/internal/wire"
)

func writeJournal(t testing.TB, path string, n int) {
	t.Helper()
	j, err := openJournal(path, func(record, int64) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		rec := record{Event: wire.Event{Change: "c", Line: fmt.Sprintf("line %d, with \n in it", i)}}
		if err := j.append(&rec); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
}

// history opens a journal and returns the lines in it.
func history(t *testing.T, path string) (*journal, []string, error) {
	t.Helper()
	var lines []string
	j, err := openJournal(path, func(rec record, _ int64) error {
		lines = append(lines, rec.Line)
		return nil
	})
	return j, lines, err
}

func TestAJournalCutAtAnyByteIsAPrefixOfTheHistoryAndGoesOn(t *testing.T) {
	dir := t.TempDir()
	whole := filepath.Join(dir, "whole")
	writeJournal(t, whole, 6)
	data, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	_, all, err := history(t, whole)
	if err != nil || len(all) != 6 {
		t.Fatalf("the whole history is %q, %v", all, err)
	}
	for cut := range len(data) + 1 {
		path := filepath.Join(dir, "cut")
		if err := os.WriteFile(path, data[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		j, got, err := history(t, path)
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		want := max(0, bytes.Count(data[:cut], []byte("\n"))-1)
		if len(got) != want || strings.Join(got, "|") != strings.Join(all[:want], "|") {
			t.Fatalf("cut at %d: history is %q, want the first %d records", cut, got, want)
		}
		rec := record{Event: wire.Event{Line: "after the crash"}}
		if err := errors.Join(j.append(&rec), j.close()); err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		if rec.Seq != uint64(want)+1 {
			t.Fatalf("cut at %d: the next record has number %d, want %d", cut, rec.Seq, want+1)
		}
		j, got, err = history(t, path)
		if err != nil || len(got) != want+1 || got[want] != "after the crash" {
			t.Fatalf("cut at %d: after going on, history is %q, %v", cut, got, err)
		}
		if err := j.close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDamageBeforeTheLastLineIsAnErrorThatNamesThePlace(t *testing.T) {
	dir := t.TempDir()
	whole := filepath.Join(dir, "whole")
	writeJournal(t, whole, 4)
	data, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	lastLine := bytes.LastIndexByte(data[:len(data)-1], '\n') + 1
	for at := range data {
		path := filepath.Join(dir, "damaged")
		damaged := bytes.Clone(data)
		damaged[at] ^= 0x01
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		j, got, err := history(t, path)
		if at >= lastLine-1 { // cannot be told from a torn write
			want := 3
			if at == lastLine-1 {
				want = 2 // the last two lines have become one
			}
			if err != nil || len(got) != want {
				t.Fatalf("byte %d of the last line damaged: %q, %v", at, got, err)
			}
			if err := j.close(); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), "at byte ") {
			t.Fatalf("byte %d damaged: the error is %v", at, err)
		}
		if after, _ := os.ReadFile(path); !bytes.Equal(after, damaged) {
			t.Fatalf("byte %d damaged: the evidence was changed", at)
		}
	}
}

func TestAJournalOfANewerAgentIsRefusedInWords(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	body := []byte(`{"seq":0,"format":2,"something":"new"}`)
	line := fmt.Appendf(nil, "%08x %s\n", checksum(body), body)
	if err := os.WriteFile(path, line, 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, err := history(t, path)
	if !errors.Is(err, errNewer) || !strings.Contains(err.Error(), "format is 2, this agent reads up to 1") {
		t.Fatalf("the error is %v", err)
	}
}

func TestNumbersGoOnAfterCompaction(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	writeJournal(t, path, 5)
	var at int64
	j, err := openJournal(path, func(rec record, offset int64) error {
		if rec.Seq == 4 {
			at = offset
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := j.compact(3, at); err != nil {
		t.Fatal(err)
	}
	rec := record{Event: wire.Event{Line: "next"}}
	if err := errors.Join(j.append(&rec), j.close()); err != nil {
		t.Fatal(err)
	}
	var seqs []uint64
	j, err = openJournal(path, func(rec record, _ int64) error { seqs = append(seqs, rec.Seq); return nil })
	if err != nil || fmt.Sprint(seqs) != "[4 5 6]" || j.base != 3 {
		t.Fatalf("numbers are %v after %d, %v", seqs, j.base, err)
	}
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
}

func TestAfterAFailedWriteTheRecordIsNotHalfThereAndNoneFollows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	writeJournal(t, path, 2)
	j, _, err := history(t, path)
	if err != nil {
		t.Fatal(err)
	}
	whole := j.file
	if j.file, err = os.Open(path); err != nil { // not writable
		t.Fatal(err)
	}
	if err := j.append(&record{}); err == nil {
		t.Fatal("a write to a file that cannot be written worked")
	}
	first := j.err
	if err := errors.Join(j.file.Close()); err != nil {
		t.Fatal(err)
	}
	j.file = whole
	if err := j.append(&record{}); !errors.Is(err, first) {
		t.Fatalf("a record after the failure gave %v", err)
	}
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
	if _, got, err := history(t, path); err != nil || len(got) != 2 {
		t.Fatalf("history is %q, %v", got, err)
	}
}
