package remote

import "strings"

// Quote makes one word of s for a POSIX shell, whatever s holds. This is the
// only place where anything is quoted for a shell. A NUL byte cannot be in an
// argument at all and is dropped.
func Quote(s string) string {
	s = strings.ReplaceAll(s, "\x00", "")
	if s != "" && strings.IndexFunc(s, needsQuotes) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// needsQuotes leaves bare only what no shell treats specially, also at the
// beginning of a word ("~" and "=" are special in some places).
func needsQuotes(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-./:,+@%", r))
}

// QuoteArgs makes a command line of argv.
func QuoteArgs(argv ...string) string {
	words := make([]string, len(argv))
	for i, a := range argv {
		words[i] = Quote(a)
	}
	return strings.Join(words, " ")
}
