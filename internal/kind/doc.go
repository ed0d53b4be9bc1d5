// Package kind is the list of everything an agent can do to a node: the task
// kinds, their arguments, whether there is a way back, and the words in which
// an operator is told about them.
//
// The controller plans with it, the agent implements it (agent/tasks), and a
// test compares the two.
package kind
