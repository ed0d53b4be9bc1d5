// Package network gives every lab deployment a bridge of its own with a /24
// from 198.18.0.0/15, the block that is reserved for tests and routed nowhere.
//
// The number of the subnet is part of all interface names, so what belongs to
// a deployment can be seen, and removed, by name: bridge "icml18-37", node
// link "icml18-37-2". A node cannot reach anything outside its bridge: it has
// no default route, and nothing is translated.
package network
