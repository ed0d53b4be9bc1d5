package script

import (
	"fmt"
	"os"
	"sort"
	"strings"
	"time"

	"icm/labkit/internal/store"
)

func sortStrings(s []string) { sort.Strings(s) }

// dollar reads $SYSTEM.x.y(), $function(...) or a special variable.
func (p *parser) dollar() (string, error) {
	if p.accept("$SYSTEM.") {
		return p.systemCall()
	}
	p.pos++
	name := strings.ToUpper(p.name(false))
	if !p.accept("(") {
		return p.special(name)
	}
	switch name {
	case "GET", "G", "DATA", "D", "ORDER", "O", "INCREMENT", "I":
		return p.variableFunction(name)
	case "SELECT", "S":
		return p.selectFunction()
	case "CASE":
		return p.caseFunction()
	}
	args, err := p.arguments()
	if err != nil || p.skip > 0 {
		return "", err
	}
	return p.plainFunction(name, args)
}

func (p *parser) special(name string) (string, error) {
	switch name {
	case "NAMESPACE", "ZNSPACE":
		return p.s.NS, nil
	case "USERNAME":
		return p.s.User, nil
	case "JOB", "J":
		return fmt.Sprint(os.Getpid()), nil
	case "HOROLOG", "H":
		now := time.Now()
		days := int(now.Sub(time.Date(1840, 12, 31, 0, 0, 0, 0, now.Location())).Hours() / 24)
		return fmt.Sprintf("%d,%d", days, now.Hour()*3600+now.Minute()*60+now.Second()), nil
	}
	if v, ok := p.s.Sys.Special(name); ok {
		return v, nil
	}
	return "", syntax()
}

// variableFunction is one of those whose first argument is a variable.
func (p *parser) variableFunction(name string) (string, error) {
	v, err := p.reference()
	if err != nil {
		return "", err
	}
	second, given := "", false
	if p.accept(",") {
		given = true
		if second, err = p.expr(); err != nil {
			return "", err
		}
	}
	if err := p.expect(")"); err != nil || p.skip > 0 {
		return "", err
	}
	switch name[0] {
	case 'G':
		if value, ok, err := p.lookup(v); ok || err != nil {
			return value, err
		}
		return second, nil
	case 'D':
		return p.data(v)
	case 'O':
		return p.order(v, !given || num(second) >= 0)
	}
	step := 1.0
	if given {
		step = num(second)
	}
	old, _, err := p.lookup(v)
	if err != nil {
		return "", err
	}
	sum := number(num(old) + step)
	return sum, p.assign(v, sum)
}

func (p *parser) selectFunction() (string, error) {
	result, found := "", false
	for {
		cond, err := p.quiet(found)
		if err != nil {
			return "", err
		}
		if err := p.expect(":"); err != nil {
			return "", err
		}
		take := !found && truth(cond)
		v, err := p.quiet(!take)
		if err != nil {
			return "", err
		}
		if take {
			result, found = v, true
		}
		if !p.accept(",") {
			break
		}
	}
	if err := p.expect(")"); err != nil {
		return "", err
	}
	if !found && p.skip == 0 {
		return "", &Error{Code: "<SELECT>"}
	}
	return result, nil
}

func (p *parser) caseFunction() (string, error) {
	subject, err := p.expr()
	if err != nil {
		return "", err
	}
	result, found := "", false
	for p.accept(",") {
		take := false
		if p.peek() == ':' {
			take = !found
		} else {
			v, err := p.quiet(found)
			if err != nil {
				return "", err
			}
			take = !found && v == subject
		}
		if err := p.expect(":"); err != nil {
			return "", err
		}
		v, err := p.quiet(!take)
		if err != nil {
			return "", err
		}
		if take {
			result, found = v, true
		}
	}
	return result, p.expect(")")
}

// quiet reads an expression, without effect when skip is true.
func (p *parser) quiet(skip bool) (string, error) {
	p.spaces()
	if skip {
		p.skip++
		defer func() { p.skip-- }()
	}
	return p.expr()
}

