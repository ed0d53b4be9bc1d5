// Package simulated is a stand-in for the Terraform providers of four clouds.
//
// It serves the real providers' schemas, under their real addresses, to the
// real terraform; behind them is no cloud but one file. What it knows of a
// cloud is what our templates rely on: which arguments must be there, which
// changes need a new resource, which objects refer to which, and which may not
// be deleted while others need them. A template that passes here fits the
// schema and Terraform's own rules. That a cloud takes it, only the cloud can
// say.
//
// # Mirror
//
// [NewMirror] makes a directory that terraform takes for a filesystem mirror of
// the provider registry. The program in it finds the store beside itself, so
// that naming the mirror is all that is needed to use the simulated cloud.
//
// # Store
//
// A [Store] holds the objects of one cloud, and what is to go wrong: faults,
// delays, drift. Many provider processes share it under a file lock.
//
// # Hook
//
// A program that is run when instances and attachments come and go. Tests boot
// nodes of the lab with it.
package simulated
