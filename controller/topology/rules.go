package topology

import (
	"fmt"
	"slices"
	"strings"

	"icm/controller/spec"
	"icm/internal/kitname"
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
	c.nodeLevel()
	c.arbiter()
	c.namespace()
	return c.problems
}

// problem tells that a rule is broken, and which: what the files say, then the
// rule itself.
func (c *checker) problem(at spec.Position, field string, r RuleID, text, hint string) {
	c.problems = append(c.problems, spec.Problem{Pos: at, Field: field, Text: r.quoted(text), Hint: hint})
}

func (c *checker) warn(at spec.Position, field string, r RuleID, text, hint string) {
	c.Warnings = append(c.Warnings, spec.Problem{Pos: at, Field: field, Text: r.quoted(text), Hint: hint})
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
	for _, role := range []string{"AM", "DS", "QS"} {
		if nodes := c.WithRole(role); len(nodes) > 0 && len(c.DataServers()) == 0 && !c.NodeLevel() {
			c.problem(nodes[0].pos, "Role", RuleNeedsDM, fmt.Sprintf("%s nodes need a DM node, and there is none", role), `add an entry: {"Role": "DM", "Count": "1"}`)
		}
	}
	if ws := c.WithRole("WS"); len(ws) > 0 && len(c.DataServers()) == 0 && !c.NodeLevel() {
		c.problem(ws[0].pos, "Role", RuleNeedsDM, "WS nodes need a DM node or DATA nodes, and there are none", `add an entry: {"Role": "DM", "Count": "1"}`)
	}
}

// nodeLevel: DATA and COMPUTE nodes are a cluster by themselves.
func (c *checker) nodeLevel() {
	compute := c.ComputeNodes()
	if len(compute) > 0 && !c.NodeLevel() {
		c.problem(compute[0].pos, "Role", RuleComputeNeedsData, "COMPUTE nodes need DATA nodes, and there are none", `add an entry: {"Role": "DATA", "Count": "2"}`)
	}
	if !c.NodeLevel() {
		return
	}
	for _, role := range []string{"DM", "AM", "DS", "QS"} {
		if nodes := c.WithRole(role); len(nodes) > 0 {
			c.problem(nodes[0].pos, "Role", RuleOneKindOfCluster, fmt.Sprintf("there are DATA nodes and %s nodes", role), "use DATA and COMPUTE, or DM with AM, DS and QS; two deployments can stand side by side")
		}
	}
	c.dataPairs()
}

// dataPairs: each mirror of DATA nodes takes as many as the MirrorMap has words.
func (c *checker) dataPairs() {
	data := c.DataNodes()
	if !c.mirrored("DATA") {
		if len(data) == 1 && len(c.ComputeNodes()) == 0 {
			c.warn(data[0].pos, "Count", RuleNotOptimal, "a sharded cluster should have two or more DATA nodes, and there is one", "raise Count")
		}
		return
	}
	if !c.oneMirrorMap(data) {
		return
	}
	members := parseMirrorMap(data[0].Fields)
	if !c.mirrorMapShape(where(data[0], "MirrorMap"), members) {
		return
	}
	if len(data)%len(members) != 0 {
		c.problem(where(data[0], "Count"), "Count", RuleDataPairs, fmt.Sprintf("there are %d DATA nodes, and each mirror takes %d", len(data), len(members)),
			fmt.Sprintf("make their number a multiple of %d, or remove Mirror", len(members)))
	}
}

// sameMirror: DM and DS are mirrored together or not at all.
func (c *checker) sameMirror() {
	for _, nodes := range [][]Node{append(c.DataServers(), c.ShardServers()...), c.DataNodes()} {
		for _, n := range nodes {
			if n.Fields.Bool("Mirror") != nodes[0].Fields.Bool("Mirror") {
				c.problem(where(n, "Mirror"), "Mirror", RuleSameMirror, "some of these nodes have Mirror and some have not", "write Mirror once, in the defaults file")
				break
			}
		}
	}
}

func (c *checker) dataServers() {
	dm := c.DataServers()
	switch {
	case len(dm) == 0:
	case !c.mirrored("DM") && len(dm) > 1:
		c.problem(where(dm[0], "Count"), "Count", RuleOneDM, fmt.Sprintf("%d DM nodes need Mirror", len(dm)), `write "Mirror": "true", or a Count of 1`)
	case c.mirrored("DM") && len(dm) == 1:
		c.problem(where(dm[0], "Mirror"), "Mirror", RuleTwoDM, "there is one DM node", `write "Count": "2" in the entry of DM, or remove Mirror`)
	case c.mirrored("DM") && c.Sharded() && len(c.AppServers()) == 1:
		c.warn(c.AppServers()[0].pos, "Count", RuleTwoAM, "there is one AM node", "raise Count")
	}
}

func (c *checker) mirrorMaps() {
	dm := c.DataServers()
	if c.mirrored("DM") && c.oneMirrorMap(dm) {
		c.mirrorMapFits(dm)
	}
}

