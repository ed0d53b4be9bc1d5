package topology

import (
	"cmp"
	"slices"

	"icm/controller/spec"
)

// Topology is the deployment's nodes and what they are to each other.
type Topology struct {
	Spec *spec.Spec
	// Nodes are in the order of the definitions file.
	Nodes []Node
	// Warnings do not stop anything.
	Warnings spec.Problems
}

// Node is one machine to be.
type Node struct {
	MachineName string // "ACME-DM-TEST-0001"
	Definition  string // "ACME-DM-TEST"
	Index       int    // place of the entry in the definitions file, from 0
	Role        string
	Number      int // last part of the machine name
	Fields      spec.Fields
	Zone        string // "" when there are no zones
	// Mirror is the name of the node's mirror, "" when it has none; Member is
	// what it starts as in it.
	Mirror string
	Member Member
	pos    spec.Position
}

// Member is what a node starts as in its mirror. Afterwards the failover
// members are equals.
type Member string

// The members of a mirror.
const (
	NotMirrored Member = ""
	Primary     Member = "primary"
	Backup      Member = "backup"
	Async       Member = "async" // disaster recovery
)

// HasInstance reports whether the node runs an instance of IRIS.
func (n Node) HasInstance() bool { return spec.RunsIRIS(n.Role) }

// Build works out the topology. Problems are the rules that are broken, all of
// them; the topology is nil then.
func Build(s *spec.Spec) (*Topology, spec.Problems) {
	t := &Topology{Spec: s, Nodes: nodes(s)}
	problems := t.check()
	if len(problems) > 0 {
		slices.SortStableFunc(problems, byPlace)
		return nil, problems
	}
	t.mirrors()
	return t, nil
}

func byPlace(a, b spec.Problem) int {
	return cmp.Or(
		cmp.Compare(a.Pos.File, b.Pos.File),
		cmp.Compare(a.Pos.Line, b.Pos.Line),
		cmp.Compare(a.Pos.Column, b.Pos.Column))
}

func nodes(s *spec.Spec) []Node {
	var all []Node
	for _, d := range s.Definitions {
		for i, machine := range d.Machines {
			n := Node{
				MachineName: machine, Definition: d.Name, Index: d.Index, Role: d.Role,
				Number: d.StartCount + i, Fields: d.Fields, pos: d.Pos,
			}
			if i < len(d.Zone) {
				n.Zone = d.Zone[i]
			}
			all = append(all, n)
		}
	}
	return all
}

// Node finds a node by its machine name.
func (t *Topology) Node(machineName string) (Node, bool) {
	for _, n := range t.Nodes {
		if n.MachineName == machineName {
			return n, true
		}
	}
	return Node{}, false
}

// WithRole are the nodes of a role, in order.
func (t *Topology) WithRole(role string) []Node {
	var found []Node
	for _, n := range t.Nodes {
		if n.Role == role {
			found = append(found, n)
		}
	}
	return found
}
