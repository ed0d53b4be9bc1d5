package cli

import (
	"fmt"
	"io"
	"strings"
)

// table prints rows in columns under a header, in the guide's form. Columns
// are as wide as their widest cell; nothing trails.
func table(w io.Writer, header []string, rows [][]string) {
	width := make([]int, len(header))
	rule := make([]string, len(header))
	for i, h := range header {
		width[i] = len(h)
		rule[i] = strings.Repeat("-", len(h))
	}
	for _, r := range rows {
		for i, cell := range r {
			width[i] = max(width[i], len(cell))
		}
	}
	for _, r := range append([][]string{header, rule}, rows...) {
		line := ""
		for i, cell := range r {
			line += fmt.Sprintf("%-*s", width[i]+3, cell)
		}
		fmt.Fprintln(w, strings.TrimRight(line, " "))
	}
}

// table prints a table of the answer.
func (c *console) table(header []string, rows [][]string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.live != nil {
		c.live.clear()
	}
	table(c.out, header, rows)
}
