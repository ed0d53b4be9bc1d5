package wire

import (
	"fmt"
	"time"
)

// Waiting is one wait, explained, as it stands at one look. Every wait of every
// program is told in this form, and none is without an end. It has no times of
// day: the clocks of two machines differ.
type Waiting struct {
	// For is the predicate, with its preposition: "until the agent answers
	// again", "for IRIS to be ready".
	For    string        `msgpack:"for" json:"for"`
	Last   string        `msgpack:"last,omitempty" json:"last,omitempty"` // value last seen
	Lasted time.Duration `msgpack:"lasted" json:"lasted"`                 // ns, so far
	Left   time.Duration `msgpack:"left" json:"left"`                     // ns, until it is given up
	// Clears says what would end it.
	Clears string `msgpack:"clears" json:"clears"`
}

// Sentence tells the wait to people, by the clock of who reads it.
func (w Waiting) Sentence(now time.Time) string {
	seen := ""
	if w.Last != "" {
		seen = "; last seen: " + w.Last
	}
	return fmt.Sprintf("%s%s; for %s now, until %s at the latest; %s", w.For, seen,
		w.Lasted.Round(time.Second), now.Add(w.Left).Local().Format("15:04:05"), w.Clears)
}
