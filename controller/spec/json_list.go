package spec

import "fmt"

// object reads { … }, with commas that are missing or too many.
func (p *parser) object(depth int) node {
	n := node{shape: shapeObject, at: p.at}
	p.list('}', "{", depth, func() (string, bool) {
		m, ok := p.member(depth)
		if ok {
			n.members = append(n.members, m)
		}
		return nameForText(m.name), ok
	})
	return n
}

// array reads [ … ].
func (p *parser) array(depth int) node {
	n := node{shape: shapeArray, at: p.at}
	p.list(']', "[", depth, func() (string, bool) {
		before := p.at
		item := p.value("", depth+1)
		if item.shape != shapeMissing {
			n.items = append(n.items, item)
		}
		return "", p.at > before
	})
	return n
}

// list reads what stands between two brackets. item reads one element, tells
// its name, and whether it got on.
func (p *parser) list(closing byte, bracket string, depth int, item func() (string, bool)) {
	open, comma := p.at, -1
	last, lastEnd := "", -1
	for p.at++; ; {
		p.space()
		switch c := p.peek(); {
		case p.end():
			if !p.full {
				p.unclosed(open, bracket)
			}
			return
		case c == closing:
			if comma >= 0 {
				p.problem(comma, "there is a comma after the last element", "remove it")
			}
			p.at++
			return
		case c == ',':
			if comma >= 0 || lastEnd < 0 {
				p.problem(p.at, "there is a comma too many", "remove it")
			}
			comma = p.at
			p.at++
			continue
		case c == '}' || c == ']':
			p.wrongBracket(open, bracket, depth)
			return
		}
		if lastEnd >= 0 && comma < 0 && canBegin(p.peek()) {
			p.problem(lastEnd, missingComma(last), "add a comma at the end of this line, or before what follows")
		}
		comma = -1
		name, ok := item()
		if !ok {
			p.skipJunk()
		}
		last, lastEnd = name, p.at
	}
}

// wrongBracket is met with the bracket of what is around: this one was
// forgotten. With nothing around, it is taken for the right one.
func (p *parser) wrongBracket(open int, bracket string, depth int) {
	p.damage(p.at, fmt.Sprintf("the %s of line %d is not closed before this %c", bracket, p.src.position(open).Line, p.peek()), "add the closing bracket")
	if depth == 0 {
		p.at++
	}
}

func missingComma(field string) string {
	if field == "" {
		return "a comma is missing here"
	}
	return "a comma is missing after the value of " + field
}

func canBegin(c byte) bool { return c == '"' || c == '{' || c == '[' || isWordByte(c) }

// member reads "name": value.
func (p *parser) member(depth int) (member, bool) {
	at := p.at
	m := member{at: at}
	ok := false
	switch c := p.peek(); {
	case c == '"':
		m.name, ok = p.str()
	case isWordByte(c):
		m.name, ok = p.bareName()
	default:
		p.damage(at, "the name of a field is expected here", `fields look like this: "Label": "ACME"`)
	}
	if !ok {
		return m, false
	}
	p.space()
	if p.peek() == ':' {
		p.at++
		m.value = p.value(nameForText(m.name), depth+1)
		return m, true
	}
	if p.peek() != '"' {
		p.damage(p.at, "a colon and a value are missing", `fields look like this: "Label": "ACME"`)
		return m, true
	}
	p.problem(p.at, "a colon is missing", `fields look like this: "Label": "ACME"`)
	m.value = p.value("", depth+1)
	return m, true
}

// nameForText is the name when it is safe to show: that of a field there is.
func nameForText(name string) string {
	if f, ok := Lookup(name); ok {
		return f.Name
	}
	return ""
}

// skipJunk goes to the next place where an element may begin: behind the next
// comma, at a bracket, or on the next line.
func (p *parser) skipJunk() {
	for ; !p.end(); p.at++ {
		switch p.peek() {
		case ',', '}', ']', '\n':
			return
		}
	}
	p.at = min(p.at, len(p.src.data))
}
