package cli

import (
	"context"
	"flag"

	"icm/controller/deploy"
)

var releaseCommand = command{
	name:    "release",
	summary: "let go of nodes, and leave IRIS running on them",
	help: `Takes icm off nodes that were adopted or given: its agent, its service of the instance, its key and its settings of logins. The instance goes on running and is not touched; volumes, accounts and kernel settings that icm made for it stay. Where icm's service started it with the machine, nothing does any more, and that is said. On adopted nodes nothing of icm is left.
-stateDir is required: naming it is the consent. Nodes that icm's provider made are destroyed with icm unprovision, and not let go.`,
	setup: func(fs *flag.FlagSet) runFunc {
		var o common
		var cleanUp bool
		o.register(fs)
		o.forcing(fs, "do not ask, and go on although nodes do not answer")
		fs.BoolVar(&cleanUp, "cleanUp", false, "delete the state directory afterwards")
		return func(ctx context.Context, env *Env, _ []string) error {
			if o.files.StateDir == "" {
				return &usageError{"icm release needs -stateDir", "icm adopt, or icm provision, printed the whole command; it is also in icm.log"}
			}
			return o.work(ctx, env, "release", func(ctx context.Context, job *deploy.Job, con *console) error {
				if err := job.Release(ctx, deploy.UnprovisionOptions{CleanUp: cleanUp, Force: o.force}); err != nil {
					return err
				}
				return o.json.write(env, nil)
			})
		}
	},
}
