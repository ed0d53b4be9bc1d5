package script

import (
	"errors"
	"io"
	"strconv"
	"strings"

	"icm/labkit/internal/store"
)

// Session is one user's work: a namespace, local variables, an output.
type Session struct {
	NS   string
	User string
	Sys  System
	Out  io.Writer

	locals map[string]string
	column int
	halted bool
	depth  int
}

// NewSession starts in namespace ns.
func NewSession(sys System, ns, user string, out io.Writer) *Session {
	return &Session{NS: ns, User: user, Sys: sys, Out: out, locals: map[string]string{}}
}

// Halted says whether the user has ended the session.
func (s *Session) Halted() bool { return s.halted }

// Print writes text to the user.
func (s *Session) Print(text string) {
	if i := strings.LastIndexAny(text, "\n"); i >= 0 {
		s.column = len(text) - i - 1
	} else {
		s.column += len(text)
	}
	io.WriteString(s.Out, text)
}

// Column is how far the line written last has come.
func (s *Session) Column() int { return s.column }

// errQuit unwinds to the block or call a quit belongs to; errHalt ends all.
var (
	errQuit = errors.New("quit")
	errHalt = errors.New("halt")
)

// Line runs one line of commands. The error, when not nil, is an *Error or
// comes from the instance.
func (s *Session) Line(text string) error {
	err := s.run(text)
	if errors.Is(err, errHalt) {
		s.halted = true
		return nil
	}
	if errors.Is(err, errQuit) {
		return nil
	}
	return err
}

// Entry runs the one call of a command line and returns its value.
// "##class(A).B()" and "$SYSTEM.A.B()" are calls; other text is commands.
func (s *Session) Entry(text string) (value string, isCall bool, err error) {
	text = strings.TrimSpace(text)
	upper := strings.ToUpper(text)
	if !strings.HasPrefix(upper, "##CLASS") && !strings.HasPrefix(upper, "$SYSTEM.") {
		return "", false, s.Line(text)
	}
	p := &parser{s: s, text: text}
	value, err = p.expr()
	if err == nil && !p.done() {
		err = syntax()
	}
	return value, true, err
}

// Eval returns the value of an expression.
func (s *Session) Eval(text string) (string, error) {
	p := &parser{s: s, text: text}
	v, err := p.expr()
	if err == nil && !p.done() {
		return "", syntax()
	}
	return v, err
}

// maxDepth stops code that calls itself for ever.
const maxDepth = 100

func (s *Session) run(text string) error {
	if s.depth++; s.depth > maxDepth {
		s.depth--
		return &Error{Code: "<FRAMESTACK>"}
	}
	defer func() { s.depth-- }()
	p := &parser{s: s, text: text}
	return p.commands()
}

// Truth and numbers: a value is the number its beginning reads as.

func num(v string) float64 {
	v = strings.TrimLeft(v, "")
	end, dot, digits := 0, false, false
	for end < len(v) && (v[end] == '+' || v[end] == '-') && end == 0 {
		end++
	}
	for end < len(v) {
		c := v[end]
		if c >= '0' && c <= '9' {
			digits = true
		} else if c == '.' && !dot {
			dot = true
		} else {
			break
		}
		end++
	}
	if !digits {
		return 0
	}
	f, _ := strconv.ParseFloat(v[:end], 64)
	return f
}

func truth(v string) bool { return num(v) != 0 }

func boolean(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

func number(f float64) string { return store.FormatNumber(f) }
