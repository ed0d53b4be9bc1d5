package engine

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"icm/internal/wire"
)

// Whatever a journal's file holds, it is opened or refused in words that name
// the journal, and what was refused is left as it is. What was opened is what the
// file begins with, and goes on.
func FuzzJournal(f *testing.F) {
	whole := filepath.Join(f.TempDir(), "whole")
	writeJournal(f, whole, 4)
	data, err := os.ReadFile(whole)
	if err != nil {
		f.Fatal(err)
	}
	second := bytes.IndexByte(data, '\n') + 1
	for _, seed := range [][]byte{
		nil, data, data[:len(data)-3], data[second:], data[:second], []byte("\n\n"), []byte("00000000 {}\n"),
		slices.Concat(data, []byte("torn")), slices.Concat(data[:second], data), bytes.ReplaceAll(data, []byte("1"), []byte("2")),
		slices.Concat(data, make([]byte, 4096)), // a file system that gave the length and not the content
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) { opensOrSaysWhy(t, data) })
}

func opensOrSaysWhy(t *testing.T, data []byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "journal")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	j, lines, err := history(t, path)
	if err != nil {
		if !strings.Contains(err.Error(), "task journal") {
			t.Fatalf("refused without naming the journal: %v", err)
		}
		if after, _ := os.ReadFile(path); !bytes.Equal(after, data) {
			t.Fatal("the evidence was changed")
		}
		return
	}
	kept := data[:min(j.size, int64(len(data)))]
	if n := bytes.Count(kept, []byte("\n")); len(lines) > 0 && (!bytes.HasPrefix(data, kept) || n < len(lines)+1) {
		t.Fatalf("%d records were read from %d lines", len(lines), n)
	}
	rec := record{Event: wire.Event{Line: "goes on"}}
	if err := errors.Join(j.append(&rec), j.close()); err != nil {
		t.Fatal(err)
	}
	j, again, err := history(t, path)
	if err != nil || !slices.Equal(again, append(lines, "goes on")) {
		t.Fatalf("after %q it is %q, %v", lines, again, err)
	}
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
}

// A flipped bit is noticed wherever it is: the record it is in, and those after
// it, are never read as something else.
func TestAFlippedBitIsNoticedWhereverItIs(t *testing.T) {
	dir := t.TempDir()
	whole := filepath.Join(dir, "whole")
	writeJournal(t, whole, 3)
	data, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	_, all, err := history(t, whole)
	if err != nil {
		t.Fatal(err)
	}
	lastTwo := bytes.LastIndexByte(data[:bytes.LastIndexByte(data[:len(data)-1], '\n')], '\n') + 1
	path := filepath.Join(dir, "flipped")
	for bit := range len(data) * 8 {
		flipped := bytes.Clone(data)
		flipped[bit/8] ^= 1 << (bit % 8)
		if err := os.WriteFile(path, flipped, 0o600); err != nil {
			t.Fatal(err)
		}
		j, lines, err := history(t, path)
		if err != nil {
			if !strings.Contains(err.Error(), "at byte ") {
				t.Fatalf("bit %d: the error names no place: %v", bit, err)
			}
			continue
		}
		// Only what looks like the torn end of the file may be left out.
		if bit/8 < lastTwo || len(lines) == len(all) || !slices.Equal(lines, all[:len(lines)]) {
			t.Fatalf("bit %d was not noticed: %q", bit, lines)
		}
		if err := j.close(); err != nil {
			t.Fatal(err)
		}
	}
}
