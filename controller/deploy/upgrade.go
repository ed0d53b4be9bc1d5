package deploy

import (
	"fmt"
	"slices"

	"icm/internal/kind"
)

// draftUpgrade leaves nodes out that have no instance, and refuses to go back
// and what cannot keep the data safe.
func (j *Job) draftUpgrade(c cluster, p *Plan) ([]draftStage, error) {
	var refused []Refusal
	var keep []member
	for _, m := range c.selected {
		have := m.now.version
		switch {
		case !m.node.HasInstance():
			keep = append(keep, m)
		case have == "":
			p.Notes = append(p.Notes, fmt.Sprintf("%s has no instance %s: icm install puts one there", m.Machine, m.Instance.Name))
		case older(m.KitInfo.Version, have):
			refused = append(refused, Refusal{Node: m.Machine, Text: fmt.Sprintf("has version %s, which is newer than the kit's %s", have, m.KitInfo.Version), Hint: "give a newer kit in KitURL; there is no way back to an older version but a backup"})
		default:
			keep = append(keep, m)
		}
	}
	c.selected = keep
	refused = append(refused, j.Upgrade.refuse(c)...)
	if len(refused) > 0 {
		return nil, &RefusedError{Text: "nothing was changed", Refusals: refused}
	}
	if _, err := batchOf(j.Upgrade.Batch, len(keep)); err != nil {
		return nil, err
	}
	return j.Upgrade.stages(c, p), nil
}

// stages are those of the procedure that fits.
func (o UpgradeOptions) stages(c cluster, p *Plan) []draftStage {
	proc := o.choose(c)
	table := proc.rolling(o)
	if o.Downtime {
		table = o.atOnce()
	}
	if slices.ContainsFunc(c.selected, func(m member) bool { return old(c, m) && m.node.HasInstance() }) {
		p.Procedure = proc.name + ", " + proc.why
		if proc.name == "major" {
			p.Notes = append(p.Notes, "after an upgrade to another release the application's classes should be recompiled; with -changes the upgrade is held where that is to be done")
		}
	}
	stages := draftStages(c, table)
	if o.Pause {
		paused(stages)
	}
	return stages
}

// refuse lists what stands against an upgrade of the selected nodes.
func (o UpgradeOptions) refuse(c cluster) []Refusal {
	var out []Refusal
	if o.Canary != "" && !slices.ContainsFunc(c.selected, func(m member) bool {
		return m.Machine == o.Canary && (appRoles(c, m) || m.Role == "WS")
	}) {
		out = append(out, Refusal{Node: o.Canary, Text: "-canary names none of the application and web servers that are upgraded", Hint: "icm inventory lists the nodes; a data server goes last in any case"})
	}
	if o.Downtime {
		return out // nobody has to take over from anybody
	}
	for _, set := range byMirror(only(c, old)) {
		out = append(out, refuseMirror(c, set[0].Mirror)...)
	}
	return out
}

// refuseMirror says why the members of a mirror cannot be upgraded one after
// the other now.
func refuseMirror(c cluster, mirror string) []Refusal {
	p, ok := c.primary(mirror)
	if !ok {
		return []Refusal{{Node: c.mirrorMembers(mirror)[0].Machine, Text: fmt.Sprintf("no member of mirror %s says that it is the primary: %s", mirror, c.said(mirror)),
			Hint: "icm start brings members up; icm ps shows what they are; -downtime upgrades a mirror that is down"}}
	}
	if !old(c, p) || !c.selects(p) {
		return nil
	}
	other, ok := c.successor(mirror)
	if !ok || !c.selects(other) {
		return []Refusal{{Node: p.Machine, Text: fmt.Sprintf("is the primary of mirror %s, and nobody among these nodes could take over from it", mirror),
			Hint: fmt.Sprintf("bring %s up, and upgrade both together; -downtime upgrades without a failover", orElse(other.Machine, "its partner"))}}
	}
	return nil
}

// said is what the members of a mirror say of themselves.
func (c cluster) said(mirror string) string {
	var out string
	for i, m := range c.mirrorMembers(mirror) {
		if i > 0 {
			out += ", "
		}
		out += m.Machine + " " + m.now.words()
	}
	return out
}

func (n now) words() string {
	switch {
	case n.version == "":
		return "did not say anything"
	case !n.running:
		return "is down"
	default:
		return "is " + orElse(n.status, "in no mirror")
	}
}

// refuseLeaving says why a node cannot be uninstalled while others stay.
func refuseLeaving(c cluster) []Refusal {
	var out []Refusal
	for _, m := range c.selected {
		if p, ok := c.primary(m.Mirror); ok && m.Mirror != "" && leaving(c, m) && p.Machine == m.Machine && memberType(m) == kind.Failover {
			out = append(out, Refusal{Node: m.Machine, Text: "is the primary of mirror " + m.Mirror + ", which is to go on without it",
				Hint: "icm stop -machine " + m.Machine + " lets the other member take over; then uninstall it, or uninstall all members"})
		}
	}
	return out
}
