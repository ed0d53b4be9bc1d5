package pluginhost

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"github.com/hashicorp/go-plugin/runner"
)

// process is a provider's program, run for go-plugin. go-plugin's own runner
// would hand our standard input on, and not tell how the program ended.
type process struct {
	path   string
	env    []string
	last   *tail // of its standard error
	cmd    *exec.Cmd
	out    io.ReadCloser
	err    io.ReadCloser
	pid    int
	exited chan struct{} // closed when the program has ended; then ended is set
	ended  string
}

var _ runner.Runner = (*process)(nil)

func newProcess(path string, env []string) *process {
	return &process{path: path, env: env, last: &tail{}, exited: make(chan struct{})}
}

// prepare builds the command; handshake is what go-plugin adds to the
// environment.
func (p *process) prepare(handshake []string) error {
	p.cmd = exec.Command(p.path)
	p.cmd.Env = append(append([]string{}, p.env...), handshake...)
	// A Ctrl-C at the terminal is for icm alone: it cancels the call, and the
	// provider stops its children in order.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var err error
	if p.out, err = p.cmd.StdoutPipe(); err != nil {
		return err
	}
	p.err, err = p.cmd.StderrPipe()
	return err
}

// Start implements runner.Runner.
func (p *process) Start(context.Context) error {
	if err := p.cmd.Start(); err != nil {
		return err
	}
	p.pid = p.cmd.Process.Pid
	return nil
}

// Wait implements runner.Runner.
func (p *process) Wait(context.Context) error {
	err := p.cmd.Wait()
	p.ended = p.cmd.ProcessState.String()
	close(p.exited)
	return err
}

// Kill implements runner.Runner.
func (p *process) Kill(context.Context) error {
	if p.cmd == nil || p.cmd.Process == nil {
		return nil
	}
	if err := p.cmd.Process.Kill(); !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// Stdout, Stderr, Name, ID and Diagnose implement runner.Runner.
func (p *process) Stdout() io.ReadCloser           { return p.out }
func (p *process) Stderr() io.ReadCloser           { return p.err }
func (p *process) Name() string                    { return p.path }
func (p *process) ID() string                      { return strconv.Itoa(p.pid) }
func (p *process) Diagnose(context.Context) string { return "" }

// PluginToHost and HostToPlugin implement runner.Runner: both see one file
// system.
func (p *process) PluginToHost(network, addr string) (string, string, error) {
	return network, addr, nil
}

// HostToPlugin implements runner.Runner.
func (p *process) HostToPlugin(network, addr string) (string, string, error) {
	return network, addr, nil
}

// endTime is how long a lost provider has to be seen to have ended. Its
// connection closes a moment before.
const endTime = 2 * time.Second

// explain adds how the program ended, and what it said last.
func (p *process) explain(err error) error {
	if p.pid == 0 {
		return err
	}
	timeout := time.NewTimer(endTime)
	defer timeout.Stop()
	select {
	case <-p.exited:
		err = fmt.Errorf("%w (%s)", err, p.ended)
	case <-timeout.C:
	}
	if said := p.last.text(); said != "" {
		err = fmt.Errorf("%w; it said last:\n%s", err, said)
	}
	return err
}
