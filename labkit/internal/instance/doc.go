// Package instance is the process behind an installed stand-in: irisdb.
//
// It reads the configuration, opens databases and journals, listens on its
// ports, answers sessions on its control socket, and ends when it is told to.
// What it is told to get wrong (mgr/standin.conf), it gets wrong.
package instance