// arguments reads values up to the closing parenthesis.
func (p *parser) arguments() ([]string, error) {
	var out []string
	p.spaces()
	if p.accept(")") {
		return nil, nil
	}
	for {
		p.spaces()
		v := ""
		if p.peek() != ',' && p.peek() != ')' {
			var err error
			if v, err = p.expr(); err != nil {
				return nil, err
			}
		}
		out = append(out, v)
		p.spaces()
		if p.accept(",") {
			continue
		}
		return out, p.expect(")")
	}
}

func (p *parser) plainFunction(name string, args []string) (string, error) {
	arg := func(i int) string {
		if i < len(args) {
			return args[i]
		}
		return ""
	}
	count := func(i, missing int) int {
		if i < len(args) {
			return int(num(args[i]))
		}
		return missing
	}
	switch name {
	case "LENGTH", "L":
		if len(args) > 1 {
			return number(float64(strings.Count(args[0], args[1]) + 1)), nil
		}
		return number(float64(len(arg(0)))), nil
	case "PIECE", "P":
		from := count(2, 1)
		return piece(arg(0), arg(1), from, count(3, from)), nil
	case "EXTRACT", "E":
		from := count(1, 1)
		return extract(arg(0), from, count(2, from)), nil
	case "FIND", "F":
		at := strings.Index(arg(0), arg(1))
		if at < 0 {
			return "0", nil
		}
		return number(float64(at + len(arg(1)) + 1)), nil
	case "CHAR", "C":
		var b strings.Builder
		for _, a := range args {
			b.WriteRune(rune(num(a)))
		}
		return b.String(), nil
	case "ASCII", "A":
		if arg(0) == "" {
			return "-1", nil
		}
		return number(float64([]rune(arg(0))[0])), nil
	case "TRANSLATE", "TR":
		return translate(arg(0), arg(1), arg(2)), nil
	case "REPLACE":
		return strings.ReplaceAll(arg(0), arg(1), arg(2)), nil
	case "ZCONVERT", "ZCVT":
		if strings.HasPrefix(strings.ToUpper(arg(1)), "L") {
			return strings.ToLower(arg(0)), nil
		}
		return strings.ToUpper(arg(0)), nil
	case "ZSTRIP":
		return strings.TrimSpace(arg(0)), nil
	case "ZHEX", "ZH":
		return zhex(arg(0)), nil
	case "ZDATETIME", "ZDT":
		return time.Now().Format("2006-01-02 15:04:05"), nil
	case "NUMBER", "NUM":
		return number(num(arg(0))), nil
	case "ZUTIL", "ZU":
		return p.zutil(args)
	case "LISTBUILD", "LB", "LIST", "LI", "LISTGET", "LG", "LISTLENGTH", "LL", "LISTTOSTRING", "LTS", "LISTFROMSTRING", "LFS":
		return listFunction(name, args)
	case "CLASSMETHOD":
		var rest []Arg
		for _, a := range args[min(2, len(args)):] {
			rest = append(rest, Arg{Value: a})
		}
		return p.s.Sys.Call(p.s, arg(0), arg(1), rest)
	}
	return "", syntax()
}

// zutil knows the one call old scripts make: the current namespace.
func (p *parser) zutil(args []string) (string, error) {
	if len(args) == 1 && args[0] == "5" {
		return p.s.NS, nil
	}
	return "", &Error{Code: "<FUNCTION>"}
}

func piece(s, sep string, from, to int) string {
	if sep == "" {
		return ""
	}
	parts := strings.Split(s, sep)
	from, to = max(from, 1), min(to, len(parts))
	if from > to {
		return ""
	}
	return strings.Join(parts[from-1:to], sep)
}

func extract(s string, from, to int) string {
	from, to = max(from, 1), min(to, len(s))
	if from > to {
		return ""
	}
	return s[from-1 : to]
}

func translate(s, from, to string) string {
	var b strings.Builder
	for i := range len(s) {
		at := strings.IndexByte(from, s[i])
		switch {
		case at < 0:
			b.WriteByte(s[i])
		case at < len(to):
			b.WriteByte(to[at])
		}
	}
	return b.String()
}

// zhex turns a hexadecimal string into a number and a number into a string.
func zhex(v string) string {
	if store.IsNumber(v) {
		return strings.ToUpper(fmt.Sprintf("%x", int64(num(v))))
	}
	var n int64
	fmt.Sscanf(strings.ToLower(v), "%x", &n)
	return fmt.Sprint(n)
}
