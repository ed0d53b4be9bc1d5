package ctl

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"icm/labkit/internal/control"
	"icm/labkit/internal/registry"
)

// sessionArgs reads -U namespace (also -Unamespace) and the code.
func sessionArgs(args []string) (ns, code string) {
	for n := 0; n < len(args); n++ {
		a := args[n]
		switch {
		case (a == "-U" || a == "-u") && n+1 < len(args):
			n++
			ns = args[n]
		case strings.HasPrefix(a, "-U"):
			ns = a[2:]
		case a == "-B", a == "-b":
		default:
			code = a
		}
	}
	return ns, code
}

func session(env Env, inst registry.Instance, args []string) int {
	ns, code := sessionArgs(args)
	return talk(env, inst, control.Request{Op: "session", Namespace: ns, Code: code})
}

func sql(env Env, inst registry.Instance, args []string) int {
	ns, _ := sessionArgs(args)
	return talk(env, inst, control.Request{Op: "sql", Namespace: ns})
}

func stat(env Env, inst registry.Instance, _ []string) int {
	return talk(env, inst, control.Request{Op: "stat"})
}

func merge(env Env, inst registry.Instance, args []string) int {
	if !installed(inst).Actions() {
		fmt.Fprintf(env.Out, "Unknown function 'merge'\n%s", help)
		return 1
	}
	req := control.Request{Op: "merge", File: os.Getenv(mergeVariable)}
	if len(args) > 0 {
		req.File = absolute(args[0])
	}
	if len(args) > 1 {
		req.Target = absolute(args[1])
	}
	if req.File == "" {
		fmt.Fprintln(env.Out, "No merge file was given\nIRIS Merge failed")
		return 1
	}
	return talk(env, inst, req)
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// talk joins this terminal to the instance until it names an exit status.
func talk(env Env, inst registry.Instance, req control.Request) int {
	if !control.Locked(inst.Mgr()) {
		fmt.Fprintf(env.Out, "Instance '%s' is not running\n", inst.Name)
		return 1
	}
	saved, err := unix.IoctlGetTermios(int(env.In.Fd()), unix.TCGETS)
	req.Terminal = err == nil
	conn, err := control.Dial(inst.Mgr(), req)
	if err != nil {
		fmt.Fprintln(env.Out, "Sign-on inhibited: Startup or Installation in progress")
		return 239
	}
	defer conn.Close()
	go func() {
		io.Copy(conn, env.In)
		conn.CloseWrite()
	}()
	for {
		kind, data, err := control.ReadFrame(conn)
		if err != nil {
			fmt.Fprintln(env.Out, "\nThe connection to the instance was lost")
			return 1
		}
		switch kind {
		case control.Output:
			env.Out.Write(data)
		case control.Echo:
			echo(env.In, saved, string(data) == "on")
		case control.Exit:
			status, _ := strconv.Atoi(string(data))
			return status
		}
	}
}

// echo turns the terminal's echo off while a password is typed.
func echo(in *os.File, saved *unix.Termios, on bool) {
	if saved == nil {
		return
	}
	mode := *saved
	if !on {
		mode.Lflag &^= unix.ECHO
	}
	unix.IoctlSetTermios(int(in.Fd()), unix.TCSETS, &mode)
}
