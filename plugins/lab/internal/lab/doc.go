// Package lab is the provider Lab: real nodes on this one machine, for
// evaluation and tests. It turns a request into nodes of package node; where
// a node's parts come from, the packages beside it know.
package lab
