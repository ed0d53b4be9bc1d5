package docs_test

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var linkPattern = regexp.MustCompile(`\[[^\]]*\]\(([^)\s]+)\)`)

func TestEveryLinkLeadsSomewhere(t *testing.T) {
	count := 0
	for _, p := range pages(t) {
		for _, m := range linkPattern.FindAllStringSubmatch(p.prose, -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			count++
			file, anchor, _ := strings.Cut(m[1], "#")
			target := p.path
			if file != "" {
				target = path.Join(path.Dir(p.path), file)
			}
			checkLink(t, p.path, m[1], target, anchor)
		}
	}
	if count < 100 {
		t.Errorf("found only %d links", count)
	}
}

func checkLink(t *testing.T, from, link, target, anchor string) {
	t.Helper()
	if _, err := os.Stat(filepath.Join("..", target)); err != nil {
		t.Errorf("%s: the link %s leads nowhere", from, link)
		return
	}
	if anchor != "" && !slices.Contains(readPage(t, target).anchors(), anchor) {
		t.Errorf("%s: %s has no heading for the link %s", from, target, link)
	}
}

func TestTheReadmeIsShortAndBeginsWithTheTwoCommands(t *testing.T) {
	p := readPage(t, "README.md")
	if n := strings.Count(p.text, "\n"); n >= 100 {
		t.Errorf("README.md has %d lines, fewer than 100 are read", n)
	}
	if len(p.codes) < 2 || !strings.HasPrefix(p.codes[0].text, "make demo ") || !strings.HasPrefix(p.codes[1].text, "make test ") {
		t.Error("README.md does not begin with make demo and make test")
	}
	for _, mark := range []string{"<!-- recording begins -->", "<!-- recording ends -->"} {
		if strings.Count(p.text, mark+"\n") != 1 {
			t.Errorf("README.md should have the line %q once", mark)
		}
	}
}

func TestTheChangelogIsWrittenForOperators(t *testing.T) {
	_, newest, ok := strings.Cut(readPage(t, "CHANGELOG.md").text, "\n## ")
	if !ok || !strings.HasPrefix(newest, "Unreleased\n") {
		t.Fatal("CHANGELOG.md does not begin with what is unreleased")
	}
	newest, _, _ = strings.Cut(newest, "\n## ")
	for line := range strings.Lines(newest) {
		if text, ok := strings.CutPrefix(line, "- "); ok && !strings.HasPrefix(text, "icm now ") {
			t.Errorf("a change is not told as \"icm now …\": %s", line)
		}
	}
}

func TestDecisionsAreNumberedListedAndComplete(t *testing.T) {
	index := readPage(t, "docs/decisions/README.md").text
	files, err := filepath.Glob("decisions/[0-9]*.md")
	if err != nil || len(files) == 0 {
		t.Fatalf("found no decisions: %v", err)
	}
	for i, f := range files {
		p := readPage(t, filepath.Join("docs", f))
		number := filepath.Base(f)[:4]
		if want := "0000"[:4-len(itoa(i+1))] + itoa(i+1); number != want {
			t.Errorf("%s: the number should be %s", f, want)
		}
		if !strings.Contains(index, "["+number+"]("+filepath.Base(f)+")") {
			t.Errorf("%s is not listed in decisions/README.md", f)
		}
		if !strings.HasPrefix(p.text, "# "+itoa(i+1)+". ") {
			t.Errorf("%s: the heading has another number", f)
		}
		for _, part := range []string{"**Status**", "**Context.**", "**Decision.**", "**Consequences.**"} {
			if !strings.Contains(p.text, "\n"+part) {
				t.Errorf("%s says nothing of %s", f, part)
			}
		}
	}
}
