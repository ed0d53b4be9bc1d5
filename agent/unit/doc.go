// Package unit talks to systemd over D-Bus: it writes unit files, enables
// them, and starts and stops units until systemd says how the job ended.
//
// It uses systemd's own private socket, so it works as root on a node without
// a D-Bus daemon. Every call makes its own connection: calls are rare, and a
// connection kept open would die whenever systemd re-executes itself.
package unit
