package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"icm/controller/deploy"
)

var sshCommand = command{
	name:    "ssh",
	summary: "run a command on the nodes, or open a shell on one",
	help:    "Runs -command in the user's shell on every selected node; the output goes to a file per node, and of a single node also to the console. With -interactive, joins the command, or a login shell, to this terminal.",
	setup: func(fs *flag.FlagSet) runFunc {
		var o common
		var cmd string
		var interactive bool
		o.register(fs)
		o.selectors(fs)
		fs.StringVar(&cmd, "command", "", "the `command` to run")
		fs.BoolVar(&interactive, "interactive", false, "join the command to this terminal")
		return func(ctx context.Context, env *Env, _ []string) error {
			return o.work(ctx, env, "ssh", func(ctx context.Context, job *deploy.Job, con *console) error {
				if interactive || cmd == "" {
					return job.InteractiveSSH(ctx, cmd)
				}
				outs, err := job.SSH(ctx, cmd)
				printOutputs(env, con, outs)
				return answer(env, &o.json, outs, err)
			})
		}
	},
}

// printOutputs lists the files with the output, and shows the output itself
// when there was one node.
func printOutputs(env *Env, con *console, outs []deploy.Output) {
	for _, out := range outs {
		if out.File != "" {
			con.line("...output in %s", out.File)
		}
		if out.ErrFile != "" {
			con.line("...errors in %s", out.ErrFile)
		}
	}
	if len(outs) == 1 {
		con.raw(con.out, outs[0].Text)
		con.raw(env.Err, outs[0].Stderr)
	}
}

// remoteError is the guide's form of what went wrong on a node, C.4.2.2.
type remoteError struct {
	Error     string `json:"error,omitempty"`
	File      string `json:"file,omitempty"`
	ExitValue int    `json:"exitValue,omitempty"`
}

// remoteErrors is an error with what the nodes said, for its JSON form.
type remoteErrors struct {
	error
	outs []deploy.Output
}

func (e *remoteErrors) Unwrap() error { return e.error }

// answer writes what nodes said as JSON; what failed is written with the error.
func answer(env *Env, js *jsonFlag, outs []deploy.Output, err error) error {
	if err != nil && outs != nil {
		return &remoteErrors{err, outs}
	}
	if err != nil {
		return err
	}
	return js.write(env, outputsJSON(outs, nil))
}

// outputsJSON lists the nodes that failed or said something on standard
// error; otherwise the answer is empty.
func outputsJSON(outs []deploy.Output, err error) any {
	failed := []map[string]remoteError{}
	told := map[string]bool{}
	for _, out := range outs {
		if out.Stderr == "" && out.Exit == 0 {
			continue
		}
		told[out.Node] = true
		e := remoteError{Error: strings.TrimSpace(out.Stderr), File: out.ErrFile, ExitValue: out.Exit}
		failed = append(failed, map[string]remoteError{out.Node: e})
	}
	var nodes *deploy.NodeErrors
	if !errors.As(err, &nodes) {
		return failed
	}
	for _, ne := range nodes.Errs { // those that came to no output
		if !told[ne.Node] {
			failed = append(failed, map[string]remoteError{ne.Node: {Error: ne.Err.Error()}})
		}
	}
	return failed
}

// raw prints text as it is.
func (c *console) raw(w io.Writer, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.live != nil {
		c.live.clear()
	}
	if text == "" {
		return
	}
	fmt.Fprint(w, text)
	if !strings.HasSuffix(text, "\n") {
		fmt.Fprintln(w)
	}
}
