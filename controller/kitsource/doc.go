// Package kitsource is where the controller takes a kit from that it brings to
// the nodes itself: nothing else is asked for it, which is the normal case where
// there is no network.
//
// # Source
//
// A source is a kit on the controller's own disk, be it a file of its own or an
// entry of a bundle. Its name, size and sha256 are known before its first byte
// is read. Nobody who reads one needs to know which of both it is.
package kitsource
