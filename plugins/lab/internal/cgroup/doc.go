// Package cgroup keeps the processes of one lab node together, so that all of
// them, and nothing else, can be killed or frozen at once.
//
// A [Group] is one relative path in every hierarchy the machine has mounted:
// the single one of cgroup v2, the many of v1, or both kinds side by side.
// Processes are moved into it by the node's launcher, which is born outside.
package cgroup
