package deploy

import (
	"context"
	"errors"
	"fmt"
	"os"

	"icm/controller/spec"
	"icm/controller/state"
	"icm/internal/hint"
	"icm/internal/wire"
)

// errOneNode is what an interactive command says when it would have to join
// several nodes to one terminal; the guide's words, C.1.
func errOneNode() error {
	return hint.New(errors.New("Interactive commands cannot match more than one instance"), "choose one with -machine; -command runs something on all of them") //nolint:staticcheck // the guide's words
}

// SSH runs a command of the operator's on every selected node.
func (j *Job) SSH(ctx context.Context, command string) ([]Output, error) {
	p, err := j.instances()
	if err != nil {
		return nil, err
	}
	return j.outputs(ctx, p, "ssh", func(ctx context.Context, n state.Instance, out, errs *os.File) (int, error) {
		j.World.Report.Report(Event{Kind: Starting, Subject: n.MachineName, Preposition: "on", Text: fmt.Sprintf("Executing command '%s'", command)})
		sh, err := j.reach(ctx, n, p.dir)
		if err != nil {
			return 0, err
		}
		defer sh.Close()
		return sh.Run(ctx, command, nil, out, errs)
	})
}

// InteractiveSSH joins a command, or a login shell, to the terminal.
func (j *Job) InteractiveSSH(ctx context.Context, command string) error {
	return j.interactive(ctx, func(state.Instance) (string, error) { return command, nil })
}

func (j *Job) interactive(ctx context.Context, command func(state.Instance) (string, error)) error {
	p, err := j.instances()
	if err != nil {
		return err
	}
	nodes := p.real()
	if len(nodes) != 1 {
		return errOneNode()
	}
	line, err := command(nodes[0])
	if err != nil {
		return err
	}
	sh, err := j.reach(ctx, nodes[0], p.dir)
	if err != nil {
		return &NodeError{nodes[0].MachineName, err}
	}
	defer sh.Close()
	status, err := sh.Interactive(ctx, line)
	if err == nil && status != 0 {
		err = fmt.Errorf("ended with status %d", status)
	}
	if err != nil {
		return &NodeError{nodes[0].MachineName, err}
	}
	return nil
}

func (j *Job) reach(ctx context.Context, n state.Instance, dir *state.Dir) (Shell, error) {
	a, err := j.address(n, dir)
	if err != nil {
		return nil, err
	}
	return j.World.Reach(ctx, a)
}

// Copy copies a local file or directory to every selected node.
func (j *Job) Copy(ctx context.Context, local, remotePath string) error {
	if _, err := os.Stat(j.path(local)); err != nil {
		return fmt.Errorf("cannot copy %s: %v", local, rootCause(err))
	}
	p, err := j.instances()
	if err != nil {
		return err
	}
	nodes := p.real()
	return forEach(ctx, machineNames(nodes), j.Parallel, func(ctx context.Context, i int, name string) error {
		j.World.Report.Report(Event{Kind: Starting, Subject: name, Preposition: "to", Text: "Copying " + local})
		sh, err := j.reach(ctx, nodes[i], p.dir)
		if err != nil {
			return err
		}
		defer sh.Close()
		to := remotePath
		if to == "" {
			f := spec.MakeFields(nodes[i].Fields)
			to = withSlash(f.Get("Home")) + f.Get("SSHUser") + "/"
		}
		moved := func(done, total int64) {
			j.World.Report.Report(Event{Kind: Moved, Subject: name, Text: "Copying", Progress: wire.Progress{Done: done, Total: total, Unit: "bytes"}})
		}
		if err := sh.Copy(ctx, keepSlash(j.path(local), local), to, moved); err != nil {
			return err
		}
		j.World.Report.Report(Event{Kind: Finished, Subject: name, Preposition: "to", Text: "copied " + local})
		return nil
	})
}

// keepSlash gives an absolute path the slash at the end that the operator
// wrote: it means "the contents of".
func keepSlash(abs, written string) string {
	if written != "" && os.IsPathSeparator(written[len(written)-1]) {
		return withSlash(abs)
	}
	return abs
}
