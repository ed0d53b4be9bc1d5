// Package agentbin holds the agents that icm puts on nodes.
//
// `make build` builds icm-agent for every architecture, compresses it into
// files/, writes files/BUILD, and then builds icm around them. A plain
// `go build` finds an empty directory there: that icm works, and says what it
// lacks when it has to bootstrap a node.
//
// # BUILD
//
// One fact per line, fields separated by blanks:
//
//	build 1.2.0-3f9c2d1
//	amd64 <sha256 of the uncompressed agent> <its size in bytes>
//	arm64 <sha256 of the uncompressed agent> <its size in bytes>
package agentbin
