package spec

import (
	"fmt"
	"slices"
)

// number gives every node its name. Entries without StartCount number on
// within their role where nodes are listed one by one (PreExisting, Lab);
// elsewhere they begin at 1.
func (l *loader) number(s *Spec) {
	n := &numberer{loader: l, spec: s, taken: map[string]int{}, last: map[string]int{}}
	total := 0
	for i := range s.Definitions {
		d := &s.Definitions[i]
		if !slices.Contains(Roles, d.Role) || d.Count < 1 || d.Count > maxNodes {
			continue // told already
		}
		if total += d.Count; total > maxNodes {
			l.problem(d.Pos, "Count", fmt.Sprintf("the deployment has more than %d nodes", maxNodes), "lower Count")
			return
		}
		n.order = append(n.order, i)
	}
	n.run()
}

type numberer struct {
	*loader
	spec  *Spec
	order []int          // definitions that are numbered
	taken map[string]int // machine name → definition
	last  map[string]int // role → last number given
}

func (n *numberer) run() {
	on := n.provider == PreExisting || n.provider == Lab
	for _, i := range n.order {
		d := &n.spec.Definitions[i]
		if !on || d.Fields.Source("StartCount") != FromICM {
			n.take(d)
		}
	}
	if !on {
		return
	}
	for _, i := range n.order {
		d := &n.spec.Definitions[i]
		if d.Fields.Source("StartCount") == FromICM {
			d.StartCount = n.free(d)
			n.take(d)
		}
		n.last[d.Role] = d.StartCount + d.Count - 1
	}
}

// free finds the first run of Count free numbers behind the role's last one.
func (n *numberer) free(d *Definition) int {
	start := n.last[d.Role] + 1
	for number := start; number < start+d.Count; number++ {
		if _, taken := n.taken[machineName(d.Name, number)]; taken {
			start = number + 1
		}
	}
	return start
}

func (n *numberer) take(d *Definition) {
	d.Machines = make([]string, 0, d.Count)
	overlap := false
	for number := d.StartCount; number < d.StartCount+d.Count; number++ {
		name := machineName(d.Name, number)
		if other, taken := n.taken[name]; taken && !overlap {
			overlap = true // one message an entry is enough
			n.overlap(d, name, n.spec.Definitions[other])
		}
		n.taken[name] = d.Index
		d.Machines = append(d.Machines, name)
	}
	if last := machineName(d.Name, d.StartCount+d.Count-1); len(last) > maxHostLabel {
		n.problem(n.defaultsPos, "Label", fmt.Sprintf("the machine name %s is longer than the %d characters of a host name", last, maxHostLabel), "shorten Label or Tag")
	}
}

const maxHostLabel = 63

func (n *numberer) overlap(d *Definition, name string, other Definition) {
	next := 1
	for _, i := range n.order {
		if o := n.spec.Definitions[i]; o.Role == d.Role && o.Index < d.Index {
			next = max(next, o.StartCount+o.Count)
		}
	}
	n.problem(d.Pos, "StartCount", fmt.Sprintf("%s is made by the entry of line %d already", name, other.Pos.Line),
		fmt.Sprintf(`add "StartCount": "%d" to this entry`, next))
}

// machineName is Label-Role-Tag-NNNN.
func machineName(definition string, number int) string {
	return fmt.Sprintf("%s-%04d", definition, number)
}
