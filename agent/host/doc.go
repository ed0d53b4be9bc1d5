// Package host is what a node knows about Linux: facts, accounts, block
// devices, file systems, and how outside programs are run.
package host
