package cli

import (
	"context"
	"flag"

	"icm/controller/deploy"
)

var psCommand = command{
	name:    "ps",
	summary: "show the instances on the nodes",
	help:    "Asks every node for its instances. Nodes that do not answer, have no agent, or have nothing installed are listed as that.",
	setup: func(fs *flag.FlagSet) runFunc {
		var o common
		var container string
		o.register(fs)
		o.selectors(fs)
		fs.StringVar(&container, "container", "", "accepted for old scripts; kits have no containers, so this `name` is not looked at")
		return func(ctx context.Context, env *Env, _ []string) error {
			return o.work(ctx, env, "ps", func(ctx context.Context, job *deploy.Job, con *console) error {
				rows, err := job.PS(ctx)
				if err != nil {
					return err
				}
				printPS(con, rows)
				return o.json.write(env, rows)
			})
		}
	},
}

func printPS(con *console, rows []deploy.PSRow) {
	header := []string{"Machine", "IP Address", "Instance", "Kit", "Status", "Health"}
	mirror := false
	for _, r := range rows {
		mirror = mirror || r.MirrorStatus != ""
	}
	if mirror {
		header = append(header, "Mirror")
	}
	cells := make([][]string, len(rows))
	for i, r := range rows {
		cells[i] = []string{r.MachineName, r.IPAddress, r.ISCInstance, r.Kit, r.Status, r.Health}
		if mirror {
			cells[i] = append(cells[i], r.MirrorStatus)
		}
	}
	con.table(header, cells)
}
