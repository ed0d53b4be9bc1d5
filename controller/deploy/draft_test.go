package deploy

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"icm/internal/kind"
	"icm/internal/wire"
)

// drawDraft makes a draft of a few nodes and stages. Keys are unique for their
// node, as recipes see to, and tasks serve any other.
func drawDraft(t *rapid.T) ([]draftStage, looks) {
	nodes := rapid.IntRange(1, 3).Draw(t, "nodes")
	seen := looks{}
	stages := make([]draftStage, rapid.IntRange(1, 3).Draw(t, "stages"))
	for n := range nodes {
		name := fmt.Sprint("node", n)
		seen[name] = map[string]wire.Look{}
		count := 0
		for i := range stages {
			stages[i].name = fmt.Sprint("stage ", i)
			ch := draftChange{node: name, onError: wire.Undo}
			for range rapid.IntRange(0, 4).Draw(t, "tasks") {
				key := fmt.Sprint("k", count)
				count++
				ch.tasks = append(ch.tasks, draft{
					key: key, kind: kind.DirEnsure, summary: key, args: map[string]string{},
					need: rapid.SampledFrom([]need{ifUnsatisfied, ifWith, ifWithAndUnsatisfied, ifEither}).Draw(t, "need"),
					with: rapid.SliceOfN(rapid.SampledFrom([]string{"k0", "k1", "k2", "k3", "k4", "k5", "k6"}), 0, 3).Draw(t, "with"),
				})
				look := wire.Look{Satisfied: rapid.Bool().Draw(t, "satisfied"), Bind: key}
				if rapid.IntRange(0, 9).Draw(t, "refused") == 0 {
					look.Refused = "no"
				}
				seen[name][key] = look
			}
			stages[i].changes = append(stages[i].changes, ch)
		}
	}
	return stages, seen
}

func TestSettlingFollowsTheRulesOfNeed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		stages, seen := drawDraft(t)
		plan, refused, err := settle(stages, seen)
		if err != nil {
			t.Fatal(err)
		}
		planned := map[string]bool{} // what is in, or would be but for a refusal
		for _, st := range plan {
			if len(st.Changes) == 0 {
				t.Fatalf("stage %s is empty", st.Name)
			}
			for _, ch := range st.Changes {
				checkChange(t, ch, planned)
			}
		}
		for _, r := range refused {
			if seen[r.Node][r.Task].Refused == "" || planned[r.Node+r.Task] {
				t.Fatalf("%+v is refused without reason, or planned all the same", r)
			}
			planned[r.Node+r.Task] = true
		}
		checkNeeds(t, stages, seen, planned)
	})
}

func checkChange(t *rapid.T, ch NodeChange, planned map[string]bool) {
	for i, task := range ch.Tasks {
		if task.ID != fmt.Sprint(i+1) {
			t.Fatalf("task %d of %s has id %s", i+1, ch.Node, task.ID)
		}
		if key := ch.Node + task.Summary; planned[key] {
			t.Fatalf("%s is planned twice", key)
		}
		if task.Bind != task.Summary {
			t.Fatalf("task %s is bound to %q", task.Summary, task.Bind)
		}
		planned[ch.Node+task.Summary] = true
	}
}

func checkNeeds(t *rapid.T, stages []draftStage, seen looks, planned map[string]bool) {
	for _, st := range stages {
		for _, ch := range st.changes {
			for _, d := range ch.tasks {
				with := slices.ContainsFunc(d.with, func(k string) bool { return planned[ch.node+k] })
				missing := !seen[ch.node][d.key].Satisfied
				want := map[need]bool{ifUnsatisfied: missing, ifWith: with, ifWithAndUnsatisfied: with && missing, ifEither: with || missing}[d.need]
				if got := planned[ch.node+d.key]; got != want {
					t.Fatalf("%s of %s: planned %v, needed %v", d.key, ch.node, got, want)
				}
			}
		}
	}
}

func TestATaskServesOneOfALaterStage(t *testing.T) {
	stages := []draftStage{
		{name: "fetch", changes: []draftChange{{node: "a", tasks: []draft{{key: "fetch", kind: kind.KitFetch, summary: "fetch", need: ifWith, with: []string{"install"}}}}}},
		{name: "install", changes: []draftChange{{node: "a", tasks: []draft{{key: "install", kind: kind.IRISInstall, summary: "install"}}}}},
	}
	for satisfied, want := range map[bool]int{false: 2, true: 0} {
		plan, _, err := settle(stages, looks{"a": {"fetch": {Satisfied: true}, "install": {Satisfied: satisfied}}})
		if err != nil || len(plan) != want {
			t.Errorf("satisfied %v: %d stages, want %d (%v)", satisfied, len(plan), want, err)
		}
	}
}
