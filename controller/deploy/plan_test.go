package deploy

import (
	"encoding/json"
	"testing"

	"icm/internal/kind"
	"icm/internal/wire"
	"icm/plugins/provider"
)

func samplePlan() *Plan {
	step := func(k string) Step {
		return Step{Task: wire.Task{ID: "1", Kind: k, Summary: k, Args: json.RawMessage(`{}`)}, Reversibility: kind.Table[k].Reversibility, Why: kind.Table[k].Why}
	}
	return &Plan{Format: planFormat, Verb: "upgrade", Deployment: "ICM-1", Stages: []Stage{
		{Name: "one", Changes: []NodeChange{{Node: "a", OnError: wire.Undo, Tasks: []Step{step(kind.IRISUpgrade)}}, {Node: "b", OnError: wire.Undo, Tasks: []Step{step(kind.IRISUpgrade)}}}},
		{Name: "two", Changes: []NodeChange{{Node: "a", OnError: wire.Hold, Tasks: []Step{step(kind.IRISDiscard)}}}},
	}}
}

func TestTheDigestIsStableAndSeesEverything(t *testing.T) {
	want := samplePlan().Digest()
	if got := samplePlan().Digest(); got != want || len(got) != 64 {
		t.Errorf("the digest is %s, then %s", want, got)
	}
	var back Plan
	data, err := json.Marshal(samplePlan())
	if err != nil || json.Unmarshal(data, &back) != nil || back.Digest() != want {
		t.Errorf("a plan that was saved and read has another digest (%v)", err)
	}
	for name, change := range map[string]func(p *Plan){
		"the verb":          func(p *Plan) { p.Verb = "install" },
		"the deployment":    func(p *Plan) { p.Deployment = "ICM-2" },
		"a stage's name":    func(p *Plan) { p.Stages[1].Name = "three" },
		"a node":            func(p *Plan) { p.Stages[0].Changes[1].Node = "c" },
		"what errors mean":  func(p *Plan) { p.Stages[0].Changes[0].OnError = wire.Hold },
		"arguments":         func(p *Plan) { p.Stages[0].Changes[0].Tasks[0].Args = json.RawMessage(`{"x":1}`) },
		"what it binds":     func(p *Plan) { p.Stages[0].Changes[0].Tasks[0].Bind = "disk" },
		"the order":         func(p *Plan) { p.Stages[0], p.Stages[1] = p.Stages[1], p.Stages[0] },
		"a provider's part": func(p *Plan) { p.Actions = []provider.Action{{Verb: "make", What: "node a"}} },
		"a note":            func(p *Plan) { p.Notes = []string{"x"} },
		"a difference":      func(p *Plan) { p.Stages[0].Changes[0].Tasks[0].Diffs = []wire.Diff{{What: "x"}} },
	} {
		p := samplePlan()
		change(p)
		if p.Digest() == want {
			t.Errorf("the digest does not see %s", name)
		}
	}
}

func TestThePointOfNoReturnIsTheFirstOneWayTask(t *testing.T) {
	p := samplePlan()
	stage, what, why, ok := p.NoReturn()
	if !ok || stage != 1 || what == "" || why == "" {
		t.Errorf("it is %d, %q, %q, %v", stage, what, why, ok)
	}
	p.Stages = p.Stages[:1]
	if _, _, _, ok := p.NoReturn(); ok {
		t.Error("a plan that can be undone has one")
	}
	p.Stages[0].Barrier = "the new version writes"
	if stage, what, why, ok := p.NoReturn(); !ok || stage != 0 || what != p.Stages[0].Name || why != "the new version writes" {
		t.Errorf("with a barrier it is %d, %q, %q, %v", stage, what, why, ok)
	}
}

func TestAPlanThatKeepsEverythingIsEmpty(t *testing.T) {
	p := &Plan{Actions: []provider.Action{{Verb: "keep", What: "node a"}}}
	if !p.Empty() {
		t.Error("to keep is to do something")
	}
	p.Actions = append(p.Actions, provider.Action{Verb: "destroy", What: "node b"})
	if p.Empty() {
		t.Error("to destroy is to do nothing")
	}
}
