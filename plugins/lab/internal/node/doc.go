// Package node is one machine of the lab: what it is made of, how it is
// switched on and off, and how it goes without a trace.
//
//	     Make             Boot               (launcher running)
//	nothing ──▶ prepared ─────▶ booting ──▶ ready
//	               ▲                          │
//	               └──────────────────────────┘
//	                 PowerCut, or the node shuts down
//
// A node is a directory DATA/DEPLOYMENT/MACHINE. What is running is never
// written down: it is asked of the kernel, which cannot be wrong after a crash.
package node
