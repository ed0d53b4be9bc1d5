// Package crash proves that a command of icm ends the same way wherever it is
// cut off.
//
// # Site
//
// A site is a deployment on two nodes in namespaces of their own. A node is a
// copy of this machine's root under an overlay that lies on a file system of
// its own, the agent's real engine and kinds, and the stand-in kits; only
// systemd is played, by the node's first process. The controller is a process
// too, and works with package deploy.
//
// # Point
//
// A point is a place where one of them is killed: the agent before or after a
// record of its task journal or in the middle of writing it, the whole node by
// a power cut at such a place, or the controller at a moment of its work. A
// power cut kills every process of a node and goes on from a copy of its disk,
// taken without a sync: what was not written to the disk is lost, as on a real
// machine. The names of points are what a failing run prints and what
// -args -point takes, such as "install/dm/before:17".
//
// After a point everything that died is started again, and the same command is
// given until it succeeds. Then the site must be what it is after a run that
// nothing disturbed: files, their contents, modes and owners, units, mounts,
// changes, instances and their data.
package crash
