// Package engine runs changes on a node and survives being killed. It knows
// nothing of IRIS, disks or systemd: what a task does is a [Kind] that it is
// given.
//
// # Change
//
// A change is one thing the controller asked of this node, such as "Install
// IRIS". Its id is chosen by the controller, so asking twice is asking once.
// One change runs at a time.
//
// # Task
//
// A task is one step of a change. Its kind says which code runs. A task that
// was running when the agent died is run again; kinds must allow for that.
//
// # Task journal
//
// Everything that moves is a record of the journal, written and synced before
// the engine acts on it. A record is also an event: the journal is what the
// controller is told, in order and without gaps.
package engine
