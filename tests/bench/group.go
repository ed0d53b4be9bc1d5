package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// group is a control group made for one measurement, in every hierarchy that
// can tell something: cgroup v2, or cpu, cpuacct and memory of v1. With none
// of them only what processes report of themselves and their children counts.
type group struct {
	dirs    []string
	unified bool
}

const cgroupRoot = "/sys/fs/cgroup"

func newGroup(name string) (*group, error) {
	g := &group{}
	parents := []string{"cpu", "cpuacct", "memory"}
	if _, err := os.Stat(filepath.Join(cgroupRoot, "cgroup.controllers")); err == nil {
		g.unified, parents = true, []string{""}
	}
	for _, p := range parents {
		dir := filepath.Join(cgroupRoot, p)
		if _, err := os.Stat(filepath.Join(dir, "cgroup.procs")); err != nil {
			continue
		}
		dir = filepath.Join(dir, fmt.Sprintf("icm-bench-%d-%s", os.Getpid(), name))
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, errors.Join(err, g.remove())
		}
		g.dirs = append(g.dirs, dir)
	}
	return g, nil
}

// entering is a command line that enters the group before it becomes another.
func (g *group) entering(argv []string) []string {
	script := `while [ "$1" != -- ]; do echo $$ > "$1/cgroup.procs" || exit 125; shift; done; shift; exec "$@"`
	line := append([]string{"sh", "-c", script, "sh"}, g.dirs...)
	return append(append(line, "--"), argv...)
}

// cpu is the CPU time of everything that was in the group; ok is false when
// the kernel does not tell.
func (g *group) cpu() (d time.Duration, ok bool) {
	for _, dir := range g.dirs {
		if n, err := readNumber(filepath.Join(dir, "cpuacct.usage")); err == nil {
			return time.Duration(n), true
		}
		if n, err := readField(filepath.Join(dir, "cpu.stat"), "usage_usec"); err == nil {
			return time.Duration(n) * time.Microsecond, true
		}
	}
	return 0, false
}

// remove ends what is left in the group, such as masters of ssh connections,
// and removes it.
func (g *group) remove() error {
	// The kernel buries the dead a moment after they were killed, and this is
	// done also when the bench was told to stop.
	return await(context.Background(), "removing a control group", 10*time.Second, func() error {
		var left error
		for _, dir := range g.dirs {
			g.end(dir)
			if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
				left = err
			}
		}
		return left
	})
}

func (g *group) end(dir string) {
	data, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	if err != nil {
		return
	}
	for word := range strings.FieldsSeq(string(data)) {
		if pid, err := strconv.Atoi(word); err == nil && pid != 0 {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may be gone already
		}
	}
}

// measured is what one run of a command line cost.
type measured struct {
	wall, cpu time.Duration
	rss       int64 // bytes at most, of the command's own process
	out, errs string
	status    int
}

// measure runs a command line in a group of its own. An exit status other than
// 0 is no error; what the command says is kept.
func measure(ctx context.Context, dir string, env []string, argv ...string) (measured, error) {
	g, err := newGroup("run")
	if err != nil {
		return measured{}, err
	}
	m, err := g.measure(ctx, dir, env, argv...)
	return m, errors.Join(err, g.remove())
}

func (g *group) measure(ctx context.Context, dir string, env []string, argv ...string) (measured, error) {
	line := g.entering(argv)
	cmd := exec.CommandContext(ctx, line[0], line[1:]...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.WaitDelay = 5 * time.Second
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	before, _ := g.cpu()
	start := time.Now()
	err := cmd.Start()
	if err != nil {
		return measured{}, err
	}
	peak := watchMemory(cmd.Process.Pid)
	err = cmd.Wait()
	m := measured{wall: time.Since(start), rss: peak(), out: out.String(), errs: errs.String()}
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		return m, errors.Join(err, ctx.Err())
	}
	m.status = cmd.ProcessState.ExitCode()
	m.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if after, ok := g.cpu(); ok {
		m.cpu = after - before
	}
	return m, nil
}

// watchMemory reads the high-water mark of a process until it has ended.
// rusage would not do: there a child begins with the mark of its parent.
func watchMemory(pid int) (peak func() int64) {
	status := fmt.Sprintf("/proc/%d/status", pid)
	var most int64
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			if kb, err := readField(status, "VmHWM"); err == nil {
				most = kb << 10
			}
			select {
			case <-tick.C:
			case <-done:
				return
			}
		}
	}()
	return func() int64 {
		close(done)
		<-ended
		return most
	}
}

// must is measure for a command that has to work.
func must(m measured, err error) (measured, error) {
	if err == nil && m.status != 0 {
		said := strings.TrimSpace(m.out + m.errs)
		err = fmt.Errorf("ended with status %d: %s", m.status, said[max(0, len(said)-500):])
	}
	return m, err
}

func readNumber(path string) (int64, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
}

// readField reads the number behind a name, in files such as /proc/PID/status.
func readField(path, name string) (int64, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return field(string(data), name)
}

func field(text, name string) (int64, error) {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			if words := strings.Fields(strings.TrimPrefix(rest, ":")); len(words) > 0 {
				return strconv.ParseInt(words[0], 10, 64)
			}
		}
	}
	return 0, fmt.Errorf("there is no %s", name)
}
