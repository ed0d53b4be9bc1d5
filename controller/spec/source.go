package spec

import (
	"bytes"
	"sort"
	"unicode/utf8"
)

// source is a file that knows its lines.
type source struct {
	name   string
	data   []byte
	starts []int // offset of each line's first byte
	// seen is the last place asked for: a file may be one long line, whose
	// columns must not be counted from its start each time.
	seen struct{ line, at, column int }
}

func newSource(f File) *source {
	s := &source{name: f.Name, data: f.Data, starts: []int{0}}
	for i, b := range f.Data {
		if b == '\n' {
			s.starts = append(s.starts, i+1)
		}
	}
	return s
}

// position turns an offset into line and column; the column counts characters,
// as editors do.
func (s *source) position(at int) Position {
	at = min(max(at, 0), len(s.data))
	line := sort.SearchInts(s.starts, at+1) - 1
	start := s.starts[line]
	if line == 0 && at >= len(utf8BOM) && bytes.HasPrefix(s.data, utf8BOM) {
		start = len(utf8BOM) // editors do not show it
	}
	column := 1
	if s.seen.column > 0 && s.seen.line == line && s.seen.at <= at {
		start, column = s.seen.at, s.seen.column
	}
	if start < at {
		column += utf8.RuneCount(s.data[start:at])
	}
	s.seen.line, s.seen.at, s.seen.column = line, at, column
	return Position{File: s.name, Line: line + 1, Column: column}
}

var utf8BOM = []byte{0xEF, 0xBB, 0xBF}

// unreadable says why the file is no text that a parser could begin with.
func (s *source) unreadable() (Problem, bool) {
	whole := Position{File: s.name}
	switch {
	case bytes.HasPrefix(s.data, []byte{0xFF, 0xFE}), bytes.HasPrefix(s.data, []byte{0xFE, 0xFF}):
		return Problem{Pos: whole, Text: "the file is UTF-16", Hint: "save it as UTF-8"}, true
	case len(bytes.TrimSpace(bytes.TrimPrefix(s.data, utf8BOM))) == 0:
		return Problem{Pos: whole, Text: "the file is empty", Hint: "see docs/parameters.md for what belongs in it"}, true
	}
	if at, bad := invalidUTF8(s.data); bad {
		return Problem{Pos: s.position(at), Text: "this is not UTF-8 text", Hint: "save the file as UTF-8"}, true
	}
	return Problem{}, false
}

func invalidUTF8(data []byte) (at int, bad bool) {
	for at < len(data) {
		r, size := utf8.DecodeRune(data[at:])
		if r == utf8.RuneError && size <= 1 {
			return at, true
		}
		at += size
	}
	return 0, false
}
