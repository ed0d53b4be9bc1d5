package ctl

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"icm/labkit/internal/control"
	"icm/labkit/internal/registry"
)

// mergeVariable names a file to be merged when an instance starts.
const mergeVariable = "ISC_CPF_MERGE_FILE"

func start(env Env, inst registry.Instance, args []string) int {
	if err := registry.CheckOwner(registry.Dir()); err != nil {
		fmt.Fprintln(env.Out, err)
		return 1
	}
	if !mayManage(inst) {
		fmt.Fprintln(env.Out, "You do not have permission to start this instance.")
		return 1
	}
	if control.Locked(inst.Mgr()) {
		fmt.Fprintf(env.Out, "%s is already up!\n", inst.Name)
		return 0
	}
	if out, err := exec.Command("/bin/sh", filepath.Join(inst.Dir, "bin", "prechecker"), "quiet").CombinedOutput(); err != nil {
		note(inst, "Error: OS Package Requirements Check Failed.")
		fmt.Fprintf(env.Out, "%sError: OS Package Requirements Check Failed.\n", out)
		return 1
	}
	cpfPath := ""
	for _, a := range args {
		if strings.ContainsAny(a, "./") {
			cpfPath = a
		}
	}
	fmt.Fprintln(env.Out, "Starting "+inst.Name)
	if err := launch(env, inst, cpfPath); err != nil {
		fmt.Fprintf(env.Out, "Startup aborted: %v\nSee messages.log for details.\n", err)
		return 1
	}
	return 0
}

// note writes a line to messages.log on behalf of an instance that is not there.
func note(inst registry.Instance, text string) {
	f, err := os.OpenFile(filepath.Join(inst.Mgr(), "messages.log"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return
	}
	defer f.Close()
	now := time.Now()
	fmt.Fprintf(f, "%s:%03d (%d) 2 [Generic.Event] %s\n", now.Format("01/02/06-15:04:05"), now.Nanosecond()/1e6, os.Getpid(), text)
}

// launch starts irisdb in a session of its own and waits until it says
// whether it is up. It outlives us.
func launch(env Env, inst registry.Instance, cpfPath string) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	cmd := exec.Command(filepath.Join(inst.Dir, "bin", "irisdb"), inst.Name, cpfPath)
	cmd.Env = append([]string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, kept("IRISSYS", mergeVariable)...)
	cmd.Dir = inst.Mgr()
	cmd.ExtraFiles = []*os.File{w}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if os.Geteuid() == 0 {
		if cmd.SysProcAttr.Credential, err = credential(inst); err != nil {
			w.Close()
			return err
		}
	}
	err = cmd.Start()
	w.Close()
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		switch line := lines.Text(); {
		case line == "\x00ready":
			return cmd.Process.Release()
		case strings.HasPrefix(line, "\x00failed "):
			cmd.Wait()
			return errors.New(strings.TrimPrefix(line, "\x00failed "))
		default:
			fmt.Fprintln(env.Out, line)
		}
	}
	cmd.Wait()
	return errors.New("the control process ended")
}

func kept(names ...string) []string {
	var out []string
	for _, n := range names {
		if v, ok := os.LookupEnv(n); ok {
			out = append(out, n+"="+v)
		}
	}
	return out
}

// credential is the identity instance processes have: owner and IRIS group.
func credential(inst registry.Instance) (*syscall.Credential, error) {
	u, err := user.Lookup(inst.Owner)
	if err != nil {
		return nil, err
	}
	g, err := user.LookupGroup(inst.IRISGroup)
	if err != nil {
		return nil, err
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(g.Gid)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid), Groups: []uint32{uint32(gid)}}, nil
}

func stop(env Env, inst registry.Instance, args []string) int {
	quiet := len(args) > 0 && strings.EqualFold(args[len(args)-1], "quietly")
	if !mayManage(inst) {
		fmt.Fprintln(env.Out, "You do not have permission to stop this instance.")
		return 1
	}
	again, noFailover := false, false
	for _, a := range args {
		again = again || strings.EqualFold(a, "restart")
		noFailover = noFailover || strings.EqualFold(a, "nofailover")
	}
	if control.Locked(inst.Mgr()) {
		if !quiet && !confirmed(env, inst) {
			return 1
		}
		if status := askToStop(env, inst, quiet, noFailover); status != 0 {
			return status
		}
	} else if !quiet {
		fmt.Fprintf(env.Out, "%s is not running\n", inst.Name)
	}
	if again {
		return start(env, inst, nil)
	}
	return 0
}

