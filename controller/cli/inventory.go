package cli

import (
	"context"
	"flag"

	"icm/controller/deploy"
)

var inventoryCommand = command{
	name:    "inventory",
	summary: "list the nodes that were provisioned",
	help:    "Lists the nodes that the instances file records, without asking them anything. With -refresh the provider is asked where they are now and the file is mended.",
	setup: func(fs *flag.FlagSet) runFunc {
		var o common
		var refresh bool
		o.register(fs)
		o.selectors(fs)
		fs.BoolVar(&refresh, "refresh", false, "ask the provider and mend the instances file")
		return func(ctx context.Context, env *Env, _ []string) error {
			return o.work(ctx, env, "inventory", func(ctx context.Context, job *deploy.Job, con *console) error {
				nodes, err := job.Inventory(ctx, refresh)
				if err != nil {
					return err
				}
				printInventory(con, nodes)
				return o.json.write(env, nodes)
			})
		}
	},
}

func printInventory(con *console, nodes []deploy.InventoryRow) {
	rows := make([][]string, len(nodes))
	for i, n := range nodes {
		rows[i] = []string{n.MachineName, n.IPAddress + n.Mark, n.DNSName}
	}
	con.table([]string{"Machine", "IP Address", "DNS Name"}, rows)
}
