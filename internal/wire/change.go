package wire

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"
)

// Change is what one node is asked to do. Its id is chosen by the controller.
type Change struct {
	ID        string `msgpack:"id" json:"id"`
	Operation string `msgpack:"operation" json:"operation"`
	// Plan is the digest of the plan the change belongs to.
	Plan    string `msgpack:"plan" json:"plan"`
	Summary string `msgpack:"summary" json:"summary"`
	// OnError says what a failing task means for the tasks before it.
	OnError OnError `msgpack:"on_error" json:"on_error"`
	Tasks   []Task  `msgpack:"tasks" json:"tasks"`
}

// ChangeDigest names everything that a change says: the sha256 of its JSON
// form, in hex.
func ChangeDigest(c Change) (string, error) {
	data, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}

// OnError is what a failing task means for the tasks before it.
type OnError string

// The two answers to a failing task.
const (
	Undo OnError = "undo" // undo what can be undone, newest first
	Hold OnError = "hold" // leave everything as it is
)

// Task is one step of a change.
type Task struct {
	ID   string `msgpack:"id" json:"id"`     // unique in its change: "1", "2", …
	Kind string `msgpack:"kind" json:"kind"` // a key of the table in internal/kind
	// Summary is for people: "Install kit IRIS-2023.1.0.235.1-lnxrh8x64".
	Summary string `msgpack:"summary" json:"summary"`
	// Args is the kind's argument struct (internal/kind), as JSON.
	Args json.RawMessage `msgpack:"args" json:"args"`
	// Bind is what the look that the plan was made from said must still hold.
	Bind string `msgpack:"bind,omitempty" json:"bind,omitempty"`
}

// Status is where a change or a task stands.
//
//	do ──▶ doing ──▶ done ──▶ undo ──▶ undoing ──▶ undone
//	         │                             │
//	         └──▶ error                    └──▶ error
//
// A task found doing or undoing at start means the agent died in the middle:
// it is run again. "hold" is a task that was never begun because another one
// failed or the change was aborted; "wait" is a task that waits for something
// that it names in its log.
type Status string

// The status words, in the order a task goes through them.
const (
	StatusDo      Status = "do"
	StatusDoing   Status = "doing"
	StatusDone    Status = "done"
	StatusUndo    Status = "undo"
	StatusUndoing Status = "undoing"
	StatusUndone  Status = "undone"
	StatusError   Status = "error"
	StatusHold    Status = "hold"
	StatusWait    Status = "wait"
)

// Ended reports whether a change in this status will not move by itself.
func (s Status) Ended() bool {
	return s == StatusDone || s == StatusUndone || s == StatusError || s == StatusHold
}

// Event is one record of the task journal.
type Event struct {
	Seq    uint64    `msgpack:"seq" json:"seq"`
	Time   time.Time `msgpack:"time" json:"time"`
	Change string    `msgpack:"change" json:"change"`
	Task   string    `msgpack:"task,omitempty" json:"task,omitempty"` // "" is about the change itself
	Status Status    `msgpack:"status,omitempty" json:"status,omitempty"`
	// Line is one line of the task's log, for people.
	Line string `msgpack:"line,omitempty" json:"line,omitempty"`
	// Error and Hint stand with StatusError.
	Error string `msgpack:"error,omitempty" json:"error,omitempty"`
	Hint  string `msgpack:"hint,omitempty" json:"hint,omitempty"`
}
