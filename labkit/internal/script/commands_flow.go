package script

import (
	"errors"
	"time"

	"icm/labkit/internal/store"
)

func (p *parser) doCall() (string, error) {
	if p.peek() == '#' {
		return p.operand()
	}
	if p.peek() == '$' {
		return p.dollar()
	}
	if p.accept("^") {
		name := p.name(true)
		return "", p.unless(&Error{Code: "<NOROUTINE>", Detail: "*" + name})
	}
	return "", syntax()
}

// hang is the language's own pause; it is bounded so that no test hangs.
func (p *parser) hang() error {
	v, err := p.expr()
	if err != nil || p.skip > 0 {
		return err
	}
	pause := time.NewTimer(time.Duration(min(max(num(v), 0), 600) * float64(time.Second)))
	<-pause.C
	return nil
}

// ifCommand runs its block, or the rest of the line, when all conditions hold.
func (p *parser) ifCommand() error {
	done := false
	for {
		p.spaces()
		hold, err := p.conditions(done)
		if err != nil {
			return err
		}
		p.spaces()
		if p.peek() != '{' {
			if !hold {
				p.pos = len(p.text)
			}
			return nil
		}
		if err := p.branch(hold && !done); err != nil {
			return err
		}
		done = done || hold
		p.spaces()
		if p.accept("elseif") {
			continue
		}
		if p.accept("else") {
			p.spaces()
			return p.branch(!done)
		}
		return nil
	}
}

func (p *parser) conditions(skip bool) (bool, error) {
	hold := true
	for {
		v, err := p.quiet(skip || !hold)
		if err != nil {
			return false, err
		}
		hold = hold && truth(v)
		if !p.accept(",") {
			return hold, nil
		}
	}
}

func (p *parser) branch(take bool) error {
	body, err := p.block()
	if err != nil || !take || p.skip > 0 {
		return err
	}
	return p.s.run(body)
}

func (p *parser) tryCommand() error {
	p.spaces()
	body, err := p.block()
	if err != nil {
		return err
	}
	p.spaces()
	if err := p.expect("catch"); err != nil {
		return err
	}
	p.spaces()
	name := p.name(false)
	p.spaces()
	handler, err := p.block()
	if err != nil || p.skip > 0 {
		return err
	}
	err = p.s.run(body)
	if err == nil || errors.Is(err, errHalt) || errors.Is(err, errQuit) {
		return err
	}
	if name != "" {
		p.s.locals[store.Key(name)] = err.Error()
	}
	return p.s.run(handler)
}
