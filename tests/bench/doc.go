// Command bench measures the budgets of the design, each beside what an
// administrator would use otherwise, in the same run and on the same nodes, and
// writes docs/benchmarks.md.
//
// # Nodes
//
// A lab node is one of provider Lab: a container with a systemd of its own. A
// light node is a network, mount and process namespace with a real sshd and a
// user with sudo, over the lab's root file system; two hundred of them fit
// where a few dozen systemds do.
//
// # Measuring
//
// Controller and nodes share the machine, so wall times compare tools with
// each other and nothing else. What a controller pays is its CPU time: that of
// a control group made for each measurement, which holds the tool and all it
// starts. Where a program measures itself it runs as a process of its own.
package main
