package terraform

import (
	"strconv"
	"strings"
)

// Fields are those of a node, or of the defaults file. Names are compared
// without regard to case.
type Fields map[string]string

// Get is a field's value, "" where it is not set.
func (f Fields) Get(name string) string {
	if v, ok := f[name]; ok {
		return strings.TrimSpace(v)
	}
	for k, v := range f {
		if strings.EqualFold(k, name) {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// Bool reports whether a field is true.
func (f Fields) Bool(name string) bool { return strings.EqualFold(f.Get(name), "true") }

// Int is a field's number, 0 where it has none.
func (f Fields) Int(name string) int {
	n, err := strconv.Atoi(f.Get(name))
	if err != nil {
		return 0
	}
	return n
}

// List are the parts of a field between commas.
func (f Fields) List(name string) []string {
	var out []string
	for part := range strings.SplitSeq(f.Get(name), ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}
