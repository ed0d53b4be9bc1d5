package topology

import (
	"fmt"
	"strings"
)

// Graph draws the deployment as a Mermaid flowchart: who works on whom, which
// nodes are a mirror, and who watches over it.
func (t *Topology) Graph() string {
	g := &graph{}
	g.line("flowchart LR")
	grouped := map[string]bool{}
	for _, m := range t.Mirrors() {
		g.line("  subgraph %s[mirror %s]", m.Name, m.Name)
		for _, n := range m.Members {
			grouped[n.MachineName] = true
			g.node("    ", n)
		}
		g.line("  end")
	}
	for _, n := range t.Nodes {
		if !grouped[n.MachineName] {
			g.node("  ", n)
		}
	}
	t.edges(g)
	return g.String()
}

type graph struct{ strings.Builder }

func (g *graph) line(format string, args ...any) { fmt.Fprintf(g, format+"\n", args...) }

func (g *graph) node(indent string, n Node) {
	label := n.MachineName
	if n.Member != NotMirrored {
		label += "<br>starts as " + string(n.Member)
	}
	if n.Zone != "" {
		label += "<br>zone " + n.Zone
	}
	g.line("%s%s[%q]", indent, id(n), label)
}

func (g *graph) edge(from, arrow, text, to string) { g.line("  %s %s|%s| %s", from, arrow, text, to) }

// id is a name that Mermaid takes: machine names have dashes.
func id(n Node) string { return strings.ReplaceAll(n.MachineName, "-", "_") }

// target is what others work on: the node, or its whole mirror.
func target(n Node) string {
	if n.Mirror != "" {
		return n.Mirror
	}
	return id(n)
}

func (t *Topology) edges(g *graph) {
	for _, n := range t.Nodes {
		switch n.Role {
		case "AM":
			if dm, ok := t.DataServer(n); ok {
				g.edge(id(n), "-->", "ECP", target(dm))
			}
		case "WS":
			for _, to := range once(t.WebTargetsOf(n)) {
				g.edge(id(n), "-->", "Web Gateway", to)
			}
		case "QS":
			if ds, ok := t.ShardOf(n); ok {
				g.edge(id(n), "-->", "queries", target(ds))
			}
		case "AR":
			for _, m := range t.Mirrors() {
				g.edge(id(n), "-.-", "arbiter", m.Name)
			}
		}
	}
	t.shardEdges(g)
}

func (t *Topology) shardEdges(g *graph) {
	if dm := t.DataServers(); t.Sharded() && len(dm) > 0 {
		for _, to := range once(t.ShardServers()) {
			g.edge(target(dm[0]), "-->", "shard", to)
		}
	}
	data := once(t.DataNodes())
	for _, n := range t.ComputeNodes() {
		for _, to := range data {
			g.edge(id(n), "-->", "computes on", to)
		}
	}
	for i, to := range data {
		if i > 0 {
			g.edge(data[0], "---", "sharded cluster", to)
		}
	}
}

// once are the targets that nodes are, each one time.
func once(nodes []Node) []string {
	var out []string
	seen := map[string]bool{}
	for _, n := range nodes {
		if to := target(n); !seen[to] {
			seen[to] = true
			out = append(out, to)
		}
	}
	return out
}
