// Package nodes tests icm on real nodes of the lab: real systemd, sshd, sudo
// and block devices, and the stand-in kits. One test per scenario; its name
// says what happens. Everything is run as a user would, by the programs in
// bin/. What users notice of an operation is told by a client that works all the
// time: see site.use.
//
// The tests have the build tag "nodes" and need root, the packages of
// scripts/deps, and what `make build kits` makes.
package nodes
