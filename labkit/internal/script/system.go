package script

import (
	"sort"

	"icm/labkit/internal/store"
)

// System is what a session needs of the instance it runs in. Keys are made
// by store.Key.
type System interface {
	Get(ns, key string) (string, bool, error)
	Set(ns, key, value string) error
	Kill(ns, key string) error
	Keys(ns, prefix, after string, limit int) ([]string, error)
	Before(ns, prefix, limit string) (string, bool, error)
	// Namespace returns the name as the instance writes it.
	Namespace(ns string) (string, bool)
	// Call runs a class method. An unknown class or method is an *Error.
	Call(s *Session, class, method string, args []Arg) (string, error)
	// Special returns a special variable's value, such as ZVERSION.
	Special(name string) (string, bool)
}

// Error is an error of the language, such as <UNDEFINED> with the detail *x.
type Error struct{ Code, Detail string }

func (e *Error) Error() string {
	if e.Detail == "" {
		return e.Code
	}
	return e.Code + " " + e.Detail
}

func syntax() error { return &Error{Code: "<SYNTAX>"} }

// Arg is one argument of a method. Ref is set for arguments with a dot.
type Arg struct {
	Value string
	Omit  bool
	ref   *localRef
}

type localRef struct {
	s    *Session
	name string
}

// IsRef says whether the argument was passed by reference.
func (a Arg) IsRef() bool { return a.ref != nil }

// Put sets the variable, or its element sub, in the caller.
func (a Arg) Put(value string, subs ...string) {
	if a.ref != nil {
		a.ref.s.locals[store.Key(a.ref.name, subs...)] = value
	}
}

// Sub returns element sub of the array passed.
func (a Arg) Sub(sub string) (string, bool) {
	if a.ref == nil {
		return "", false
	}
	v, ok := a.ref.s.locals[store.Key(a.ref.name, sub)]
	return v, ok
}

// Subs returns all elements one level down, by subscript.
func (a Arg) Subs() map[string]string {
	out := map[string]string{}
	if a.ref == nil {
		return out
	}
	prefix := store.Key(a.ref.name)
	for k, v := range a.ref.s.locals {
		if sub, upTo, ok := store.FirstSub(k, prefix); ok && upTo == k {
			out[sub] = v
		}
	}
	return out
}

// Names are the subscripts of Subs in order.
func (a Arg) Names() []string {
	var out []string
	for k := range a.Subs() {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}
