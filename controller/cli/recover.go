package cli

import (
	"context"
	"flag"
	"strings"

	"icm/controller/deploy"
)

var recoverCommand = command{
	name:    "recover",
	summary: "make a lost state directory again from what the nodes know",
	help: `For a deployment whose state directory and instances file are lost. Every node's agent knows the deployment, its name, role and fields, and what operations asked of it. icm connects, asks, and writes both anew, under the deployment's own id; nothing on the nodes is changed. A node's host key is trusted unseen, aloud, as at a first contact.
Without -nodes the addresses are those of the definitions file, where the provider can tell them.
What nodes owed, the outputs of commands, and the order of plans whose nodes were not asked are not known again.`,
	setup: func(fs *flag.FlagSet) runFunc {
		var o common
		var r deploy.RecoverOptions
		o.register(fs)
		nodesOption(fs, &r.Nodes)
		fs.StringVar(&r.User, "user", "", "`name` to log in with (default: SSHUser of the defaults file)")
		fs.StringVar(&r.KeyFile, "key", "", "private key `file` for SSH (default: SSHPrivateKey of the defaults file)")
		return func(ctx context.Context, env *Env, _ []string) error {
			return o.work(ctx, env, "recover", func(ctx context.Context, job *deploy.Job, con *console) error {
				res, err := job.Recover(ctx, r)
				if err != nil {
					return err
				}
				printInventory(con, res.Nodes)
				con.line("Recovered: %d nodes, %d operations, in %s. icm plan install shows what is left to do.", len(res.Nodes), res.Operations, res.StateDir)
				return o.json.write(env, res.Nodes)
			})
		}
	},
}

// nodesOption adds -nodes.
func nodesOption(fs *flag.FlagSet, into *[]string) {
	fs.Func("nodes", "the nodes' addresses, `HOST[:PORT],…`; may be repeated", func(v string) error {
		for node := range strings.SplitSeq(v, ",") {
			if node = strings.TrimSpace(node); node != "" {
				*into = append(*into, node)
			}
		}
		return nil
	})
}
