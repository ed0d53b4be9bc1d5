package cpf

import "strings"

// Change is one setting that two files see differently. A side on which the
// key is missing has Has* false.
type Change struct {
	Section, Key        string
	Before, After       string
	HasBefore, HasAfter bool
}

// Diff lists the settings that differ between two files: first those of
// before in its order, then those only after has.
func Diff(before, after *File) []Change {
	var out []Change
	each(before, func(section, key string) {
		a, _ := before.Get(section, key)
		b, ok := after.Get(section, key)
		if !ok || a != b {
			out = append(out, Change{section, key, a, b, true, ok})
		}
	})
	each(after, func(section, key string) {
		if _, ok := before.Get(section, key); !ok {
			b, _ := after.Get(section, key)
			out = append(out, Change{section, key, "", b, false, true})
		}
	})
	return out
}

func each(f *File, do func(section, key string)) {
	for _, s := range f.Sections() {
		for _, k := range f.Keys(s) {
			do(s, k)
		}
	}
}

// Equal reports whether IRIS would read two values as the same: lists are
// compared element by element, numbers as numbers, directories with or without
// the slash at the end.
func Equal(a, b string) bool {
	as, bs := strings.Split(a, ","), strings.Split(b, ",")
	if len(as) != len(bs) {
		return false
	}
	for i := range as {
		if normal(as[i]) != normal(bs[i]) {
			return false
		}
	}
	return true
}

func normal(s string) string {
	s = strings.TrimSpace(s)
	digits := strings.TrimPrefix(s, "-")
	if digits != "" && strings.Trim(digits, "0123456789") == "" {
		digits = strings.TrimLeft(digits, "0")
		if digits == "" {
			return "0"
		}
		if s[0] == '-' {
			return "-" + digits
		}
		return digits
	}
	if len(s) > 1 && s[0] == '/' {
		return strings.TrimRight(s, "/") + "/"
	}
	return s
}
