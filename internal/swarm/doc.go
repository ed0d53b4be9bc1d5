// Package swarm brings one file to many nodes: from the controller to one of
// them, and from node to node from there. Both programs carry it.
//
// A file is cut into chunks, and a [Manifest] names each by its sha256. Who
// takes part has a [Transfer]: what it has of the file, what it misses, and its
// links. A link is one connection between two who take part, over mutual TLS
// 1.3; both ends speak the same frames over it. A node dials its peers, which are
// listed in the order in which it should take from them, and takes from the
// first that keeps up: it says once what it misses, and the peer pushes each
// chunk as soon as it has it. So chunks run through the nodes like through a
// pipe, and none is passed on before its hash was checked.
//
// Peers only ever take from those before them, so nobody waits in a circle. The
// controller dials the nodes, never the other way round, and is taken from by
// those who have nobody else.
package swarm
