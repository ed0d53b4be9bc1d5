package spec

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Names are all names in alphabetical order, spelled as in the table; unknown
// ones as written.
func (f Fields) Names() []string {
	seen := map[string]string{}
	for _, l := range slices.Backward(f.layers) {
		for key, e := range l.entries {
			seen[key] = e.name
		}
	}
	return slices.SortedFunc(maps.Values(seen), func(a, b string) int {
		return strings.Compare(strings.ToLower(a), strings.ToLower(b))
	})
}

// Map returns names and values, unknown fields included. Secrets are in it
// only when asked for.
func (f Fields) Map(includeSecrets bool) map[string]string {
	all := map[string]string{}
	for _, l := range slices.Backward(f.layers) {
		for _, e := range l.entries {
			if e.secret && !includeSecrets {
				continue
			}
			all[e.name] = e.value
			if e.secret {
				all[e.name] = e.hidden.Reveal()
			}
		}
	}
	return all
}

// CPF are the settings of iris.cpf that the fields ask for: "section.key" to
// value. Fields without a value leave the kit's own.
func (f Fields) CPF() map[string]string {
	settings := map[string]string{}
	for i := range Table {
		field := &Table[i]
		if field.CPF == "" || field.Type == MountPoint && f.Bool("Nonroot") {
			continue // without root no volumes are mounted
		}
		if v := f.Get(field.Name); v != "" {
			settings[field.CPF] = v
		}
	}
	return settings
}

// String is for logs: names and values in order, secrets as stars.
func (f Fields) String() string {
	var b strings.Builder
	for i, name := range f.Names() {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(name + "=" + strconv.Quote(f.Get(name)))
	}
	return b.String()
}

// GoString implements fmt.GoStringer.
func (f Fields) GoString() string { return f.String() }

// MarshalJSON writes an object without the secrets.
func (f Fields) MarshalJSON() ([]byte, error) { return json.Marshal(f.Map(false)) }
