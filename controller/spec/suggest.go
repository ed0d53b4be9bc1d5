package spec

import (
	"strings"

	"github.com/agnivade/levenshtein"
)

// similar finds the known name that an unknown one may have been meant for.
// Names switched off on purpose ("_Mirror") do not count.
func similar(name string) (string, bool) {
	if name == "" || !isLetter(name[0]) {
		return "", false
	}
	lower := strings.ToLower(name)
	best, distance := "", len(name)/4+1
	for known, f := range byName {
		if max(len(known), len(lower))-min(len(known), len(lower)) >= distance {
			continue
		}
		// Ties go to the first in the alphabet, for the same answer every time.
		d := levenshtein.ComputeDistance(lower, known)
		if d < distance || d == distance && best != "" && f.Name < best {
			best, distance = f.Name, d
		}
	}
	return best, best != ""
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
