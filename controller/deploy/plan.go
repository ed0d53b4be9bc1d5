package deploy

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"icm/internal/kind"
	"icm/internal/wire"
	"icm/plugins/provider"
)

// planFormat is the version of the saved plan.
const planFormat = 1

// Plan is what an operation would do, and what it runs.
type Plan struct {
	Format     int    `json:"format"`
	Verb       string `json:"verb"`
	Deployment string `json:"deployment"`
	// Procedure names the way in which an upgrade is done, and says why.
	Procedure string `json:"procedure,omitempty"`
	// Actions are what the provider would do, before any stage.
	Actions []provider.Action `json:"actions,omitempty"`
	Stages  []Stage           `json:"stages"`
	// Notes are things the operator should know that are not tasks.
	Notes []string `json:"notes,omitempty"`
	// Skipped are nodes that did not answer: nothing is planned for them.
	Skipped []string `json:"skipped,omitempty"`
}

// Stage is a gate: the next one begins when all its changes are done.
type Stage struct {
	Name    string       `json:"name"`
	Changes []NodeChange `json:"changes"`
	// Together means all or none: when one of the changes fails, the others are
	// undone.
	Together bool `json:"together,omitempty"`
	// Hold says why the operation stops before the stage until it is resumed.
	Hold string `json:"hold,omitempty"`
	// Barrier says why nothing before the stage can be undone once it has
	// begun: only going on is possible then.
	Barrier string `json:"barrier,omitempty"`
}

// NodeChange is what one node is asked to do in one stage.
type NodeChange struct {
	Node    string       `json:"node"`
	OnError wire.OnError `json:"on_error"`
	Tasks   []Step       `json:"tasks"`
}

// Step is a task and what is known of it in advance.
type Step struct {
	wire.Task
	Diffs         []wire.Diff        `json:"diffs,omitempty"`
	Reversibility kind.Reversibility `json:"reversibility"`
	Why           string             `json:"why,omitempty"`
	// NoSecrets means that the task needs none of the secrets it names.
	NoSecrets bool `json:"no_secrets,omitempty"`
}

// Empty reports whether there is nothing to do.
func (p *Plan) Empty() bool { return len(p.Stages) == 0 && !p.acts() }

func (p *Plan) acts() bool {
	for _, a := range p.Actions {
		if a.Verb != "keep" {
			return true
		}
	}
	return false
}

// Digest names the plan: the sha256 of its JSON form, in hex.
func (p *Plan) Digest() string {
	data, err := json.Marshal(p)
	if err != nil {
		panic(fmt.Sprintf("a plan is plain data: %v", err)) // cannot happen
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// NoReturn finds the first stage after which there is no way back, and why. ok
// is false when everything can be undone.
func (p *Plan) NoReturn() (stage int, what, why string, ok bool) {
	for i, st := range p.Stages {
		if st.Barrier != "" {
			return i, st.Name, st.Barrier, true
		}
		for _, ch := range st.Changes {
			for _, s := range ch.Tasks {
				if s.Reversibility == kind.OneWay {
					return i, s.Summary, s.Why, true
				}
			}
		}
	}
	return 0, "", "", false
}

// Nodes lists the nodes of the plan, each once, in order of appearance.
func (p *Plan) Nodes() []string {
	var out []string
	seen := map[string]bool{}
	for _, st := range p.Stages {
		for _, ch := range st.Changes {
			if !seen[ch.Node] {
				seen[ch.Node] = true
				out = append(out, ch.Node)
			}
		}
	}
	return out
}
