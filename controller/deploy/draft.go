package deploy

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"icm/internal/kind"
	"icm/internal/wire"
)

// need says when a drafted task goes into the plan.
type need int

const (
	// ifUnsatisfied: when the node is not yet as the task wants it.
	ifUnsatisfied need = iota
	// ifWith: when a task it serves goes in, whatever its own look says.
	// A kit is unpacked only to be installed.
	ifWith
	// ifWithAndUnsatisfied: when both hold. An instance is stopped for a new
	// configuration, if it runs.
	ifWithAndUnsatisfied
	// ifEither: when one of both holds. An instance is started if it is down,
	// or was stopped for another task.
	ifEither
	// always: a look cannot tell, because an earlier stage changes what it
	// would see. A member takes over from one that took over from it.
	always
)

// draft is a task that a recipe asks for, before anybody looked.
type draft struct {
	key     string // unique for its node: "install"
	kind    string
	summary string
	args    any
	need    need
	with    []string // keys of the tasks it serves
}

// draftChange is one node's part of a stage.
type draftChange struct {
	node    string
	onError wire.OnError
	tasks   []draft
}

// draftStage is a stage before anybody looked.
type draftStage struct {
	name    string
	changes []draftChange
	// together, hold and barrier are those of the [Stage].
	together      bool
	hold, barrier string
}

// task makes the wire form. Ids are given when the plan is made.
func (d draft) task() (wire.Task, error) {
	args, err := json.Marshal(d.args)
	if err != nil {
		return wire.Task{}, fmt.Errorf("cannot encode the arguments of %s: %w", d.kind, err)
	}
	return wire.Task{ID: d.key, Kind: d.kind, Summary: d.summary, Args: args}, nil
}

// looks holds what nodes said about drafted tasks: node → key → look.
type looks map[string]map[string]wire.Look

// settle makes the plan's stages of a draft: tasks that are needed, with what
// they would change. Stages and changes without tasks disappear. Refusals of
// needed tasks come back as a list, all of them.
func settle(stages []draftStage, seen looks) ([]Stage, []Refusal, error) {
	var out []Stage
	var refused []Refusal
	needed := neededTasks(stages, seen)
	for _, ds := range stages {
		st := Stage{Name: ds.name, Together: ds.together, Hold: ds.hold, Barrier: ds.barrier}
		for _, dc := range ds.changes {
			ch, no, err := settleChange(dc, seen[dc.node], needed[dc.node])
			if err != nil {
				return nil, nil, err
			}
			refused = append(refused, no...)
			if len(ch.Tasks) > 0 {
				st.Changes = append(st.Changes, ch)
			}
		}
		if len(st.Changes) > 0 {
			out = append(out, st)
		}
	}
	return out, refused, nil
}

// named puts the machine into a hint of its agent, which knows the options of icm
// and not what the machine is called.
func named(hint, machine string) string { return strings.ReplaceAll(hint, "NODE:", machine+":") }

func settleChange(dc draftChange, seen map[string]wire.Look, needed map[string]bool) (NodeChange, []Refusal, error) {
	ch := NodeChange{Node: dc.node, OnError: dc.onError}
	var refused []Refusal
	for _, d := range dc.tasks {
		if !needed[d.key] {
			continue
		}
		look := seen[d.key]
		if look.Refused != "" {
			refused = append(refused, Refusal{Node: dc.node, Task: d.summary, Text: look.Refused, Hint: named(look.Hint, dc.node)})
			continue
		}
		t, err := d.task()
		if err != nil {
			return ch, nil, err
		}
		t.ID = strconv.Itoa(len(ch.Tasks) + 1)
		t.Bind = look.Bind
		info := kind.Table[d.kind]
		ch.Tasks = append(ch.Tasks, Step{Task: t, Diffs: look.Diffs, Reversibility: info.Reversibility, Why: info.Why, NoSecrets: look.NoSecrets})
	}
	return ch, refused, nil
}

// neededTasks decides for every drafted task of every node. A task may serve
// one in a later stage, so all stages of a node are seen together, and the
// rules are applied until nothing changes.
func neededTasks(stages []draftStage, seen looks) map[string]map[string]bool {
	out := map[string]map[string]bool{}
	for changed := true; changed; {
		changed = false
		for _, ds := range stages {
			for _, dc := range ds.changes {
				if out[dc.node] == nil {
					out[dc.node] = map[string]bool{}
				}
				for _, d := range dc.tasks {
					if !out[dc.node][d.key] && d.needed(seen[dc.node][d.key], out[dc.node]) {
						out[dc.node][d.key] = true
						changed = true
					}
				}
			}
		}
	}
	return out
}

func (d draft) needed(look wire.Look, needed map[string]bool) bool {
	with := false
	for _, k := range d.with {
		with = with || needed[k]
	}
	switch d.need {
	case ifUnsatisfied:
		return !look.Satisfied
	case ifWith:
		return with
	case ifWithAndUnsatisfied:
		return with && !look.Satisfied
	case ifEither:
		return with || !look.Satisfied
	case always:
		return true
	default:
		panic(fmt.Sprintf("no such need: %d", d.need))
	}
}

// Refusal is a task that a node says must not be run.
type Refusal struct {
	Node string `json:"node"`
	Task string `json:"task"`
	Text string `json:"text"`
	Hint string `json:"hint,omitempty"`
}