// confirmed asks the two questions of a stop without "quietly". The end of
// input is no answer.
func confirmed(env Env, inst registry.Instance) bool {
	in := bufio.NewReader(env.In)
	fmt.Fprintf(env.Out, "Shutdown of instance %s requested (stand-in)\n\n%s\n", inst.Name, List(inst, "Configuration"))
	for _, question := range []struct{ text, missing, want string }{
		{"Do you want to broadcast a message to anyone? <No> ", "no", ""},
		{"Do you really want to shut down this instance? <Yes> ", "yes", "y"},
	} {
		fmt.Fprint(env.Out, question.text)
		line, err := in.ReadString('\n')
		if err != nil && line == "" {
			fmt.Fprintln(env.Out, "\nShutdown cancelled: end of input")
			return false
		}
		answer := strings.ToLower(strings.TrimSpace(line))
		if answer == "" {
			answer = question.missing
		}
		if !strings.HasPrefix(answer, question.want) {
			fmt.Fprintln(env.Out, "Shutdown cancelled")
			return false
		}
	}
	return true
}

// askToStop tells the instance to stop and waits for [Startup] ShutdownTimeout.
func askToStop(env Env, inst registry.Instance, quiet, noFailover bool) int {
	limit, err := strconv.Atoi(setting(inst, "Startup", "ShutdownTimeout"))
	if err != nil || limit <= 0 {
		limit = 300
	}
	conn, err := control.Dial(inst.Mgr(), control.Request{Op: "stop", NoFailover: noFailover})
	if err != nil {
		fmt.Fprintf(env.Out, "Shutdown failed: the instance does not answer\n")
		return 1
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Duration(limit) * time.Second))
	for {
		kind, data, err := control.ReadFrame(conn)
		switch {
		case err != nil:
			fmt.Fprintln(env.Out, "Shutdown failed: the instance does not end. Use 'iris force'.")
			return 1
		case kind == control.Output:
			env.Out.Write(data)
		case kind == control.Exit:
			if string(data) == "0" && !quiet {
				fmt.Fprintf(env.Out, "%s has been shut down\n", inst.Name)
			}
			status, _ := strconv.Atoi(string(data))
			return status
		}
	}
}

func force(env Env, inst registry.Instance, _ []string) int {
	if !mayManage(inst) {
		fmt.Fprintln(env.Out, "You do not have permission to force this instance.")
		return 1
	}
	if !control.Locked(inst.Mgr()) {
		return 0
	}
	state := control.LoadState(inst.Mgr())
	if state.PID <= 1 || !isOurs(state.PID, inst) {
		fmt.Fprintln(env.Out, "Cannot find the control process")
		return 1
	}
	if err := syscall.Kill(state.PID, syscall.SIGKILL); err != nil {
		fmt.Fprintln(env.Out, "Cannot end the control process:", err)
		return 1
	}
	deadline := time.Now().Add(10 * time.Second)
	for control.Locked(inst.Mgr()) {
		if time.Now().After(deadline) {
			return 1
		}
		<-time.After(10 * time.Millisecond)
	}
	fmt.Fprintf(env.Out, "%s was forced down\n", inst.Name)
	return 0
}

// isOurs guards against a process that got the number of a dead one.
func isOurs(pid int, inst registry.Instance) bool {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return err == nil && strings.Contains(string(line), filepath.Join(inst.Dir, "bin", "irisdb"))
}

func restart(env Env, inst registry.Instance, args []string) int {
	return stop(env, inst, append(append([]string{"restart"}, args...), "quietly"))
}

func remove(env Env, inst registry.Instance, _ []string) int {
	if os.Geteuid() != 0 && os.Getenv("IRISSYS") == "" {
		fmt.Fprintln(env.Out, "You must be root to delete an instance.")
		return 1
	}
	if control.Locked(inst.Mgr()) {
		fmt.Fprintf(env.Out, "Instance '%s' is running; stop it first\n", inst.Name)
		return 1
	}
	if err := registry.Delete(registry.Dir(), inst.Name); err != nil {
		fmt.Fprintln(env.Err, err)
		return 1
	}
	return 0
}

func rename(env Env, inst registry.Instance, args []string) int {
	if len(args) == 0 || control.Locked(inst.Mgr()) {
		fmt.Fprintln(env.Out, "Only an instance that is down can be renamed, and the new name is needed")
		return 1
	}
	return change(env, inst.Name, func() registry.Instance { inst.Name = strings.ToUpper(args[0]); return inst })
}

func makeDefault(env Env, inst registry.Instance, _ []string) int {
	all, err := registry.Load(registry.Dir())
	for _, other := range all {
		if err == nil && other.Default {
			other.Default = false
			err = registry.Put(registry.Dir(), other)
		}
	}
	if err != nil {
		fmt.Fprintln(env.Err, err)
		return 1
	}
	return change(env, inst.Name, func() registry.Instance { inst.Default = true; return inst })
}

func change(env Env, old string, next func() registry.Instance) int {
	err := registry.Delete(registry.Dir(), old)
	if err == nil {
		err = registry.Put(registry.Dir(), next())
	}
	if err != nil {
		fmt.Fprintln(env.Err, err)
		return 1
	}
	return 0
}
