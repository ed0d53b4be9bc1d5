package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// namedIn matches "`A`, `B` and `C` in [file](path)".
var namedIn = regexp.MustCompile("((?:`[A-Za-z]+`(?:, | and )?)+) in \\[[^\\]]+\\]\\(([^)#]+\\.go)\\)")

func TestEveryNameOfTheTourIsDeclaredInTheFileItLinksTo(t *testing.T) {
	p := readPage(t, "docs/tour.md")
	count := 0
	for _, m := range namedIn.FindAllStringSubmatch(strings.ReplaceAll(p.prose, "\n", " "), -1) {
		file := filepath.Join("..", path.Join("docs", m[2]))
		have := declared(t, file)
		for _, name := range spanPattern.FindAllStringSubmatch(m[1], -1) {
			count++
			if !have[name[1]] {
				t.Errorf("%s does not declare %s", m[2], name[1])
			}
		}
	}
	if count < 60 {
		t.Errorf("found only %d names", count)
	}
}

// declared are the names that a file declares at its top level, and methods.
func declared(t *testing.T, file string) map[string]bool {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Error(err)
		return nil
	}
	out := map[string]bool{}
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			out[d.Name.Name] = true
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					out[s.Name.Name] = true
				case *ast.ValueSpec:
					for _, n := range s.Names {
						out[n.Name] = true
					}
				}
			}
		}
	}
	return out
}

func TestEveryErrorThatIsExplainedIsInTheSource(t *testing.T) {
	texts := sourceTexts(t, "agent", "controller", "internal", "plugins")
	p := readPage(t, "docs/troubleshooting.md")
	count := 0
	for _, span := range p.spans() {
		if !isMessage(span) {
			continue
		}
		count++
		for part := range strings.SplitSeq(span, "…") {
			if !texts.have(strings.TrimSpace(part)) {
				t.Errorf("no error says %q (of %q)", part, span)
			}
		}
	}
	if count < 70 {
		t.Errorf("found only %d messages", count)
	}
}

func TestEveryHeadingOfTroubleshootingIsAMessageToSearchFor(t *testing.T) {
	p := readPage(t, "docs/troubleshooting.md")
	for line := range strings.Lines(p.prose) {
		title, ok := strings.CutPrefix(line, "### ")
		if ok && !strings.HasPrefix(title, "`") && !strings.HasPrefix(title, "an undo did not work") {
			t.Errorf("%q is not between backticks, and so not compared with the source", strings.TrimSpace(title))
		}
	}
}

// isMessage tells what icm says from what a reader types, or names of things.
func isMessage(span string) bool {
	typed := strings.HasPrefix(span, "icm ") || strings.HasPrefix(span, "iris ") || strings.Contains(span, " -")
	return !typed && (strings.Contains(span, " …") || len(strings.Fields(span)) > 2)
}

// sourceText is every text in the programs, each for itself.
type sourceText []string

// have looks for a part of a message. Errors are wrapped in one another, so a
// part may be made of two texts: one that stands alone, and what follows the
// %w or the colon behind it.
func (s sourceText) have(part string) bool {
	part = strings.Trim(part, " :")
	if strings.Trim(part, " :;,.()") == "" || s.contains(part) {
		return true
	}
	for i := range part {
		if (part[i] != ' ' && part[i] != ':') || !slices.Contains(s, part[:i]) {
			continue
		}
		text, after := strings.CutPrefix(part[i:], ": ")
		if s.contains("%w"+part[i:]) || after && s.contains(text) {
			return true
		}
	}
	return false
}

func (s sourceText) contains(part string) bool {
	for _, text := range s {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}

func sourceTexts(t *testing.T, dirs ...string) sourceText {
	t.Helper()
	var out sourceText
	for _, dir := range dirs {
		err := filepath.WalkDir(filepath.Join("..", dir), func(file string, e fs.DirEntry, err error) error {
			switch {
			case err != nil || e.IsDir():
				return err
			case strings.HasSuffix(file, ".sh"):
				data, err := os.ReadFile(file)
				out = append(out, string(data))
				return err
			case strings.HasSuffix(file, ".go") && !strings.HasSuffix(file, "_test.go"):
				out = append(out, literals(t, file)...)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// literals are the strings in a file.
func literals(t *testing.T, file string) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Error(err)
		return nil
	}
	var out []string
	ast.Inspect(f, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if text, err := strconv.Unquote(lit.Value); err == nil {
				out = append(out, text)
			}
		}
		return true
	})
	return out
}
