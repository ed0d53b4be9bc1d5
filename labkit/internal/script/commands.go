package script

import (
	"strings"

	"icm/labkit/internal/store"
)

// commands runs all commands up to the end of the line.
func (p *parser) commands() error {
	for {
		p.spaces()
		if p.done() || p.peek() == ';' || strings.HasPrefix(p.text[p.pos:], "//") {
			return nil
		}
		if err := p.command(); err != nil {
			return err
		}
	}
}

func (p *parser) command() error {
	name := strings.ToUpper(p.name(false))
	cond := true
	if p.accept(":") {
		v, err := p.expr()
		if err != nil {
			return err
		}
		cond = truth(v)
	}
	if !p.done() && p.peek() != ' ' && p.peek() != '{' {
		return syntax()
	}
	switch name {
	case "IF", "I":
		return p.ifCommand()
	case "FOR", "F":
		return p.forCommand()
	case "WHILE":
		return p.whileCommand()
	case "TRY":
		return p.tryCommand()
	}
	// One blank separates a command from its arguments, two mean there are none.
	rest := p.text[p.pos:]
	none := strings.HasPrefix(rest, "  ") || strings.TrimSpace(rest) == ""
	p.accept(" ")
	if !cond {
		p.skip++
		defer func() { p.skip-- }()
	}
	return p.simple(name, none)
}

func (p *parser) simple(name string, none bool) error {
	switch name {
	case "HALT":
		return p.unless(errHalt)
	case "H", "HANG":
		if none {
			return p.unless(errHalt)
		}
		return p.hang()
	case "QUIT", "Q", "RETURN", "RET":
		if !none {
			if _, err := p.expr(); err != nil {
				return err
			}
		}
		return p.unless(errQuit)
	case "WRITE", "W":
		return p.each(p.write)
	case "SET", "S":
		return p.each(p.set)
	case "KILL", "K":
		if none {
			clear(p.s.locals)
			return nil
		}
		return p.each(p.killCommand)
	case "DO", "D":
		return p.each(func() error { _, err := p.doCall(); return err })
	case "ZN", "ZNSPACE":
		return p.changeNamespace()
	case "ZWRITE", "ZW":
		return p.each(p.zwrite)
	case "NEW", "N", "LOCK", "L":
		return p.each(func() error { _, err := p.reference(); return err })
	case "XECUTE", "X":
		code, err := p.expr()
		if err != nil || p.skip > 0 {
			return err
		}
		return p.s.run(code)
	}
	return syntax()
}

func (p *parser) unless(err error) error {
	if p.skip > 0 {
		return nil
	}
	return err
}

// each runs one step for every argument between commas.
func (p *parser) each(step func() error) error {
	for {
		if err := step(); err != nil {
			return err
		}
		if !p.accept(",") {
			if !p.done() && p.peek() != ' ' && p.peek() != ';' {
				return syntax()
			}
			return nil
		}
		p.spaces()
	}
}

func (p *parser) write() error {
	formatted := false
	for p.peek() == '!' || p.peek() == '?' || p.peek() == '#' && !strings.HasPrefix(p.text[p.pos:], "##") {
		formatted = true
		if p.accept("?") {
			v, err := p.expr()
			if err != nil {
				return err
			}
			if n := int(num(v)) - p.s.column; n > 0 && p.skip == 0 {
				p.s.Print(strings.Repeat(" ", n))
			}
			continue
		}
		p.pos++
		if p.skip == 0 {
			p.s.Print("\n")
		}
	}
	if formatted && (p.done() || p.peek() == ',' || p.peek() == ' ') {
		return nil
	}
	v, err := p.expr()
	if err == nil && p.skip == 0 {
		p.s.Print(v)
	}
	return err
}

func (p *parser) set() error {
	var targets []variable
	if p.accept("(") {
		for {
			v, err := p.reference()
			if err != nil {
				return err
			}
			targets = append(targets, v)
			if !p.accept(",") {
				break
			}
		}
		if err := p.expect(")"); err != nil {
			return err
		}
	} else {
		if p.peek() == '$' {
			return p.setSpecial()
		}
		v, err := p.reference()
		if err != nil {
			return err
		}
		targets = []variable{v}
	}
	value, err := p.assigned()
	if err != nil {
		return err
	}
	for _, v := range targets {
		if err := p.assign(v, value); err != nil {
			return err
		}
	}
	return nil
}

func (p *parser) assigned() (string, error) {
	p.spaces()
	if err := p.expect("="); err != nil {
		return "", err
	}
	p.spaces()
	return p.expr()
}

// setSpecial knows set $namespace="X".
func (p *parser) setSpecial() error {
	p.pos++
	if name := strings.ToUpper(p.name(false)); name != "NAMESPACE" && name != "ZNSPACE" {
		return syntax()
	}
	v, err := p.assigned()
	if err != nil || p.skip > 0 {
		return err
	}
	return p.enter(v)
}

func (p *parser) changeNamespace() error {
	v, err := p.expr()
	if err != nil || p.skip > 0 {
		return err
	}
	return p.enter(v)
}

func (p *parser) enter(ns string) error {
	name, ok := p.s.Sys.Namespace(ns)
	if !ok {
		return &Error{Code: "<NAMESPACE>", Detail: "*" + ns}
	}
	p.s.NS = name
	return nil
}

func (p *parser) killCommand() error {
	v, err := p.reference()
	if err != nil || p.skip > 0 {
		return err
	}
	return p.kill(v)
}

func (p *parser) zwrite() error {
	v, err := p.reference()
	if err != nil || p.skip > 0 {
		return err
	}
	if value, ok, err := p.lookup(v); err != nil {
		return err
	} else if ok {
		p.s.Print(strings.TrimPrefix(v.String(), "*") + "=" + quoteValue(value) + "\n")
	}
	return p.zwriteBelow(v, 0)
}

func (p *parser) zwriteBelow(v variable, depth int) error {
	if depth > 20 {
		return nil
	}
	below := v
	below.subs = append(append([]string(nil), v.subs...), "")
	for {
		next, err := p.order(below, true)
		if err != nil || next == "" {
			return err
		}
		below.subs[len(below.subs)-1] = next
		value, ok, err := p.lookup(below)
		if err != nil {
			return err
		}
		if ok {
			p.s.Print(strings.TrimPrefix(below.String(), "*") + "=" + quoteValue(value) + "\n")
		}
		if err := p.zwriteBelow(below, depth+1); err != nil {
			return err
		}
	}
}

func quoteValue(v string) string {
	if store.IsNumber(v) {
		return v
	}
	return `"` + strings.ReplaceAll(v, `"`, `""`) + `"`
}
