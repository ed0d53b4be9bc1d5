// Package nspawn starts a lab node as a container of systemd-nspawn.
//
// Everything a running node needs of this machine is held by its own
// processes: its root file system is mounted in a mount namespace of its own,
// and its cable ends in a network namespace of its own. When its processes
// end, however they end, both vanish. What remains to be cleaned up is little:
// files, loop devices and control groups.
//
// The launcher is a short shell script, launch.sh, which goes on when icm and
// its plugin are long gone, and starts the container again when the node
// reboots itself.
package nspawn
