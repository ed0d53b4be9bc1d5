package terraform

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	tfjson "github.com/hashicorp/terraform-json"

	"icm/plugins/provider"
)

// change is what a plan does to one resource.
type change struct {
	kind    string // "aws_ebs_volume"
	machine string // its node, or load balancer; "" for what belongs to all
	part    string // "data": which of the node's
	verb    string // "make", "change", "destroy", "replace"
	tainted bool   // its making was cut off, or somebody marked it
	detail  string // what changes
	drops   []string
}

// changesOf reads a plan.
func changesOf(p *tfjson.Plan) []change {
	var out []change
	if p == nil {
		return nil
	}
	for _, rc := range p.ResourceChanges {
		if rc.Mode != tfjson.ManagedResourceMode || rc.Change == nil {
			continue
		}
		c := change{kind: rc.Type}
		switch a := rc.Change.Actions; {
		case a.Replace():
			c.verb, c.detail = "replace", replacedBecause(rc)
		case a.Create():
			c.verb = "make"
		case a.Update():
			c.verb, c.detail = "change", differences(rc.Change)
			c.drops = dropped(rc.Change)
		case a.Delete():
			c.verb = "destroy"
		default:
			continue
		}
		c.tainted = string(rc.ActionReason) == "replace_because_tainted"
		if key, ok := rc.Index.(string); ok {
			c.machine, c.part, _ = strings.Cut(key, "/")
		}
		out = append(out, c)
	}
	return out
}

// replacedBecause names the attributes that cannot be changed in place.
func replacedBecause(rc *tfjson.ResourceChange) string {
	var names []string
	for _, path := range rc.Change.ReplacePaths {
		if steps, ok := path.([]any); ok && len(steps) > 0 {
			names = append(names, fmt.Sprint(steps[0]))
		}
	}
	if len(names) == 0 {
		return ""
	}
	slices.Sort(names)
	return "another " + strings.Join(slices.Compact(names), ", ")
}

// differences are the attributes that change, as "size 10 -> 20". What is
// sensitive is only named.
func differences(c *tfjson.Change) string {
	before, _ := c.Before.(map[string]any)
	after, _ := c.After.(map[string]any)
	hidden, _ := c.AfterSensitive.(map[string]any)
	var out []string
	for _, name := range slices.Sorted(maps.Keys(after)) {
		a, b := text(before[name]), text(after[name])
		if a == b || strings.HasPrefix(name, "tags_all") {
			continue
		}
		if scalar(before[name]) && scalar(after[name]) && hidden[name] == nil {
			out = append(out, fmt.Sprintf("%s %s -> %s", name, a, b))
		} else {
			out = append(out, name)
		}
	}
	return strings.Join(out, ", ")
}

func text(v any) string {
	if v == nil {
		return "(none)"
	}
	if s, ok := v.(string); ok {
		return s
	}
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(data)
}

func scalar(v any) bool {
	switch v.(type) {
	case map[string]any, []any:
		return false
	}
	return true
}

// dropped are the disks that a machine loses which has its disks inside, as
// vSphere's do.
func dropped(c *tfjson.Change) []string {
	labels := func(v any) map[string]bool {
		out := map[string]bool{}
		m, _ := v.(map[string]any)
		list, _ := m["disk"].([]any)
		for _, d := range list {
			if disk, ok := d.(map[string]any); ok {
				out[text(disk["label"])] = true
			}
		}
		return out
	}
	after := labels(c.After)
	var out []string
	for label := range labels(c.Before) {
		if !after[label] {
			out = append(out, label)
		}
	}
	slices.Sort(out)
	return out
}

// losses are what a list of changes would lose, by machine. What was only half
// made holds nothing yet.
func (r *runner) losses(changes []change) map[string][]string {
	out := map[string][]string{}
	for _, c := range changes {
		ends := c.verb == "destroy" || c.verb == "replace" && !c.tainted
		switch {
		case ends && slices.Contains(r.about.Machines, c.kind):
			out[c.machine] = append(out[c.machine], "the machine"+because(c.detail))
		case ends && slices.Contains(r.about.Disks, c.kind):
			out[c.machine] = append(out[c.machine], "its volume "+c.part+because(c.detail))
		}
		for _, label := range c.drops {
			out[c.machine] = append(out[c.machine], "its volume "+label)
		}
	}
	return out
}

func because(detail string) string {
	if detail == "" {
		return ""
	}
	return " (" + detail + ")"
}

// consent refuses a loss that nobody has agreed to.
func (d *Deployment) consent(losses map[string][]string) error {
	agreed := d.Global.List("AllowDataLoss")
	var refused, machines []string
	for _, machine := range slices.Sorted(maps.Keys(losses)) {
		if slices.ContainsFunc(agreed, func(name string) bool { return strings.EqualFold(name, machine) }) {
			continue
		}
		slices.Sort(losses[machine])
		refused = append(refused, machine+": "+strings.Join(losses[machine], ", "))
		machines = append(machines, machine)
	}
	if len(refused) == 0 {
		return nil
	}
	return &provider.Error{
		Message: "this would mean data loss: " + strings.Join(refused, "; "),
		Hint:    "undo the change of the files, or agree with: -allowDataLoss " + strings.Join(machines, ","),
		Kind:    provider.KindRefused,
	}
}

