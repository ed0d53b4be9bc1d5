package spec

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// String is "definitions.json:12:5: what is wrong"; the hint is apart.
func (p Problem) String() string {
	if at := p.Pos.String(); at != "" {
		return at + ": " + p.Text
	}
	return p.Text
}

// String is "definitions.json:12:5", the file alone, or nothing.
func (p Position) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// String is one problem a line, without the hints.
func (ps Problems) String() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Err is nil when there are no problems.
func (ps Problems) Err() error {
	if len(ps) == 0 {
		return nil
	}
	return problemsError{ps}
}

type problemsError struct{ problems Problems }

func (e problemsError) Error() string { return e.problems.String() }

// sorted is the order of reading: defaults file, definitions file, options.
func (ps Problems) sorted(in Input) Problems {
	rank := func(file string) int { return slices.Index([]string{"", in.Defaults.Name, in.Definitions.Name}, file) }
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(
			cmp.Compare(rank(a.Pos.File), rank(b.Pos.File)),
			cmp.Compare(a.Pos.Line, b.Pos.Line),
			cmp.Compare(a.Pos.Column, b.Pos.Column))
	})
	return slices.Compact(ps) // a field of the defaults file is looked at by every entry
}
