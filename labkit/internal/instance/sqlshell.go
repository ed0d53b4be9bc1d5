package instance

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"icm/labkit/internal/script"
)

// literals splits 'a',1,NULL into values.
func literals(text string) ([]string, error) {
	var out []string
	for rest := strings.TrimSpace(text); ; {
		var value string
		if strings.HasPrefix(rest, "'") {
			end := 1
			for ; end < len(rest); end++ {
				if rest[end] == '\'' {
					if end+1 < len(rest) && rest[end+1] == '\'' {
						end++
						continue
					}
					break
				}
			}
			if end >= len(rest) {
				return nil, &sqlError{-1, "Invalid SQL statement: open quote"}
			}
			value, rest = strings.ReplaceAll(rest[1:end], "''", "'"), strings.TrimSpace(rest[end+1:])
		} else {
			end := strings.IndexByte(rest+",", ',')
			value, rest = strings.TrimSpace(rest[:end]), rest[end:]
			if strings.EqualFold(value, "null") {
				value = ""
			} else if _, err := strconv.ParseFloat(value, 64); err != nil {
				return nil, &sqlError{-29, "Field not found in the applicable tables^" + value}
			}
		}
		out = append(out, value)
		next, more := strings.CutPrefix(rest, ",")
		if !more {
			if rest != "" {
				return nil, &sqlError{-25, "Input encountered after end of query"}
			}
			return out, nil
		}
		rest = strings.TrimSpace(next)
	}
}

func sqlExecute(i *Instance, s *script.Session, a args) (string, error) {
	_, err := i.execSQL(s.NS, a.text(0))
	return status(err)
}

// sql is the shell of "iris sql".
func (c *conversation) sql() {
	s, ok := c.open()
	if !ok {
		return
	}
	io.WriteString(c, "SQL Command Line Shell (stand-in)\n----------------------------------------------------\n\n"+
		"The command prefix is currently set to: <<nothing>>.\nEnter <command>, 'q' to quit, '?' for help.\n")
	multi, lines, number := false, []string(nil), 0
	for {
		fmt.Fprintf(c, "[SQL]%s>>", s.NS)
		line, ok := c.line()
		if !ok {
			break
		}
		word := strings.ToLower(strings.TrimSpace(line))
		switch {
		case !multi && word == "":
			multi, lines = true, nil
			io.WriteString(c, "<< entering multiline statement mode, 'GO' to execute >>\n")
			continue
		case !multi && (word == "q" || word == "quit" || word == "exit"):
			c.exit(0)
			return
		case multi && word != "go":
			lines = append(lines, line)
			continue
		case multi:
			line, multi = strings.Join(lines, " "), false
		}
		number++
		c.runSQL(s.NS, number, strings.TrimSpace(line))
	}
	c.exit(0)
}

func (c *conversation) runSQL(ns string, number int, stmt string) {
	fmt.Fprintf(c, "%d.\t%s\n\n", number, stmt)
	r, err := c.i.execSQL(ns, stmt)
	if err != nil {
		fmt.Fprintf(c, "%v\n", err)
	} else if c.i.rel.NewSQL() {
		c.printBars(r)
	} else {
		c.printTabs(r)
	}
	io.WriteString(c, strings.Repeat("-", 75)+"\n")
}

func (c *conversation) printBars(r result) {
	if len(r.columns) > 0 {
		fmt.Fprintf(c, "| %s |\n|%s\n", strings.Join(r.columns, " | "), strings.Repeat(" -- |", len(r.columns)))
	}
	for _, row := range r.rows {
		fmt.Fprintf(c, "| %s |\n", strings.Join(row, " | "))
	}
	fmt.Fprintf(c, "\n%d Rows(s) Affected\nstatement prepare time(s)/globals/cmds/disk: 0.0010s/10/100/0ms\n"+
		"          execute time(s)/globals/cmds/disk: 0.0001s/10/100/0ms\n                                query class: %%sqlcq.standin.cls1\n", r.count)
}

func (c *conversation) printTabs(r result) {
	if len(r.columns) > 0 {
		fmt.Fprintln(c, strings.Join(r.columns, "\t"))
	}
	for _, row := range r.rows {
		fmt.Fprintln(c, strings.Join(row, "\t"))
	}
	fmt.Fprintf(c, "\n%d Rows(s) Affected\nstatement prepare time(s)/globals/lines/disk: 0.0010s/10/100/0ms\n"+
		"          execute time(s)/globals/lines/disk: 0.0001s/10/100/0ms\n                          cached query class: %%sqlcq.standin.cls1\n", r.count)
}
