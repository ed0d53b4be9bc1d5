package iris

import (
	"context"
	"encoding/csv"
	"errors"
	"regexp"
	"strings"

	"icm/internal/wire"
)

// sql runs one statement in the SQL shell and answers with comma-separated
// rows below a line of column names.
func (n *Node) sql(ctx context.Context, in wire.Instance, req wire.SessionRequest) (wire.SessionReply, error) {
	// An empty line would switch the shell to its multi-line mode.
	statement := strings.Join(strings.Fields(strings.TrimRight(strings.TrimSpace(req.Code), ";")), " ")
	if quoted(req.Code) {
		statement = strings.ReplaceAll(strings.TrimRight(strings.TrimSpace(req.Code), ";"), "\n", " ")
	}
	out, err := n.converse(ctx, in, []string{"sql", in.Name, "-U", namespace(req)}, req, statement+"\nquit\n")
	if err != nil {
		return wire.SessionReply{}, err
	}
	text := strings.ReplaceAll(out.Stdout, "\r\n", "\n")
	if !strings.Contains(text, "SQL Command Line Shell") {
		return wire.SessionReply{}, n.explain(out, errors.New("the SQL shell did not begin"))
	}
	if e := sqlError(text); e != "" {
		return wire.SessionReply{Out: e, Err: out.Stderr, Exit: out.Exit, Failed: true}, nil
	}
	return wire.SessionReply{Out: sqlRows(text), Err: out.Stderr, Exit: out.Exit}, nil
}

// quoted reports whether blanks of a statement may matter.
func quoted(s string) bool { return strings.ContainsAny(s, `'"`) }

var sqlErrorLine = regexp.MustCompile(`(?m)^.*(\[SQLCODE: ?<.*|ERROR #[0-9]+.*)$`)

// sqlError returns what the shell complained of, or "".
func sqlError(text string) string {
	if m := sqlErrorLine.FindString(text); m != "" {
		return strings.TrimSpace(m)
	}
	return ""
}

var (
	sqlPrompt  = regexp.MustCompile(`^(\[SQL\])?[%A-Za-z][%A-Za-z0-9_-]*>>`)
	sqlTrailer = regexp.MustCompile(`^[0-9]+ Rows?(\(s\))? Affected`)
	sqlRule    = regexp.MustCompile(`^\|?( *:?-+:? *\|)+ *$`)
)

// sqlRows picks the result out of a shell's output. Recent kits print a table
// with bars, older ones columns with tabs; both print the statement again
// before it and a count after it.
func sqlRows(text string) string {
	var rows [][]string
	begun, echoed := false, false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		switch {
		case sqlPrompt.MatchString(line):
			begun = true // the statement, echoed or not, follows the prompt
			continue
		case !begun:
			continue
		case sqlTrailer.MatchString(line):
			return toCSV(rows)
		case !echoed && strings.HasPrefix(line, "1.\t"), !echoed && strings.HasPrefix(line, "1. "):
			echoed = true
			continue
		case strings.TrimSpace(line) == "":
			if len(rows) == 0 {
				echoed = true // the gap between the statement and its result
			}
			continue
		case sqlRule.MatchString(line):
			continue
		}
		rows = append(rows, sqlCells(line))
	}
	return toCSV(rows)
}

func sqlCells(line string) []string {
	if strings.HasPrefix(line, "|") && strings.HasSuffix(strings.TrimRight(line, " "), "|") {
		line = strings.TrimSuffix(strings.TrimPrefix(strings.TrimRight(line, " "), "|"), "|")
		cells := strings.Split(line, " | ")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		return cells
	}
	cells := strings.Split(line, "\t")
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	return cells
}

func toCSV(rows [][]string) string {
	var b strings.Builder
	w := csv.NewWriter(&b)
	_ = w.WriteAll(rows) // a strings.Builder takes everything
	return strings.TrimRight(b.String(), "\n")
}
