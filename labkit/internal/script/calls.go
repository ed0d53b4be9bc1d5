package script

import "strings"

// classCall reads ##class(Package.Class).Method(args).
func (p *parser) classCall() (string, error) {
	p.accept("##class")
	if err := p.expect("("); err != nil {
		return "", err
	}
	p.spaces()
	class := p.name(true)
	p.spaces()
	if err := p.expect(")."); err != nil || class == "" {
		return "", syntax()
	}
	return p.method(class)
}

// systemCall reads what follows "$SYSTEM.": Class.Method(args).
func (p *parser) systemCall() (string, error) {
	path := p.name(true)
	dot := strings.LastIndexByte(path, '.')
	if dot <= 0 {
		return "", syntax()
	}
	p.pos -= len(path) - dot - 1
	return p.method("%SYSTEM." + path[:dot])
}

func (p *parser) method(class string) (string, error) {
	method := p.name(false)
	if method == "" {
		return "", syntax()
	}
	var args []Arg
	if p.accept("(") {
		var err error
		if args, err = p.callArguments(); err != nil {
			return "", err
		}
	}
	if p.skip > 0 {
		return "", nil
	}
	return p.s.Sys.Call(p.s, class, method, args)
}

func (p *parser) callArguments() ([]Arg, error) {
	var out []Arg
	p.spaces()
	if p.accept(")") {
		return nil, nil
	}
	for {
		p.spaces()
		a, err := p.callArgument()
		if err != nil {
			return nil, err
		}
		out = append(out, a)
		p.spaces()
		if p.accept(",") {
			continue
		}
		return out, p.expect(")")
	}
}

func (p *parser) callArgument() (Arg, error) {
	switch c := p.peek(); {
	case c == ',' || c == ')':
		return Arg{Omit: true}, nil
	case c == '.' && p.pos+1 < len(p.text) && isLetter(p.text[p.pos+1]):
		p.pos++
		v, err := p.reference()
		if err != nil {
			return Arg{}, err
		}
		value := p.s.locals[v.key()]
		return Arg{Value: value, ref: &localRef{p.s, v.name}}, nil
	}
	v, err := p.expr()
	return Arg{Value: v}, err
}
