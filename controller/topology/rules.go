package topology

import (
	"fmt"
	"strings"

	"icm/controller/spec"
)

// maxAsyncs is IRIS's limit on asyncs in one mirror.
const maxAsyncs = 14

// checker collects broken rules.
type checker struct {
	*Topology
	problems spec.Problems
}

// check applies every rule; all broken ones are told.
func (t *Topology) check() spec.Problems {
	c := &checker{Topology: t}
	c.needDataServer()
	c.sameMirror()
	c.dataServers()
	c.mirrorMaps()
	c.shards()
	c.arbiter()
	c.namespace()
	return c.problems
}

func (c *checker) problem(at spec.Position, field, text, hint string) {
	c.problems = append(c.problems, spec.Problem{Pos: at, Field: field, Text: text, Hint: hint})
}

func (c *checker) warn(at spec.Position, field, text, hint string) {
	c.Warnings = append(c.Warnings, spec.Problem{Pos: at, Field: field, Text: text, Hint: hint})
}

// where is the place of a field of the node, or its entry.
func where(n Node, field string) spec.Position {
	if at := n.Fields.Position(field); at.File != "" {
		return at
	}
	return n.pos
}

// mirrored says whether the file asks for a mirror; the role's first node
// stands for all, since they must agree.
func (c *checker) mirrored(role string) bool {
	nodes := c.WithRole(role)
	return len(nodes) > 0 && nodes[0].Fields.Bool("Mirror")
}

func (c *checker) needDataServer() {
	if len(c.DataServers()) > 0 {
		return
	}
	for _, role := range []string{"AM", "DS", "QS", "WS"} {
		if nodes := c.WithRole(role); len(nodes) > 0 {
			c.problem(nodes[0].pos, "Role", fmt.Sprintf("%s nodes need a DM node, and there is none", role), `add an entry: {"Role": "DM", "Count": "1"}`)
		}
	}
}

// sameMirror: DM and DS are mirrored together or not at all.
func (c *checker) sameMirror() {
	nodes := append(c.DataServers(), c.ShardServers()...)
	for _, n := range nodes {
		if n.Fields.Bool("Mirror") != nodes[0].Fields.Bool("Mirror") {
			c.problem(where(n, "Mirror"), "Mirror", "DM and DS nodes must have the same Mirror", "write Mirror once, in the defaults file")
			return
		}
	}
}

func (c *checker) dataServers() {
	dm := c.DataServers()
	switch {
	case len(dm) == 0:
	case !c.mirrored("DM") && len(dm) > 1:
		c.problem(where(dm[0], "Count"), "Count", fmt.Sprintf("%d DM nodes need Mirror; without it there is exactly one", len(dm)), `write "Mirror": "true", or a Count of 1`)
	case c.mirrored("DM") && len(dm) == 1:
		c.problem(where(dm[0], "Mirror"), "Mirror", "a mirror needs at least two DM nodes, and there is one", `write "Count": "2" in the entry of DM, or remove Mirror`)
	case c.mirrored("DM") && c.Sharded() && len(c.AppServers()) == 1:
		c.warn(c.AppServers()[0].pos, "Count", "a mirrored shard master should have two or more AM nodes, and there is one", "raise Count")
	}
}

func (c *checker) mirrorMaps() {
	dm := c.DataServers()
	if !c.mirrored("DM") {
		return
	}
	for _, n := range dm {
		if !sameWords(n.Fields.Get("MirrorMap"), dm[0].Fields.Get("MirrorMap")) {
			c.problem(where(n, "MirrorMap"), "MirrorMap", "the DM entries have different MirrorMaps", "repeat the same MirrorMap in each, or write it once in the defaults file")
			return
		}
	}
	c.mirrorMapFits(dm)
}

func sameWords(a, b string) bool {
	plain := func(s string) string { return strings.ToLower(strings.ReplaceAll(s, " ", "")) }
	return plain(a) == plain(b)
}

func (c *checker) mirrorMapFits(dm []Node) {
	at, members := where(dm[0], "MirrorMap"), parseMirrorMap(dm[0].Fields)
	if len(members) < 2 || members[0] != Primary || members[1] != Backup {
		c.problem(at, "MirrorMap", "MirrorMap must begin with primary,backup", `write "MirrorMap": "primary,backup", followed by ",async" for each further DM node`)
		return
	}
	for _, m := range members[2:] {
		if m != Async {
			c.problem(at, "MirrorMap", fmt.Sprintf("MirrorMap has a second %s; those after primary,backup are asyncs", m), `write "async" for every node after the first two`)
			return
		}
	}
	switch asyncs := len(dm) - 2; {
	case len(dm) > len(members):
		c.problem(at, "MirrorMap", fmt.Sprintf("MirrorMap has %d elements for %d DM nodes", len(members), len(dm)), fmt.Sprintf(`write "MirrorMap": "primary,backup%s"`, strings.Repeat(",async", asyncs)))
	case asyncs > maxAsyncs:
		c.problem(at, "MirrorMap", fmt.Sprintf("a mirror has at most %d asyncs, and this one has %d", maxAsyncs, asyncs), "lower Count")
	case asyncs > 0 && c.Sharded():
		c.problem(at, "MirrorMap", "the shard master's mirror may not have asyncs", "use two DM nodes in a sharded cluster")
	}
}

func (c *checker) shards() {
	ds, qs := c.ShardServers(), c.WithRole("QS")
	switch {
	case len(ds) == 0 && len(qs) > 0 && len(c.DataServers()) > 0:
		c.warn(qs[0].pos, "Role", "QS nodes have nothing to do without DS nodes", `add an entry: {"Role": "DS", "Count": "2"}`)
	case len(ds) > 0 && c.mirrored("DS") && len(ds)%2 == 1:
		c.problem(where(ds[0], "Count"), "Count", fmt.Sprintf("mirrored DS nodes go in pairs, and there are %d", len(ds)), "make their number even, or remove Mirror")
	case len(ds) == 1:
		c.warn(ds[0].pos, "Count", "a sharded cluster should have two or more DS nodes, and there is one", "raise Count")
	}
}

func (c *checker) arbiter() {
	ar := c.WithRole("AR")
	if len(ar) == 0 {
		return
	}
	if len(ar) > 1 {
		c.problem(ar[1].pos, "Role", fmt.Sprintf("there are %d AR nodes; one arbiter is enough for all mirrors, and more are not supported", len(ar)), "leave one entry of role AR with a Count of 1")
	}
	if !c.mirrored("DM") && !c.mirrored("DS") {
		c.problem(ar[0].pos, "Role", "an AR node is the arbiter of a mirror, and there is none", `remove the entry, or write "Mirror": "true"`)
	}
}

// namespace: USER cannot be mirrored. That stops an installation only.
func (c *checker) namespace() {
	if c.mirrored("DM") && c.needsNamespace() {
		c.warn(c.Spec.Global.Position("Namespace"), "Namespace", "a mirror cannot serve the namespace USER; install will refuse", "write another Namespace in the defaults file, or give -namespace to install")
	}
}

func (t *Topology) needsNamespace() bool {
	name := t.Spec.Global.Get("Namespace")
	return name == "" || strings.EqualFold(name, "USER")
}

// InstallProblems are those that stop an installation but not a provision.
func (t *Topology) InstallProblems() spec.Problems {
	if !t.Mirrored() || !t.needsNamespace() {
		return nil
	}
	return spec.Problems{{
		Pos: t.Spec.Global.Position("Namespace"), Field: "Namespace", Text: "a mirror cannot serve the namespace USER",
		Hint: "give -namespace, or write another Namespace in the defaults file",
	}}
}
