package cli

import (
	"context"
	"flag"

	"icm/controller/deploy"
)

var provisionCommand = command{
	name:    "provision",
	summary: "make the nodes of the definitions file exist and ready for use",
	help: `Reads defaults.json and definitions.json, lets the provider make (or find) the nodes, lets icm in by key only, puts the agent on every node, and formats and mounts the volumes. Writes instances.json and the state directory.
Running it again with -stateDir goes on where it stopped, and applies what was changed in the files.`,
	setup: func(fs *flag.FlagSet) runFunc {
		var o common
		var wipe listFlag
		o.register(fs)
		o.forcing(fs, "do not ask before existing nodes are changed")
		o.consenting(fs)
		fs.Var(&wipe, "wipe", "format this device although it holds something; `NODE:DEVICE`, may be repeated. What it holds is lost")
		return func(ctx context.Context, env *Env, _ []string) error {
			return o.work(ctx, env, "provision", func(ctx context.Context, job *deploy.Job, con *console) error {
				job.Wipe = wipe
				res, err := job.Provision(ctx)
				if err != nil {
					return err
				}
				printInventory(con, res.Nodes)
				con.line("To destroy: icm unprovision -stateDir %s [-cleanUp] [-force]", res.StateDir)
				return o.json.write(env, map[string]string{
					"defaults": o.files.Defaults, "definitions": o.files.Definitions,
					"instances": o.files.Instances, "stateDir": res.StateDir,
				})
			})
		}
	},
}

// listFlag is an option that may be repeated.
type listFlag []string

func (l *listFlag) String() string     { return "" }
func (l *listFlag) Set(s string) error { *l = append(*l, s); return nil }
