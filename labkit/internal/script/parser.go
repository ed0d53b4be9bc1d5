package script

import (
	"strings"
)

// parser walks over one line. With skip above zero it reads without doing.
type parser struct {
	s    *Session
	text string
	pos  int
	skip int
}

func (p *parser) done() bool { return p.pos >= len(p.text) }

func (p *parser) peek() byte {
	if p.done() {
		return 0
	}
	return p.text[p.pos]
}

func (p *parser) accept(token string) bool {
	if len(p.text)-p.pos >= len(token) && strings.EqualFold(p.text[p.pos:p.pos+len(token)], token) {
		p.pos += len(token)
		return true
	}
	return false
}

func (p *parser) expect(token string) error {
	if !p.accept(token) {
		return syntax()
	}
	return nil
}

func (p *parser) spaces() {
	for p.peek() == ' ' || p.peek() == '\t' {
		p.pos++
	}
}

func isLetter(c byte) bool { return c == '%' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }

// name reads an identifier; dots inside count for globals and classes.
func (p *parser) name(dots bool) string {
	start := p.pos
	for !p.done() {
		c := p.peek()
		if isLetter(c) || p.pos > start && (isDigit(c) || dots && c == '.') {
			p.pos++
			continue
		}
		break
	}
	return p.text[start:p.pos]
}

// block returns what stands between braces and moves behind it.
func (p *parser) block() (string, error) {
	if err := p.expect("{"); err != nil {
		return "", err
	}
	start, depth, quoted := p.pos, 1, false
	for ; !p.done(); p.pos++ {
		switch c := p.peek(); {
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{':
			depth++
		case c == '}':
			if depth--; depth == 0 {
				body := p.text[start:p.pos]
				p.pos++
				return body, nil
			}
		}
	}
	return "", syntax()
}

// expr is operand, operator, operand …, strictly from left to right.
func (p *parser) expr() (string, error) {
	left, err := p.operand()
	if err != nil {
		return "", err
	}
	for !p.done() {
		op := p.operator()
		if op == "" {
			return left, nil
		}
		stop := op == "&&" && !truth(left) || op == "||" && truth(left)
		if stop {
			p.skip++
		}
		right, err := p.operand()
		if stop {
			p.skip--
		}
		if err != nil {
			return "", err
		}
		if left, err = p.binary(op, left, right); err != nil {
			return "", err
		}
	}
	return left, nil
}

// operators are tried in this order, so longer ones come first.
var operators = []string{"'&", "'!", "'=", "'<", "'>", "'[", "']", "**", "&&", "||", "<=", ">=", "]]", "=", "<", ">", "+", "-", "*", "/", "\\", "#", "_", "&", "!", "[", "]"}

func (p *parser) operator() string {
	save := p.pos
	p.spacesInside()
	for _, op := range operators {
		if strings.HasPrefix(p.text[p.pos:], op) {
			p.pos += len(op)
			p.spacesInside()
			return op
		}
	}
	p.pos = save
	return ""
}

// spacesInside skips blanks only when an operator or operand may follow. A
// blank ends a command's argument, unless an operator comes after it.
func (p *parser) spacesInside() {
	save := p.pos
	p.spaces()
	if p.pos == save || p.done() {
		return
	}
}

func (p *parser) operand() (string, error) {
	switch c := p.peek(); {
	case p.done():
		return "", syntax()
	case c == '\'':
		p.pos++
		v, err := p.operand()
		return boolean(!truth(v)), err
	case c == '-':
		p.pos++
		v, err := p.operand()
		return number(-num(v)), err
	case c == '+':
		p.pos++
		v, err := p.operand()
		return number(num(v)), err
	case c == '(':
		p.pos++
		p.spaces()
		v, err := p.expr()
		p.spaces()
		if err == nil {
			err = p.expect(")")
		}
		return v, err
	case c == '"':
		return p.literal()
	case isDigit(c) || c == '.' && p.pos+1 < len(p.text) && isDigit(p.text[p.pos+1]):
		return p.number()
	case strings.HasPrefix(strings.ToUpper(p.text[p.pos:]), "##CLASS"):
		return p.classCall()
	case c == '$':
		return p.dollar()
	case c == '^':
		ref, err := p.reference()
		if err != nil {
			return "", err
		}
		return p.value(ref)
	case isLetter(c):
		ref, err := p.reference()
		if err != nil {
			return "", err
		}
		return p.value(ref)
	}
	return "", syntax()
}

func (p *parser) literal() (string, error) {
	var b strings.Builder
	for p.pos++; !p.done(); p.pos++ {
		if p.peek() != '"' {
			b.WriteByte(p.peek())
			continue
		}
		if p.pos+1 < len(p.text) && p.text[p.pos+1] == '"' {
			p.pos++
			b.WriteByte('"')
			continue
		}
		p.pos++
		return b.String(), nil
	}
	return "", syntax()
}

func (p *parser) number() (string, error) {
	start := p.pos
	for isDigit(p.peek()) || p.peek() == '.' {
		p.pos++
	}
	return number(num(p.text[start:p.pos])), nil
}
