package cli

import (
	"context"
	"flag"

	"icm/controller/deploy"
)

var adoptCommand = command{
	name:    "adopt",
	summary: "take nodes in on which IRIS is installed already",
	help: `For instances that were installed by hand, or by ICM's containerless mode. icm connects, brings its agent, reads how each instance was set up, and writes defaults.json and definitions.json that describe them, the state directory and the instances file. Nothing else on the nodes is changed: instances go on running, and icm plan install has nothing to do afterwards. Where a node cannot be taken in, none is, and the agents go again.
Adopted nodes have the field Adopted: accounts, directories, volumes, kernel settings, logins and services stay as their site made them, until the field is taken away. icm release lets go of them.
An application server is known by its configuration and is adopted together with its data server. Mirrors and sharded clusters are not adopted yet.`,
	setup: func(fs *flag.FlagSet) runFunc {
		var o common
		var a deploy.AdoptOptions
		o.register(fs)
		nodesOption(fs, &a.Nodes)
		fs.StringVar(&a.From, "from", "", "instances `file` of ICM's containerless mode, in place of -nodes, -label and -tag")
		fs.StringVar(&a.User, "user", "", "`name` to log in with; it needs sudo without a password")
		fs.StringVar(&a.KeyFile, "key", "", "private key `file` for SSH; the public one lies beside it, with .pub")
		fs.StringVar(&a.Label, "label", "", "first part of the machine names, `ACME`")
		fs.StringVar(&a.Tag, "tag", "", "third part of the machine names, `PROD`")
		fs.StringVar(&a.Instance, "instance", "", "`name` of the instance, where a node has several")
		fs.StringVar(&a.Namespace, "namespace", "", "`namespace` of the application (default: USER)")
		return func(ctx context.Context, env *Env, _ []string) error {
			if err := adoptable(a); err != nil {
				return err
			}
			return o.work(ctx, env, "adopt", func(ctx context.Context, job *deploy.Job, con *console) error {
				res, err := job.Adopt(ctx, a)
				if err != nil {
					return err
				}
				printInventory(con, res.Nodes)
				con.line("Adopted: %d nodes, described in defaults.json and definitions.json, with the state directory %s. icm plan install shows that nothing is to do; to let go: icm release -stateDir %s", len(res.Nodes), res.StateDir, res.StateDir)
				return o.json.write(env, res.Nodes)
			})
		}
	},
}

// adoptable refuses a command line that does not say enough.
func adoptable(a deploy.AdoptOptions) error {
	const whole = "icm adopt -nodes HOST,HOST -user NAME -key FILE -label ACME -tag PROD"
	switch {
	case len(a.Nodes) > 0 && a.From != "":
		return &usageError{"-nodes and -from exclude each other", "-from FILE names the nodes itself"}
	case len(a.Nodes) == 0 && a.From == "":
		return &usageError{"icm adopt needs -nodes or -from", whole}
	case a.From != "":
		return nil // it tells the rest
	case a.User == "" || a.KeyFile == "":
		return &usageError{"icm adopt needs -user and -key", whole}
	case a.Label == "" || a.Tag == "":
		return &usageError{"icm adopt needs -label and -tag, which the machine names are made of", whole}
	}
	return nil
}
