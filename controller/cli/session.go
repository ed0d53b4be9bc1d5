package cli

import (
	"context"
	"flag"

	"icm/controller/deploy"
)

var sessionCommand = command{
	name:    "session",
	summary: "run ObjectScript in the instances, or open a session in one",
	help: `With -interactive, opens a session in the instance of one node. Without it, runs the ObjectScript of -command on every selected node; the output goes to a file per node, and of a single node also to the console.
Interactive sessions need the terminal; they run as the owner of the instance.`,
	setup: codeCommand("objectscript"),
}

var sqlCommand = command{
	name:    "sql",
	summary: "run a SQL statement in the instances",
	help:    "Runs the statement of -command on every selected node; the output goes to a file per node, and of a single node also to the console.",
	setup:   codeCommand("sql"),
}

// codeCommand is the setup of session and sql.
func codeCommand(language string) func(*flag.FlagSet) runFunc {
	return func(fs *flag.FlagSet) runFunc {
		var o common
		var code string
		var interactive bool
		o.register(fs)
		o.selectors(fs)
		o.password.register(fs)
		o.fieldOption(fs, "namespace", "Namespace", "`namespace` to run in")
		fs.StringVar(&code, "command", "", "the `code` to run")
		fs.BoolVar(&interactive, "interactive", false, "join the session to this terminal")
		return func(ctx context.Context, env *Env, _ []string) error {
			return o.work(ctx, env, commandName(language), func(ctx context.Context, job *deploy.Job, con *console) error {
				if interactive || code == "" {
					return job.InteractiveSession(ctx, language, code)
				}
				outs, err := job.Session(ctx, language, code)
				printOutputs(env, con, outs)
				return answer(env, &o.json, outs, err)
			})
		}
	}
}

func commandName(language string) string {
	if language == "sql" {
		return "sql"
	}
	return "session"
}
