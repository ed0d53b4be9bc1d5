package cli

import (
	"context"
	"path/filepath"

	"icm/controller/deploy"
	"icm/internal/secret"
)

// work opens a job for one command, runs f with it, and on failure writes the
// error as JSON too, when JSON was asked for.
func (o *common) work(ctx context.Context, env *Env, verb string, f func(ctx context.Context, job *deploy.Job, con *console) error) error {
	con := newConsole(env, o)
	defer con.close()
	job, err := o.job(env, con, verb)
	if err == nil {
		err = f(ctx, job, con)
	}
	if err != nil {
		con.log.Error(err.Error(), "command", verb)
		_ = o.json.write(env, errorJSON(err)) // the error itself is what is reported
	}
	return err
}

func (o *common) job(env *Env, con *console, verb string) (*deploy.Job, error) {
	password, err := o.password.given(env)
	if err != nil {
		return nil, err
	}
	files := o.files
	for _, p := range []*string{&files.Definitions, &files.Defaults, &files.Instances, &files.StateDir} {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(env.Dir, *p)
		}
	}
	return &deploy.Job{
		World: env.World(con), Files: files, Dir: env.Dir,
		Fields: o.fields.values, Select: o.sel, Parallel: o.parallel,
		Verb: verb, Argv: env.Argv, Password: password,
		AskPassword: func() (secret.Secret, bool, error) { return askPassword(env) },
		Confirm:     func(what string) error { return confirm(env, what, o.force) },
	}, nil
}

// errorJSON is the guide's form of a local error, C.4.2.1.
func errorJSON(err error) any { return map[string]string{"error": err.Error()} }
