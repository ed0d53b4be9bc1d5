package deploy

import "icm/internal/wire"

// EventKind says what an Event is about.
type EventKind int

// The kinds of event.
const (
	// Starting and Finished frame a piece of work: "Installing kit" on a
	// node, "apply" of a definition.
	Starting EventKind = iota
	Finished
	// Failed ends a piece of work; Err says why.
	Failed
	// Moved is how far a piece of work is.
	Moved
	// Waiting says what is waited for, what was last seen, for how long, until
	// when, and what would end it.
	Waiting
	// Said is a line for the operator, Warned one that should be heeded.
	Said
	Warned
	// Recorded is a line for icm.log only.
	Recorded
)

// Event is something the operator may want to see.
type Event struct {
	Kind EventKind
	// Subject is a node's machine name or a definition's name; "" is the
	// whole deployment.
	Subject string
	// Text is the work, in the words of its kind: Starting "Installing kit",
	// Finished "installed kit". For the others, a sentence.
	Text string
	// Preposition joins Text and Subject: "on" for nodes, "of" for definitions.
	Preposition string
	Progress    wire.Progress // of Moved
	Err         error         // of Failed
	// Waiting is what Text says in words; nil where only the words are known.
	Waiting *wire.Waiting
}

// Reporter is told what happens. It may be called from many goroutines.
type Reporter interface {
	Report(Event)
}
