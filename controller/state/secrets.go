package state

import (
	"regexp"
	"strings"
)

const stars = "*****"

// secretField reports whether a field holds a secret and so is never written.
// It goes by the name, so that an unknown field is on the safe side too.
func secretField(name string) bool {
	name = strings.ToLower(name)
	for _, word := range []string{"password", "passphrase", "secret", "token"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

// cleanValue takes user and password out of a URL: "https://u:p@host/kit".
func cleanValue(value string) string {
	if !strings.Contains(value, "@") {
		return value
	}
	return regexp.MustCompile(`://[^/@\s]*:[^/\s]*@`).ReplaceAllString(value, "://")
}

// cleanArgs hides the values of options that are secrets: "-iscPassword x"
// and "-iscPassword=x".
func cleanArgs(argv []string) []string {
	out := make([]string, 0, len(argv))
	hide := false
	for _, arg := range argv {
		name, _, hasValue := strings.Cut(arg, "=")
		option := strings.HasPrefix(arg, "-")
		switch {
		case hide && !option:
			arg = stars
		case option && hasValue && secretField(name):
			arg = name + "=" + stars
		}
		hide = option && !hasValue && secretField(name)
		out = append(out, cleanValue(arg))
	}
	return out
}
