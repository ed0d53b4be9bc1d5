package wire

import "time"

// HealthRequest asks what ails a node.
type HealthRequest struct {
	// MaxAge is how old the answer may be, in seconds: when the agent looked
	// longer ago, it looks again before it answers. 0 always looks.
	MaxAge int `msgpack:"max_age"`
	// Seen says that somebody has read the severe lines of messages.log: they
	// are findings no longer.
	Seen bool `msgpack:"seen,omitempty"`
	// Past asks for findings that are over, too.
	Past bool `msgpack:"past,omitempty"`
}

// HealthReply is what ails a node, as of At.
type HealthReply struct {
	Now time.Time `msgpack:"now"` // the node's clock as it answers
	At  time.Time `msgpack:"at"`  // when the agent looked; zero when it never did
	// Busy is the id of the change that is running, or "". The agent does not
	// look meanwhile.
	Busy     string          `msgpack:"busy,omitempty"`
	Findings []HealthFinding `msgpack:"findings"`
	Past     []HealthFinding `msgpack:"past,omitempty"` // newest last
}

// Severities of a HealthFinding.
const (
	SeverityAlert = "alert" // something does not work, or data is in danger
	SeverityWarn  = "warn"  // it will come to that, or is not as it was set
)

// HealthFinding is one thing that ails a node.
type HealthFinding struct {
	Check    string    `msgpack:"check" json:"check"`       // "space", "drift", …
	Severity string    `msgpack:"severity" json:"severity"` // SeverityAlert or SeverityWarn
	Text     string    `msgpack:"text" json:"text"`
	Since    time.Time `msgpack:"since" json:"since"`                     // by the node's clock
	Until    time.Time `msgpack:"until,omitempty" json:"until,omitempty"` // of one that is over
	// Hint is the smallest action that clears it: a command, in which NODE
	// stands for the machine's name.
	Hint string `msgpack:"hint,omitempty" json:"hint,omitempty"`
}
