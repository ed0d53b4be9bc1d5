package cli

import (
	"context"
	"errors"
	"path/filepath"

	"icm/controller/bundle"
	"icm/controller/deploy"
	"icm/internal/hint"
	"icm/internal/secret"
)

// work opens a job for one command, runs f with it, and on failure writes the
// error as JSON too, when JSON was asked for.
func (o *common) work(ctx context.Context, env *Env, verb string, f func(ctx context.Context, job *deploy.Job, con *console) error) error {
	con := newConsole(env, o)
	defer con.close()
	o.kits = &bundle.Kits{Store: o.storeOptions.open(env), AllowOlder: o.allowOlder}
	defer o.kits.Close() //nolint:errcheck // nothing was written to it
	job, err := o.job(ctx, env, con, verb)
	if err == nil {
		err = f(ctx, job, con)
	}
	if err != nil {
		con.log.Error(err.Error(), "command", verb)
		if _, told := err.(*answeredError); told {
			return err
		}
		_ = o.json.write(env, errorJSON(err)) // the error itself is what is reported
	}
	return err
}

// answeredError is an error of a command whose answer was given all the same.
type answeredError struct{ error }

func (e *answeredError) Unwrap() error { return e.error }

// answered joins how writing an answer went with what is wrong besides.
func answered(writing, besides error) error {
	if writing != nil || besides == nil {
		return errors.Join(writing, besides)
	}
	return &answeredError{besides}
}

func (o *common) job(ctx context.Context, env *Env, con *console, verb string) (*deploy.Job, error) {
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
		Bundle: absolute(env, o.bundle), Kits: o.kits,
		AskPassword: func() (secret.Secret, bool, error) { return askPassword(ctx, env) },
		Confirm:     func(what string) error { return confirm(ctx, env, what, o.force) },
	}, nil
}

// localError is the guide's form of a local error, C.4.2.1, and more for whom
// it helps.
type localError struct {
	Error    string           `json:"error"`
	Hint     string           `json:"hint,omitempty"`
	Problems []string         `json:"problems,omitempty"`
	Refusals []deploy.Refusal `json:"refusals,omitempty"`
}

// errorJSON is the guide's form of an error: local or remote, C.4.2.
func errorJSON(err error) any {
	var input *deploy.InputError
	var refused *deploy.RefusedError
	var remote *remoteErrors
	var nodes *deploy.NodeErrors
	local := localError{Error: err.Error(), Hint: hint.Of(err)}
	switch {
	case errors.As(err, &remote):
		return outputsJSON(remote.outs, remote.error)
	case errors.As(err, &input):
		for _, p := range input.Problems {
			local.Problems = append(local.Problems, p.String())
		}
	case errors.As(err, &refused):
		local.Refusals = refused.Refusals
	case errors.Is(err, context.Canceled):
	case errors.As(err, &nodes):
		return outputsJSON(nil, err)
	}
	return local
}
