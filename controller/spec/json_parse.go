package spec

import (
	"bytes"
	"fmt"
)

// Limits of a damaged or hostile file.
const (
	maxDepth  = 32
	maxSyntax = 50 // problems told of one file's syntax
)

// parser reads one file and goes on after a problem. Texts never repeat what
// the file holds except names of fields: a stray quote turns a password into
// anything.
type parser struct {
	src      *source
	at       int
	problems Problems
	// lossy says that something could not be read, so that what seems to be
	// missing may be there.
	lossy bool
	full  bool // maxSyntax was reached
	// damaged are lines of which something could not be read. What else seems
	// wrong there comes from that, and is not told.
	damaged map[int]bool
}

// parsed is what could be read of a file.
type parsed struct {
	root     node
	lossy    bool
	damaged  map[int]bool
	problems Problems
}

// parse reads the whole file.
func parse(src *source) parsed {
	if p, bad := src.unreadable(); bad {
		return parsed{lossy: true, problems: Problems{p}}
	}
	p := &parser{src: src, damaged: map[int]bool{}}
	if bytes.HasPrefix(src.data, utf8BOM) {
		p.at = len(utf8BOM)
	}
	root := p.value("", 0)
	p.space()
	if !p.end() && !p.full {
		p.damage(p.at, "there is something after the end of the list of fields", "remove what follows the last closing bracket, or remove a bracket too many")
	}
	return parsed{root, p.lossy, p.damaged, p.problems}
}

func (p *parser) end() bool { return p.at >= len(p.src.data) }

// peek is 0 at the end.
func (p *parser) peek() byte {
	if p.end() {
		return 0
	}
	return p.src.data[p.at]
}

func (p *parser) problem(at int, text, hint string) {
	pos := p.src.position(at)
	if p.full || p.damaged[pos.Line] {
		return
	}
	if len(p.problems) >= maxSyntax {
		p.full, p.lossy = true, true
		p.problems = append(p.problems, Problem{Pos: pos, Text: "too many problems", Hint: "mend those above first"})
		p.at = len(p.src.data)
		return
	}
	p.problems = append(p.problems, Problem{Pos: pos, Text: text, Hint: hint})
}

func (p *parser) damage(at int, text, hint string) {
	p.lossy = true
	p.problem(at, text, hint)
	p.damaged[p.src.position(at).Line] = true
}

// space skips blanks and comments.
func (p *parser) space() {
	for !p.end() {
		switch c := p.peek(); {
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			p.at++
		case c == '#' || p.sees("//"):
			p.comment(p.lineEnd())
		case p.sees("/*"):
			p.comment(p.blockEnd())
		default:
			return
		}
	}
}

func (p *parser) sees(s string) bool { return bytes.HasPrefix(p.src.data[p.at:], []byte(s)) }

func (p *parser) comment(end int) {
	start := p.at
	p.at = end
	p.problem(start, "JSON has no comments", `remove it; a field is switched off by changing its name, such as "_Mirror"`)
}

func (p *parser) lineEnd() int {
	if i := bytes.IndexByte(p.src.data[p.at:], '\n'); i >= 0 {
		return p.at + i
	}
	return len(p.src.data)
}

func (p *parser) blockEnd() int {
	if i := bytes.Index(p.src.data[p.at:], []byte("*/")); i >= 0 {
		return p.at + i + len("*/")
	}
	return len(p.src.data)
}

// value reads one value; field is the name it belongs to, for the messages.
func (p *parser) value(field string, depth int) node {
	p.space()
	at := p.at
	switch c := p.peek(); {
	case depth > maxDepth:
		p.damage(at, "brackets are nested too deep", "a value is a string, a number, true or false")
		p.at = len(p.src.data)
	case c == '{':
		return p.object(depth)
	case c == '[':
		return p.array(depth)
	case c == '"':
		if text, ok := p.str(); ok {
			return node{shape: shapeScalar, at: at, text: text}
		}
	case isWordByte(c):
		return p.word(field)
	case p.end():
		p.damage(at, "the file ends too early", "a value and the closing brackets are missing")
	default:
		p.damage(at, missingValue(field), `write a value, such as "TEST", 10 or true`)
	}
	return node{at: at}
}

func missingValue(field string) string {
	if field == "" {
		return "a value is missing here"
	}
	return fmt.Sprintf("the value of %s is missing", field)
}

// unclosed tells that a bracket is still open at the end.
func (p *parser) unclosed(at int, bracket string) {
	p.damage(len(p.src.data), fmt.Sprintf("the file ends, but the %s of line %d is not closed", bracket, p.src.position(at).Line), "add the closing bracket")
}
