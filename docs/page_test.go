// Package docs_test compares the documents with the code: links, commands and
// their options, fields, make targets, names of functions, error texts, tables.
// What is written there cannot go stale unnoticed.
package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// page is a document, taken apart.
type page struct {
	path  string // from the top of the source: "docs/tour.md"
	text  string
	prose string // without the blocks of code, one line per line
	codes []block
}

// block is a block of code, with what stands behind its fence.
type block struct{ info, text string }

func readPage(t *testing.T, path string) page {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", path))
	if err != nil {
		t.Fatal(err)
	}
	p := page{path: path, text: string(data)}
	var prose strings.Builder
	var open *block
	for line := range strings.Lines(p.text) {
		info, fence := strings.CutPrefix(line, "```")
		switch {
		case fence && open == nil:
			open = &block{info: strings.TrimSpace(info)}
		case fence:
			p.codes, open = append(p.codes, *open), nil
		case open != nil:
			open.text += line
		case strings.HasPrefix(line, "    "):
			p.codes = append(p.codes, block{text: strings.TrimSpace(line) + "\n"})
		default:
			prose.WriteString(line)
		}
	}
	if open != nil {
		t.Errorf("%s: a block of code is not closed", path)
	}
	p.prose = prose.String()
	return p
}

// pages are all documents that people write.
func pages(t *testing.T) []page {
	t.Helper()
	var out []page
	for _, pattern := range []string{"../*.md", "*.md", "decisions/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			out = append(out, readPage(t, filepath.Join("docs", f)))
		}
	}
	if len(out) < 20 {
		t.Fatalf("found only %d pages", len(out))
	}
	return out
}

var spanPattern = regexp.MustCompile("`([^`]+)`")

// spans are what stands between backticks in the prose.
func (p page) spans() []string {
	var out []string
	for _, m := range spanPattern.FindAllStringSubmatch(strings.ReplaceAll(p.prose, "\n", " "), -1) {
		out = append(out, m[1])
	}
	return out
}

// commandLines are the lines that a reader might type: of a block with
// prompts those after a prompt, of another one all, and the spans.
func (p page) commandLines() []string {
	out := p.spans()
	for _, b := range p.codes {
		prompts := strings.HasPrefix(b.text, "$ ") || strings.Contains(b.text, "\n$ ")
		for line := range strings.Lines(b.text) {
			line, typed := strings.CutPrefix(strings.TrimSpace(line), "$ ")
			if typed || !prompts {
				out = append(out, line)
			}
		}
	}
	return out
}

var notInAnchor = regexp.MustCompile(`[^\p{L}\p{N} _-]`)

// anchors are the places of a page that a link can point to.
func (p page) anchors() []string {
	var out []string
	for line := range strings.Lines(p.prose) {
		title, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " ")
		if !ok || !strings.HasPrefix(line, "#") {
			continue
		}
		a := notInAnchor.ReplaceAllString(strings.ToLower(strings.TrimSpace(title)), "")
		out = append(out, strings.ReplaceAll(a, " ", "-"))
	}
	return out
}

// table returns the rows of the tables below a heading, without their heads.
func (p page) table(t *testing.T, heading string) [][]string {
	t.Helper()
	_, rest, ok := strings.Cut(p.prose, "\n"+heading+"\n")
	if !ok {
		t.Fatalf("%s has no heading %q", p.path, heading)
	}
	rest, _, _ = strings.Cut(rest, "\n## ")
	var rows [][]string
	for line := range strings.Lines(rest) {
		if cells := cellsOf(line); cells != nil {
			rows = append(rows, cells)
		}
	}
	heads := func(i int) bool { return i+1 < len(rows) && strings.HasPrefix(rows[i+1][0], "---") }
	var out [][]string
	for i, r := range rows {
		if !heads(i) && !strings.HasPrefix(r[0], "---") {
			out = append(out, r)
		}
	}
	if len(out) == 0 {
		t.Fatalf("%s: there is no table below %q", p.path, heading)
	}
	return out
}

func cellsOf(line string) []string {
	line = strings.TrimSpace(line)
	if !strings.HasPrefix(line, "|") {
		return nil
	}
	cells := strings.Split(strings.Trim(line, "|"), "|")
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	return cells
}

func sorted(list []string) []string {
	slices.Sort(list)
	return list
}
