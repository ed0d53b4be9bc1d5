package deploy

import (
	"slices"

	"icm/controller/spec"
	"icm/controller/topology"
	"icm/internal/kind"
)

// An adopted node had its IRIS before icm came. What its site set up there is
// the site's: icm leaves it alone, until somebody takes Adopted away.

// leftAlone are the kinds that icm never runs on an adopted node.
var leftAlone = []string{kind.VolumeMount, kind.AccountEnsure, kind.KernelSet, kind.DirEnsure, kind.IRISUnit, kind.ECPConnect}

// leaveAlone takes out of a draft what adopted nodes are not asked.
func (s *site) leaveAlone(drafts []draftStage) []draftStage {
	serve := joining(s.topo) > 0
	var out []draftStage
	for _, st := range drafts {
		var changes []draftChange
		for _, ch := range st.changes {
			if s.settings[ch.node].adopted {
				ch.tasks = slices.DeleteFunc(slices.Clone(ch.tasks), func(d draft) bool {
					return slices.Contains(leftAlone, d.kind) || d.kind == kind.ECPServe && !serve
				})
			}
			changes = append(changes, ch)
		}
		st.changes = changes
		out = append(out, st)
	}
	return out
}

// joining is how many application servers icm itself binds to the data server:
// adopted ones are bound already.
func joining(t *topology.Topology) int {
	n := 0
	for _, a := range t.AppServers() {
		if !a.Fields.Bool("Adopted") {
			n++
		}
	}
	return n
}

// asFound keeps of the settings of an adopted node what somebody asked for.
func (s *settings) asFound(f spec.Fields) {
	s.adopted = true
	s.SSH.DisablePassword = false
	s.Volumes, s.Dirs, s.Kernel = nil, nil, kind.Kernel{}
	for _, field := range spec.Table {
		if field.CPF != "" && !given(f, field.Name) {
			delete(s.cpf, field.CPF)
		}
	}
}
