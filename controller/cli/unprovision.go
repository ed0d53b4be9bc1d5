package cli

import (
	"context"
	"flag"

	"icm/controller/deploy"
)

var unprovisionCommand = command{
	name:    "unprovision",
	summary: "destroy the nodes, or let go of those that were given",
	help: `Destroys what provision made. Nodes of provider PreExisting stay: icm takes its agent, units and keys away and leaves IRIS data where it is.
-stateDir is required: naming it is the consent. Instances must have been uninstalled before from nodes that stay, or use -force.`,
	setup: func(fs *flag.FlagSet) runFunc {
		var o common
		var cleanUp bool
		o.register(fs)
		o.forcing(fs, "do not ask, and go on although instances are still installed or nodes do not answer")
		fs.BoolVar(&cleanUp, "cleanUp", false, "delete the state directory afterwards")
		return func(ctx context.Context, env *Env, _ []string) error {
			if o.files.StateDir == "" {
				return &usageError{"icm unprovision needs -stateDir", "icm provision printed the whole command; it is also in icm.log"}
			}
			return o.work(ctx, env, "unprovision", func(ctx context.Context, job *deploy.Job, con *console) error {
				if err := job.Unprovision(ctx, deploy.UnprovisionOptions{CleanUp: cleanUp, Force: o.force}); err != nil {
					return err
				}
				return o.json.write(env, nil)
			})
		}
	},
}
