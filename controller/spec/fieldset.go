package spec

import (
	"regexp"
	"strconv"
	"strings"

	"icm/internal/secret"
)

// Source is where a field's value comes from.
type Source string

// The sources, the strongest first.
const (
	FromOption      Source = "command line"
	FromDefinitions Source = "definitions file"
	FromDefaults    Source = "defaults file"
	FromICM         Source = "default"
)

// Fields are the fields that hold for a node, an entry, or the whole
// deployment. Names are compared without regard to case. Values of secret
// fields show nowhere except by [Fields.Secret] and Map(true). The zero value
// holds nothing.
//
// All entries share the layers of the defaults; only their own is theirs.
type Fields struct{ layers []*layer } // strongest first

type layer struct {
	source  Source
	entries map[string]entry // by lower-case canonical name
}

type entry struct {
	name   string // as in the table, or as written
	value  string // "" when secret
	hidden secret.Secret
	secret bool
	pos    Position
}

func newEntry(name, value string, pos Position) entry {
	e := entry{name: name, pos: pos}
	f, known := Lookup(name)
	if known {
		e.name = f.Name
	}
	if known && f.Secret || !known && soundsSecret.MatchString(name) {
		e.secret, e.hidden = true, secret.New(value)
	} else {
		e.value = value
	}
	return e
}

// soundsSecret catches unknown fields, among them known ones that were
// switched off by changing their names ("_ISCPassword").
var soundsSecret = regexp.MustCompile(`(?i)passw|passphrase|secret|token|accesskey|access_key`)

// MakeFields makes fields of plain values, as if they stood in the
// definitions file.
func MakeFields(values map[string]string) Fields { return Fields{}.With(FromDefinitions, values) }

// With returns fields in which the given values stand above all others.
func (f Fields) With(source Source, values map[string]string) Fields {
	l := &layer{source: source, entries: make(map[string]entry, len(values))}
	for name, value := range values {
		l.put(newEntry(name, value, Position{}))
	}
	return f.above(l)
}

// Without returns fields as they were without the values of one source.
func (f Fields) Without(source Source) Fields {
	var out Fields
	for _, l := range f.layers {
		if l.source != source {
			out.layers = append(out.layers, l)
		}
	}
	return out
}

func (f Fields) above(l *layer) Fields {
	return Fields{append([]*layer{l}, f.layers...)}
}

func (l *layer) put(e entry) { l.entries[strings.ToLower(e.name)] = e }

func (f Fields) find(name string) (entry, Source, bool) {
	if known, ok := Lookup(name); ok {
		name = known.Name
	}
	key := strings.ToLower(name)
	for _, l := range f.layers {
		if e, ok := l.entries[key]; ok {
			return e, l.source, true
		}
	}
	return entry{}, "", false
}

// Get is the value of a field, "" when it has none. A secret one is stars: see
// [Fields.Secret].
func (f Fields) Get(name string) string {
	v, _ := f.Lookup(name)
	return v
}

// Lookup is Get, and whether the field has a value at all.
func (f Fields) Lookup(name string) (string, bool) {
	e, _, ok := f.find(name)
	if e.secret && !e.hidden.Empty() {
		return stars, ok
	}
	return e.value, ok
}

const stars = "*****"

// Secret is the value of a field that is or is not secret.
func (f Fields) Secret(name string) secret.Secret {
	e, _, ok := f.find(name)
	if ok && !e.secret {
		return secret.New(e.value)
	}
	return e.hidden
}

// Bool reports whether the field says true. Other words than true and false
// have been refused by [Load].
func (f Fields) Bool(name string) bool { return strings.EqualFold(f.Get(name), "true") }

// Int is the value of a whole number, 0 when there is none.
func (f Fields) Int(name string) int {
	n, err := strconv.Atoi(f.Get(name))
	if err != nil {
		return 0
	}
	return n
}

// List is the value of a list, without blanks; nil when there is none.
func (f Fields) List(name string) []string { return splitList(f.Get(name)) }

func splitList(s string) []string {
	if strings.TrimSpace(s) == "" {
		return nil
	}
	parts := strings.Split(s, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}

// Source says where the value comes from, "" when there is none.
func (f Fields) Source(name string) Source {
	_, source, _ := f.find(name)
	return source
}

// Position is where the value stands, the zero value when in no file.
func (f Fields) Position(name string) Position {
	e, _, _ := f.find(name)
	return e.pos
}
