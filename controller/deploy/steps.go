package deploy

import (
	"fmt"

	"icm/internal/wire"
)

// A verb is a table: sections, in each the steps, one after the other. What is
// done to whom in which order stands in stages.go, and nowhere else.

// section is a run of steps that is gone through once for each set of members
// that over finds: once for the deployment, or once for every mirror.
type section struct {
	over  func(cluster) [][]member
	steps []step
}

// step is a row: who does what, how many of them at once, and what happens when
// one of them fails.
type step struct {
	// name is the stage's; %s in it is the node, where each has its own stage.
	name string
	who  selector
	what recipe
	// width says how many work at once; all of them when nil.
	width func(set []member) [][]member
	// onError is what a node does whose task fails; wire.Undo when empty.
	onError wire.OnError
	// together means that a node that is done is taken back when another one
	// of the stage fails.
	together bool
	// hold says why the operation stops before the step, until it is resumed;
	// "" goes on.
	hold func(c cluster, set []member) string
	// barrier says why nothing that was done before the step can be undone once
	// it has begun; "" for a step that does not matter.
	barrier func(c cluster, set []member) string
}

// selector chooses the members that a step is for.
type selector func(c cluster, m member) bool

// recipe is what a member does in a step, as if nothing were there.
type recipe func(c cluster, m member) []draft

// just makes a recipe of one that needs to know nothing of the others.
func just(tasks func(settings) []draft) recipe {
	return func(_ cluster, m member) []draft { return tasks(m.settings) }
}

// inOrder makes one recipe of several.
func inOrder(all ...recipe) recipe {
	return func(c cluster, m member) []draft {
		var out []draft
		for _, r := range all {
			out = append(out, r(c, m)...)
		}
		return out
	}
}

// whole goes through a section once, with everybody.
func whole(c cluster) [][]member { return [][]member{c.selected} }

// oneByOne is the width of steps that cost the service one node at a time.
func oneByOne(set []member) [][]member { return batches(1)(set) }

// batches is the width of steps that take n nodes at a time.
func batches(n int) func([]member) [][]member {
	return func(set []member) [][]member {
		var out [][]member
		for len(set) > n {
			out, set = append(out, set[:n]), set[n:]
		}
		return append(out, set)
	}
}

// only is a cluster in which fewer nodes are selected.
func only(c cluster, who selector) cluster {
	var keep []member
	for _, m := range c.selected {
		if who(c, m) {
			keep = append(keep, m)
		}
	}
	c.selected = keep
	return c
}

// draftStages goes through a table.
func draftStages(c cluster, table []section) []draftStage {
	var out []draftStage
	for _, sec := range table {
		for _, set := range sec.over(c) {
			for _, st := range sec.steps {
				out = append(out, st.stages(c, set)...)
			}
		}
	}
	return out
}

// stages are those of one step: one, or as many as its width makes of it.
func (st step) stages(c cluster, set []member) []draftStage {
	var chosen []member
	for _, m := range set {
		if st.who(c, m) {
			chosen = append(chosen, m)
		}
	}
	if len(chosen) == 0 {
		return nil
	}
	groups := [][]member{chosen}
	if st.width != nil {
		groups = st.width(chosen)
	}
	var out []draftStage
	for i, g := range groups {
		ds := st.stage(c, g)
		if i == 0 && st.hold != nil {
			ds.hold = st.hold(c, chosen)
		}
		out = append(out, ds)
	}
	return out
}

func (st step) stage(c cluster, group []member) draftStage {
	ds := draftStage{name: st.title(group), together: st.together}
	if st.barrier != nil {
		ds.barrier = st.barrier(c, group)
	}
	onError := st.onError
	if onError == "" {
		onError = wire.Undo
	}
	for _, m := range group {
		ds.changes = append(ds.changes, draftChange{node: m.Machine, onError: onError, tasks: st.what(c, m)})
	}
	return ds
}

// title names a stage; one of a single node after it.
func (st step) title(group []member) string {
	const mark = "%s"
	for i := range len(st.name) - 1 {
		if st.name[i:i+2] == mark {
			return fmt.Sprintf(st.name, list(group))
		}
	}
	return st.name
}
