package deploy

import "slices"

// Verb is an operation that changes nodes by a plan.
type Verb string

// The verbs that have a plan.
const (
	VerbProvision Verb = "provision"
	VerbInstall   Verb = "install"
	VerbUpgrade   Verb = "upgrade"
	VerbUninstall Verb = "uninstall"
	VerbStart     Verb = "start"
	VerbStop      Verb = "stop"
)

// Verbs are all of them, in the order of a deployment's life.
var Verbs = []Verb{VerbProvision, VerbInstall, VerbUpgrade, VerbUninstall, VerbStart, VerbStop}

// ParseVerb reads a verb.
func ParseVerb(s string) (Verb, bool) { return Verb(s), slices.Contains(Verbs, Verb(s)) }

// needsKit reports whether the verb works with the kit itself.
func (v Verb) needsKit() bool { return v == VerbInstall || v == VerbUpgrade }
