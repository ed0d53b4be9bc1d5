package script

import (
	"math"
	"strings"
)

func (p *parser) binary(op, a, b string) (string, error) {
	x, y := num(a), num(b)
	switch op {
	case "+":
		return number(x + y), nil
	case "-":
		return number(x - y), nil
	case "*":
		return number(x * y), nil
	case "**":
		return number(math.Pow(x, y)), nil
	case "/", "\\", "#":
		return p.divide(op, x, y)
	case "_":
		return a + b, nil
	case "&", "&&":
		return boolean(truth(a) && truth(b)), nil
	case "!", "||":
		return boolean(truth(a) || truth(b)), nil
	}
	return compare(op, a, b)
}

func (p *parser) divide(op string, x, y float64) (string, error) {
	if y == 0 {
		if p.skip > 0 {
			return "0", nil
		}
		return "", &Error{Code: "<DIVIDE>"}
	}
	switch op {
	case "\\":
		return number(math.Trunc(x / y)), nil
	case "#":
		return number(x - y*math.Floor(x/y)), nil
	}
	return number(x / y), nil
}

func compare(op, a, b string) (string, error) {
	if negated := strings.TrimPrefix(op, "'"); negated != op {
		v, err := compare(negated, a, b)
		return boolean(!truth(v)), err
	}
	switch op {
	case "=":
		return boolean(a == b), nil
	case "<":
		return boolean(num(a) < num(b)), nil
	case ">":
		return boolean(num(a) > num(b)), nil
	case "<=":
		return boolean(num(a) <= num(b)), nil
	case ">=":
		return boolean(num(a) >= num(b)), nil
	case "[":
		return boolean(strings.Contains(a, b)), nil
	case "]", "]]":
		return boolean(a > b), nil
	case "&":
		return boolean(truth(a) && truth(b)), nil
	case "!":
		return boolean(truth(a) || truth(b)), nil
	}
	return "", syntax()
}
