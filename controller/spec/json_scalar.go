package spec

import (
	"encoding/json"
	"regexp"
	"strings"
	"unicode/utf8"
)

// str reads a string; ok is false when it is damaged. One that is not closed ends with its line, because JSON
// strings cannot go over lines.
func (p *parser) str() (s string, ok bool) {
	start := p.at
	for p.at++; !p.end(); p.at++ {
		switch p.peek() {
		case '\\':
			if p.at+1 < len(p.src.data) && p.src.data[p.at+1] != '\n' {
				p.at++
			}
		case '"':
			p.at++
			return p.unquote(start)
		case '\n':
			p.damage(start, `the closing " is missing on this line`, `close the string with "`)
			return "", false
		}
	}
	p.at = len(p.src.data)
	p.damage(start, `the closing " is missing`, `close the string with "`)
	return "", false
}

func (p *parser) unquote(start int) (s string, ok bool) {
	raw := p.src.data[start:p.at]
	for i, c := range raw {
		if c < ' ' {
			p.damage(start+i, "a control character stands in this string", `write \t for a tab`)
			return "", false
		}
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		p.damage(start, `a backslash in this string is not followed by one of " \ / b f n r t u`, `write \\ for a backslash`)
		return "", false
	}
	return s, true
}

func isWordByte(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' ||
		c == '-' || c == '+' || c == '_' || c == '.' || c == '\'' || c >= utf8.RuneSelf
}

func (p *parser) bareWord() string {
	start := p.at
	for !p.end() && isWordByte(p.peek()) {
		p.at++
	}
	return string(p.src.data[start:p.at])
}

// bareName reads a name that lacks both quotes or the first.
func (p *parser) bareName() (name string, ok bool) {
	at := p.at
	name = p.bareWord()
	known := nameForText(name) != ""
	switch {
	case known && p.peek() == '"':
		p.at++
		p.problem(at, `a " is missing before this name`, `fields look like this: "Label": "ACME"`)
	case known || p.peek() == ':':
		p.problem(at, "the name of a field must stand in double quotes", `fields look like this: "Label": "ACME"`)
	default:
		p.damage(at, "the name of a field is expected here", `fields look like this: "Label": "ACME"`)
		return "", false
	}
	return name, true
}

var number = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

// word reads a value without quotes.
func (p *parser) word(field string) node {
	at := p.at
	n := node{shape: shapeScalar, at: at, text: p.bareWord()}
	switch {
	case n.text == "null":
		n.shape = shapeNull
	case n.text == "true" || n.text == "false" || number.MatchString(n.text):
	case strings.EqualFold(n.text, "true") || strings.EqualFold(n.text, "false"):
		p.problem(at, "true and false are written in lower case, or in double quotes", `write `+strings.ToLower(n.text))
	case strings.EqualFold(n.text, "null") || strings.EqualFold(n.text, "none"):
		p.problem(at, "null is written in lower case", "write null, or remove the field")
		n.shape = shapeNull
	default:
		p.damage(at, quotesMissing(field), `only numbers, true and false stand without quotes`)
		n = node{at: at}
	}
	return n
}

func quotesMissing(field string) string {
	if field == "" {
		return "this must stand in double quotes"
	}
	return "the value of " + field + " must stand in double quotes"
}
