// Package sshtest is an SSH server inside the test process.
//
// It has a host key of its own, so that checking host keys is exercised and
// never bypassed, listens on loopback, and can be told to misbehave as real
// servers do: to hang, to refuse a login a few times, to fall silent in the
// middle, to come back with another host key.
package sshtest
