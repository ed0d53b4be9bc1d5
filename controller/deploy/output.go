package deploy

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"icm/controller/state"
	"icm/internal/atomicfile"
)

// Output is what a command said on one node.
type Output struct {
	Node string
	// File holds the output, ErrFile what came on standard error ("" when
	// nothing did); both as the operator would name them.
	File, ErrFile string
	// Text is the output itself; only kept when a single node was asked.
	Text string
	// Stderr is the beginning of what came on standard error; all of it when a
	// single node was asked.
	Stderr string
	Exit   int
}

// keptStderr bounds how much of standard error is kept in memory per node.
const keptStderr = 4 << 10

// outputs gathers what nodes said, side by side. f writes a node's output to
// two files and returns its exit status.
func (j *Job) outputs(ctx context.Context, p provisioned, base string, f func(ctx context.Context, n state.Instance, out, errs *os.File) (int, error)) ([]Output, error) {
	nodes := p.real()
	outs := make([]Output, len(nodes))
	var mu sync.Mutex
	err := forEach(ctx, machineNames(nodes), j.Parallel, func(ctx context.Context, i int, _ string) error {
		o, err := j.output(ctx, p.dir, nodes[i], base, f)
		mu.Lock()
		outs[i] = o
		mu.Unlock()
		return err
	})
	if len(outs) == 1 {
		if readErr := outs[0].read(j); readErr != nil {
			return outs, readErr
		}
	}
	return outs, err
}

// read takes what a node said from its files.
func (o *Output) read(j *Job) error {
	for file, into := range map[string]*string{o.File: &o.Text, o.ErrFile: &o.Stderr} {
		if file == "" {
			continue
		}
		data, err := os.ReadFile(j.path(file))
		if err != nil {
			return err
		}
		*into = string(data)
	}
	return nil
}

func (j *Job) output(ctx context.Context, dir *state.Dir, n state.Instance, base string, f func(ctx context.Context, n state.Instance, out, errs *os.File) (int, error)) (Output, error) {
	o := Output{Node: n.MachineName}
	sub, err := dir.Node(definitionOf(n), n.MachineName)
	if err != nil {
		return o, err
	}
	out, err := os.OpenFile(filepath.Join(sub, base+".out"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return o, err
	}
	defer out.Close()
	errs, err := os.OpenFile(filepath.Join(sub, base+".err"), os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return o, err
	}
	defer errs.Close()
	o.Exit, err = f(ctx, n, out, errs)
	if st, statErr := out.Stat(); err == nil || statErr == nil && st.Size() > 0 {
		o.File = j.short(out.Name()) // a node that was not reached said nothing
	}
	said := make([]byte, keptStderr)
	if k, _ := errs.ReadAt(said, 0); k > 0 {
		o.Stderr, o.ErrFile = string(said[:k]), j.short(errs.Name())
	}
	if err != nil {
		return o, err
	}
	if o.Exit != 0 {
		return o, fmt.Errorf("ended with status %d%s", o.Exit, firstLine(o.Stderr))
	}
	return o, atomicfile.SyncDir(sub)
}

func firstLine(s string) string {
	for i, r := range s {
		if r == '\n' {
			s = s[:i]
			break
		}
	}
	if s == "" {
		return ""
	}
	return ": " + s
}
