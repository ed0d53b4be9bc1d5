package cli

import (
	"strings"

	"icm/controller/deploy"
)

// printPlan shows a plan to people.
func printPlan(con *console, p *deploy.Plan) {
	for _, n := range p.Notes {
		con.line("note: %s", n)
	}
	for _, node := range p.Skipped {
		con.line("left out: %s, which does not answer; it is going to owe %s", node, p.Verb)
	}
	if p.Empty() {
		con.line("Nothing to do: %s would change nothing.", p.Verb)
		return
	}
	if p.Procedure != "" {
		con.line("procedure: %s", p.Procedure)
	}
	for _, a := range p.Actions {
		con.line("%s %s%s", a.Verb, a.What, dash(a.Detail))
	}
	back, what, why, oneWay := p.NoReturn()
	for i, st := range p.Stages {
		if oneWay && i == back {
			con.line("---- point of no return: %s: %s ----", strings.ToLower(what[:1])+what[1:], why)
		}
		if st.Hold != "" {
			con.line("---- held here, until icm resume: %s ----", st.Hold)
		}
		con.line("Stage %d of %d: %s%s", i+1, len(p.Stages), st.Name, together(st))
		for _, ch := range st.Changes {
			con.line("  %s", ch.Node)
			for _, t := range ch.Tasks {
				printStep(con, t)
			}
		}
	}
	if !oneWay {
		con.line("Everything in this plan can be undone.")
	}
	con.line("Plan %s", p.Digest())
}

func together(st deploy.Stage) string {
	if st.Together {
		return " (all or none)"
	}
	return ""
}

func printStep(con *console, t deploy.Step) {
	con.line("    %-14s %s (%s)", t.Kind, t.Summary, t.Reversibility)
	for _, d := range t.Diffs {
		con.line("      %s: %s -> %s", d.What, quiet(d.Before), quiet(d.After))
	}
}

func quiet(s string) string {
	if s == "" {
		return "(none)"
	}
	return s
}

func dash(s string) string {
	if s == "" {
		return ""
	}
	return ": " + s
}
