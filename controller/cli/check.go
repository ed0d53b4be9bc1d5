package cli

import (
	"context"
	"flag"

	"icm/controller/deploy"
)

var checkCommand = command{
	name:    "check",
	summary: "look for what would stand in the way, and change nothing",
	help:    "Checks the files, then every node: reachability, sudo, clock, ports, space, kit, platform, and more. Exits with 3 when something would fail.",
	setup: func(fs *flag.FlagSet) runFunc {
		var o common
		var all bool
		o.register(fs)
		o.selectors(fs)
		o.kitOptions(fs)
		fs.BoolVar(&all, "all", false, "show what passed too")
		return func(ctx context.Context, env *Env, _ []string) error {
			return o.work(ctx, env, "check", func(ctx context.Context, job *deploy.Job, con *console) error {
				found, err := job.Check(ctx)
				if err != nil {
					return err
				}
				printFindings(con, found, all)
				if err := o.json.write(env, found); err != nil {
					return err
				}
				return deploy.FailedFindings(found)
			})
		}
	},
}

func printFindings(con *console, found []deploy.NodeFinding, all bool) {
	var rows [][]string
	hints := false
	for _, f := range found {
		if f.Result == "pass" && !all {
			continue
		}
		hints = hints || f.Hint != ""
		rows = append(rows, []string{f.Node, f.Result, f.Check, f.Text})
		if f.Hint != "" {
			rows = append(rows, []string{"", "", "", "hint: " + f.Hint})
		}
	}
	if len(rows) == 0 {
		con.line("All checks passed.")
		return
	}
	con.table([]string{"Machine", "Result", "Check", "Finding"}, rows)
}
