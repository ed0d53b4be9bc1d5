package cli

import (
	"bytes"
	"context"
	"flag"
	"slices"
	"strings"

	"icm/controller/deploy"
)

var psCommand = command{
	name:    "ps",
	summary: "show the instances on the nodes",
	help:    "Asks every node for its instances. Nodes that do not answer, have no agent, or have nothing installed are listed as that.",
	setup: func(fs *flag.FlagSet) runFunc {
		var o common
		var container string
		var w watching
		o.register(fs)
		o.selectors(fs)
		w.register(fs)
		fs.StringVar(&container, "container", "", "accepted for old scripts; kits have no containers, so this `name` is not looked at")
		return func(ctx context.Context, env *Env, _ []string) error {
			return o.work(ctx, env, "ps", func(ctx context.Context, job *deploy.Job, con *console) error {
				nodes := job.Watch()
				defer nodes.Close()
				if w.on {
					return w.watch(ctx, env, con, watchPS(env, &o, nodes))
				}
				rows, err := nodes.PS(ctx)
				if err != nil {
					return err
				}
				con.table(psCells(rows))
				return o.json.write(env, rows)
			})
		}
	},
}

// watchPS is one look of `icm ps -watch`.
func watchPS(env *Env, o *common, nodes *deploy.Watch) func(context.Context) (view, error) {
	var n news
	return func(ctx context.Context) (view, error) {
		rows, err := nodes.PS(ctx)
		if err != nil {
			return view{}, err
		}
		header, cells := psCells(rows)
		now := make([]string, len(cells))
		for i, c := range cells {
			now[i] = strings.Join(slices.DeleteFunc(slices.Clone(c), func(s string) bool { return s == "" }), " ")
		}
		come, _ := n.of(now)
		s := view{lines: stamped("", come), table: func(b *bytes.Buffer) { table(b, header, cells) }}
		return s, o.json.write(env, rows)
	}
}

func psCells(rows []deploy.PSRow) (header []string, cells [][]string) {
	header = []string{"Machine", "IP Address", "Instance", "Kit", "Status", "Health"}
	mirror := false
	for _, r := range rows {
		mirror = mirror || r.MirrorStatus != ""
	}
	if mirror {
		header = append(header, "Mirror")
	}
	cells = make([][]string, len(rows))
	for i, r := range rows {
		cells[i] = []string{r.MachineName, r.IPAddress, r.ISCInstance, r.Kit, r.Status, r.Health}
		if mirror {
			cells[i] = append(cells[i], r.MirrorStatus)
		}
	}
	return header, cells
}
