// Package topology says which nodes form what: data server and application
// servers, mirrors, shards, and in which order they are installed and
// upgraded. It is pure: a checked [spec.Spec] in, a [Topology] or the list of
// all broken rules out.
package topology
