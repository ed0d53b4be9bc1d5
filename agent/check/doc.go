// Package check looks at a node before anything is changed there and says
// what would go wrong. It changes nothing, and asks for nothing that takes
// long: every look outside the node has a deadline.
package check
