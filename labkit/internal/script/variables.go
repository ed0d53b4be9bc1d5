package script

import (
	"strings"

	"icm/labkit/internal/store"
)

// variable is a local or a global with its subscripts.
type variable struct {
	global bool
	ns     string
	name   string
	subs   []string
}

func (v variable) key() string { return store.Key(v.name, v.subs...) }

func (v variable) String() string {
	text := v.name
	if v.global {
		text = "^" + text
	} else {
		text = "*" + text
	}
	if len(v.subs) == 0 {
		return text
	}
	var subs []string
	for _, s := range v.subs {
		if !store.IsNumber(s) {
			s = `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
		}
		subs = append(subs, s)
	}
	return text + "(" + strings.Join(subs, ",") + ")"
}

// reference reads x, x(1,2), ^g, ^g(1), ^|"NS"|g(1).
func (p *parser) reference() (variable, error) {
	v := variable{ns: p.s.NS}
	if p.accept("^") {
		v.global = true
		if p.accept("|") {
			ns, err := p.expr()
			if err == nil {
				err = p.expect("|")
			}
			if err != nil {
				return v, err
			}
			v.ns = ns
		}
	}
	if v.name = p.name(v.global); v.name == "" {
		return v, syntax()
	}
	if !p.accept("(") {
		return v, nil
	}
	for {
		p.spaces()
		sub, err := p.expr()
		if err != nil {
			return v, err
		}
		v.subs = append(v.subs, sub)
		p.spaces()
		if p.accept(",") {
			continue
		}
		return v, p.expect(")")
	}
}

func (p *parser) lookup(v variable) (string, bool, error) {
	if p.skip > 0 {
		return "", true, nil
	}
	if !v.global {
		value, ok := p.s.locals[v.key()]
		return value, ok, nil
	}
	return p.s.Sys.Get(v.ns, v.key())
}

func (p *parser) value(v variable) (string, error) {
	value, ok, err := p.lookup(v)
	if err == nil && !ok {
		err = &Error{Code: "<UNDEFINED>", Detail: v.String()}
	}
	return value, err
}

func (p *parser) assign(v variable, value string) error {
	if p.skip > 0 {
		return nil
	}
	if v.global {
		return p.s.Sys.Set(v.ns, v.key(), value)
	}
	p.s.locals[v.key()] = value
	return nil
}

func (p *parser) kill(v variable) error {
	if v.global {
		return p.s.Sys.Kill(v.ns, v.key())
	}
	key := v.key()
	for k := range p.s.locals {
		if strings.HasPrefix(k, key) {
			delete(p.s.locals, k)
		}
	}
	return nil
}

// keys lists the stored keys below prefix, after the key after.
func (p *parser) keys(v variable, prefix, after string, limit int) ([]string, error) {
	if v.global {
		return p.s.Sys.Keys(v.ns, prefix, after, limit)
	}
	var out []string
	for k := range p.s.locals {
		if strings.HasPrefix(k, prefix) && k > after {
			out = append(out, k)
		}
	}
	sortStrings(out)
	if len(out) > limit {
		out = out[:limit]
	}
	return out, nil
}

// order is $order: the subscript after (or before) the last one given.
func (p *parser) order(v variable, forward bool) (string, error) {
	if p.skip > 0 || len(v.subs) == 0 {
		return "", nil
	}
	prefix := store.Key(v.name, v.subs[:len(v.subs)-1]...)
	last := v.subs[len(v.subs)-1]
	if !forward {
		return p.orderBack(v, prefix, last)
	}
	after := ""
	if last != "" {
		// Everything below the subscript begins with its key, and ends before this.
		after = v.key() + "\xff\xff"
	}
	keys, err := p.keys(v, prefix, max(after, prefix), 1)
	if err != nil || len(keys) == 0 {
		return "", err
	}
	sub, _, _ := store.FirstSub(keys[0], prefix)
	return sub, nil
}

func (p *parser) orderBack(v variable, prefix, last string) (string, error) {
	limit := prefix + "\xff"
	if last != "" {
		limit = v.key()
	}
	var key string
	var ok bool
	if v.global {
		var err error
		if key, ok, err = p.s.Sys.Before(v.ns, prefix, limit); err != nil {
			return "", err
		}
	} else {
		for k := range p.s.locals {
			if strings.HasPrefix(k, prefix) && k < limit && k > key {
				key, ok = k, true
			}
		}
	}
	if !ok {
		return "", nil
	}
	sub, _, _ := store.FirstSub(key, prefix)
	return sub, nil
}

// data is $data: 1 for a value, 10 for something below, 11 for both.
func (p *parser) data(v variable) (string, error) {
	_, has, err := p.lookup(v)
	if err != nil {
		return "", err
	}
	below, err := p.keys(v, v.key(), v.key(), 1)
	if err != nil {
		return "", err
	}
	sum := 0.0
	if has {
		sum++
	}
	if len(below) > 0 {
		sum += 10
	}
	return number(sum), nil
}
