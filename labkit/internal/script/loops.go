package script

import "errors"

// maxLoops ends loops nobody can have meant.
const maxLoops = 50_000_000

// forCommand is for i=1:1:3, for i="a","b" or for without argument.
func (p *parser) forCommand() error {
	if len(p.text) > p.pos+1 && p.text[p.pos] == ' ' && p.text[p.pos+1] != ' ' && p.text[p.pos+1] != '{' {
		p.pos++
		return p.forVariable()
	}
	p.spaces()
	body, err := p.body()
	if err != nil {
		return err
	}
	for range maxLoops {
		if stop, err := p.once(body); stop || err != nil {
			return err
		}
	}
	return &Error{Code: "<INTERRUPT>"}
}

func (p *parser) forVariable() error {
	v, err := p.reference()
	if err != nil {
		return err
	}
	if err := p.expect("="); err != nil {
		return err
	}
	var values []string
	var from, step, to float64
	stepped, open := false, false
	for {
		first, err := p.expr()
		if err != nil {
			return err
		}
		if p.accept(":") {
			stepped, open, from = true, true, num(first)
			if first, err = p.expr(); err != nil {
				return err
			}
			step = num(first)
			if p.accept(":") {
				if first, err = p.expr(); err != nil {
					return err
				}
				to, open = num(first), false
			}
			break
		}
		values = append(values, first)
		if !p.accept(",") {
			break
		}
	}
	body, err := p.body()
	if err != nil || p.skip > 0 {
		return err
	}
	if !stepped {
		return p.overValues(v, values, body)
	}
	for i := from; open || step >= 0 && i <= to || step < 0 && i >= to; i += step {
		if err := p.assign(v, number(i)); err != nil {
			return err
		}
		if stop, err := p.once(body); stop || err != nil {
			return err
		}
	}
	return nil
}

func (p *parser) overValues(v variable, values []string, body string) error {
	for _, value := range values {
		if err := p.assign(v, value); err != nil {
			return err
		}
		if stop, err := p.once(body); stop || err != nil {
			return err
		}
	}
	return nil
}

// body is a block, or the rest of the line.
func (p *parser) body() (string, error) {
	p.spaces()
	if p.peek() == '{' {
		return p.block()
	}
	body := p.text[p.pos:]
	p.pos = len(p.text)
	return body, nil
}

// once runs the body; a quit in it ends the loop.
func (p *parser) once(body string) (stop bool, err error) {
	if p.skip > 0 {
		return true, nil
	}
	err = p.s.run(body)
	if errors.Is(err, errQuit) {
		return true, nil
	}
	return false, err
}

func (p *parser) whileCommand() error {
	p.spaces()
	start := p.pos
	for range maxLoops {
		p.pos = start
		hold, err := p.conditions(false)
		if err != nil {
			return err
		}
		p.spaces()
		body, err := p.block()
		if err != nil || !hold || p.skip > 0 {
			return err
		}
		if stop, err := p.once(body); stop || err != nil {
			return err
		}
	}
	return &Error{Code: "<INTERRUPT>"}
}