// oneMirrorMap: the entries of a role say the same.
func (c *checker) oneMirrorMap(nodes []Node) bool {
	for _, n := range nodes {
		if !sameWords(n.Fields.Get("MirrorMap"), nodes[0].Fields.Get("MirrorMap")) {
			c.problem(where(n, "MirrorMap"), "MirrorMap", RuleOneMirrorMap, fmt.Sprintf("the %s entries have different MirrorMaps", n.Role), "repeat the same MirrorMap in each, or write it once in the defaults file")
			return false
		}
	}
	return true
}

func sameWords(a, b string) bool {
	plain := func(s string) string { return strings.ToLower(strings.ReplaceAll(s, " ", "")) }
	return plain(a) == plain(b)
}

// mirrorMapShape: a failover pair, and asyncs behind it.
func (c *checker) mirrorMapShape(at spec.Position, members []Member) bool {
	if len(members) < 2 || members[0] != Primary || members[1] != Backup {
		c.problem(at, "MirrorMap", RuleMirrorMap, "MirrorMap must begin with primary,backup", `write "MirrorMap": "primary,backup", followed by ",async" for each further node`)
		return false
	}
	for _, m := range members[2:] {
		if m != Async {
			c.problem(at, "MirrorMap", RuleMirrorMap, fmt.Sprintf("MirrorMap has a second %s", m), `write "async" for every node after the first two`)
			return false
		}
	}
	return true
}

func (c *checker) mirrorMapFits(dm []Node) {
	at, members := where(dm[0], "MirrorMap"), parseMirrorMap(dm[0].Fields)
	if !c.mirrorMapShape(at, members) {
		return
	}
	switch asyncs := len(dm) - 2; {
	case len(dm) > len(members):
		c.problem(at, "MirrorMap", RuleMirrorMap, fmt.Sprintf("MirrorMap has %d elements for %d DM nodes", len(members), len(dm)), fmt.Sprintf(`write "MirrorMap": "primary,backup%s"`, strings.Repeat(",async", asyncs)))
	case asyncs > maxAsyncs:
		c.problem(at, "MirrorMap", RuleMaxAsyncs, fmt.Sprintf("there are %d asyncs", asyncs), "lower Count")
	case asyncs > 0 && c.Sharded():
		c.problem(at, "MirrorMap", RuleNoAsyncs, "the MirrorMap of a shard master has asyncs", "use two DM nodes in a sharded cluster")
	}
}

func (c *checker) shards() {
	ds, qs := c.ShardServers(), c.WithRole("QS")
	switch {
	case len(ds) == 0 && len(qs) > 0 && len(c.DataServers()) > 0:
		c.warn(qs[0].pos, "Role", RuleNotOptimal, "QS nodes have nothing to do without DS nodes", `add an entry: {"Role": "DS", "Count": "2"}`)
	case len(ds) > 0 && c.mirrored("DS") && len(ds)%2 == 1:
		c.problem(where(ds[0], "Count"), "Count", RuleDSPairs, fmt.Sprintf("there are %d DS nodes", len(ds)), "make their number even, or remove Mirror")
	case len(ds) == 1:
		c.warn(ds[0].pos, "Count", RuleNotOptimal, "a sharded cluster should have two or more DS nodes, and there is one", "raise Count")
	}
}

func (c *checker) arbiter() {
	ar := c.WithRole("AR")
	if len(ar) == 0 {
		return
	}
	if len(ar) > 1 {
		c.problem(ar[1].pos, "Role", RuleOneArbiter, fmt.Sprintf("there are %d AR nodes", len(ar)), "leave one entry of role AR with a Count of 1")
	}
	if !c.mirrored("DM") && !c.mirrored("DS") && !c.mirrored("DATA") {
		c.problem(ar[0].pos, "Role", RuleArbiterNeedsMirror, "there is an AR node and no mirror", `remove the entry, or write "Mirror": "true"`)
	}
}

// namespace: USER cannot be mirrored. That stops an installation only.
func (c *checker) namespace() {
	if c.mirrored("DM") && c.needsNamespace() {
		c.warn(c.Spec.Global.Position("Namespace"), "Namespace", RuleMirrorNamespace, "Namespace is USER; install will refuse", "write another Namespace in the defaults file, or give -namespace to install")
	}
}

func (t *Topology) needsNamespace() bool {
	name := t.Spec.Global.Get("Namespace")
	return name == "" || strings.EqualFold(name, "USER")
}

// InstallProblems are those that stop an installation but not a provision.
func (t *Topology) InstallProblems() spec.Problems {
	var all spec.Problems
	if t.Mirrored() && t.needsNamespace() {
		all = append(all, spec.Problem{
			Pos: t.Spec.Global.Position("Namespace"), Field: "Namespace", Text: RuleMirrorNamespace.quoted("Namespace is USER"),
			Hint: "give -namespace, or write another Namespace in the defaults file",
		})
	}
	for _, n := range slices.Concat(t.DataNodes(), t.ComputeNodes()) {
		kit, err := kitname.ParseURL(n.Fields.Get("KitURL"))
		if err != nil || kit.HasCluster() {
			continue // what is wrong with the address is told elsewhere
		}
		return append(all, spec.Problem{
			Pos: where(n, "KitURL"), Field: "KitURL", Text: RuleNodeLevelKit.quoted(fmt.Sprintf("the kit has version %s", kit.Version)),
			Hint: "give a newer kit in KitURL, or use DM, DS and QS",
		})
	}
	return all
}