// actions tells the changes of a definition in icm's words: machines with their
// volumes, then load balancers.
func (r *runner) actions(g *Group, changes []change) []provider.Action {
	var out []provider.Action
	told := map[string]bool{}
	for _, n := range g.Nodes {
		a := r.nodeActions(n, changes)
		out = append(out, a...)
		told[n.Machine] = true
	}
	for _, c := range changes {
		switch {
		case told[c.machine]:
		case slices.Contains(r.about.Machines, c.kind):
			told[c.machine] = true
			out = append(out, provider.Action{Verb: c.verb, What: "node " + c.machine, Detail: "data loss: the machine and its volumes"})
		case c.machine != "" && !slices.Contains(r.about.Disks, c.kind) && strings.Contains(c.machine, "-LB-"):
			told[c.machine] = true
			out = append(out, provider.Action{Verb: verb(c.verb), What: "load balancer " + c.machine})
		}
	}
	return out
}

// verb is one that the contract has.
func verb(v string) string {
	if v == "replace" {
		return "change"
	}
	return v
}

// nodeActions are what becomes of one node.
func (r *runner) nodeActions(n *Node, changes []change) []provider.Action {
	var out []provider.Action
	made := false
	for _, c := range changes {
		if c.machine != n.Machine || !slices.Contains(r.about.Machines, c.kind) {
			continue
		}
		switch c.verb {
		case "make":
			made = true
			out = append(out, provider.Action{Verb: "make", What: "node " + n.Machine, Detail: n.describe()})
		case "replace":
			made = true
			out = append(out, provider.Action{Verb: "destroy", What: "node " + n.Machine, Detail: "data loss: it is made anew" + because(c.detail)},
				provider.Action{Verb: "make", What: "node " + n.Machine, Detail: n.describe()})
		default:
			out = append(out, provider.Action{Verb: c.verb, What: "node " + n.Machine, Detail: c.detail})
		}
		for _, label := range c.drops {
			out = append(out, provider.Action{Verb: "destroy", What: "volume " + label + " of " + n.Machine, Detail: "data loss"})
		}
	}
	rest := 0
	for _, c := range changes {
		if c.machine != n.Machine || slices.Contains(r.about.Machines, c.kind) {
			continue
		}
		if !slices.Contains(r.about.Disks, c.kind) {
			rest++
			continue
		}
		switch {
		case c.verb == "make" && made: // told with the node
		case c.verb == "destroy", c.verb == "replace":
			out = append(out, provider.Action{Verb: "destroy", What: "volume " + c.part + " of " + n.Machine, Detail: "data loss" + because(c.detail)})
		default:
			out = append(out, provider.Action{Verb: c.verb, What: "volume " + c.part + " of " + n.Machine, Detail: c.detail})
		}
	}
	switch {
	case len(out) > 0:
	case rest > 0:
		out = append(out, provider.Action{Verb: "change", What: "node " + n.Machine, Detail: "its addresses or connections"})
	default:
		out = append(out, provider.Action{Verb: "keep", What: "node " + n.Machine})
	}
	return out
}

// describe says what a node is, with its cost in GiB.
func (n *Node) describe() string {
	where := ""
	if n.Zone != "" {
		where = " in " + n.Zone
	}
	return fmt.Sprintf("%d GiB on %d volumes%s", n.gib(), len(n.Volumes)+1, where)
}

func (n *Node) gib() int {
	sum := n.OS.Size
	for _, v := range n.Volumes {
		sum += v.Size
	}
	return sum
}

// sharedActions sums up what has no node, in one line: what exists already is
// changed, whatever becomes of its parts.
func sharedActions(what string, changes []change, exists bool) []provider.Action {
	if len(changes) == 0 {
		return []provider.Action{{Verb: "keep", What: what}}
	}
	byVerb := map[string][]string{}
	for _, c := range changes {
		_, short, _ := strings.Cut(c.kind, "_")
		byVerb[verb(c.verb)] = append(byVerb[verb(c.verb)], strings.ReplaceAll(short, "_", " "))
	}
	var details []string
	for _, v := range []string{"make", "change", "destroy"} {
		if kinds := byVerb[v]; len(kinds) > 0 {
			slices.Sort(kinds)
			details = append(details, v+" "+strings.Join(slices.Compact(kinds), ", "))
		}
	}
	if !exists {
		return []provider.Action{{Verb: "make", What: what, Detail: strings.TrimPrefix(strings.Join(details, "; "), "make ")}}
	}
	return []provider.Action{{Verb: "change", What: what, Detail: strings.Join(details, "; ")}}
}
