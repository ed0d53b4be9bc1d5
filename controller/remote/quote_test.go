package remote

import (
	"os/exec"
	"strings"
	"testing"
)

func TestAWordIsQuotedOnlyWhenNeeded(t *testing.T) {
	for in, want := range map[string]string{
		"":               `''`,
		"/usr/bin/x-1.2": `/usr/bin/x-1.2`,
		"a b":            `'a b'`,
		"it's":           `'it'\''s'`,
		"$(rm -rf /)":    `'$(rm -rf /)'`,
		"~root":          `'~root'`,
		"A=b":            `'A=b'`,
		"line\nline":     "'line\nline'",
		"nul\x00dropped": `nuldropped`,
	} {
		if got := Quote(in); got != want {
			t.Errorf("Quote(%q) = %s, want %s", in, got, want)
		}
	}
}

// The shell itself says what it made of the words.
func FuzzTheShellSeesWhatWasQuoted(f *testing.F) {
	for _, s := range []string{"", "a", "it's", "$HOME", "`id`", "\\", "'\"'", "\n", "-n", "!x", "*", "~", "\xff\xfe", "a\tb"} {
		f.Add(s, s+s)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		out, err := exec.Command("/bin/sh", "-c", "printf '<%s>' "+QuoteArgs(a, b)).Output()
		clean := func(s string) string { return strings.ReplaceAll(s, "\x00", "") }
		if want := "<" + clean(a) + "><" + clean(b) + ">"; err != nil || string(out) != want {
			t.Errorf("the shell saw %q (%v), want %q", out, err, want)
		}
	})
}
