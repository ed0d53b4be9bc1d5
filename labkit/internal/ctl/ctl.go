// Package ctl is the iris command.
package ctl

import (
	"fmt"
	"io"
	"os"
	"os/user"
	"strconv"
	"strings"
	"time"

	"icm/labkit/internal/control"
	"icm/labkit/internal/instance"
	"icm/labkit/internal/registry"
	"icm/labkit/internal/release"
)

// Env is the world as the command sees it.
type Env struct {
	In       *os.File
	Out, Err io.Writer
}

// Run runs one function and returns the exit status.
func Run(env Env, argv []string) int {
	if len(argv) == 0 {
		fmt.Fprint(env.Out, help)
		return 1
	}
	word, args := strings.ToLower(argv[0]), argv[1:]
	switch word {
	case "help":
		fmt.Fprint(env.Out, help)
		return 0
	case "list", "view":
		return eachInstance(env, args, listInstance(env))
	case "qlist":
		return eachInstance(env, args, func(_ int, i registry.Instance) { fmt.Fprintln(env.Out, Qlist(i)) })
	case "all", "allw", "qall":
		return eachInstance(env, nil, func(_ int, i registry.Instance) { fmt.Fprintln(env.Out, allLine(i)) })
	}
	run, known := map[string]func(Env, registry.Instance, []string) int{
		"start": start, "stop": stop, "stopnoshut": stop, "force": force, "restart": restart, "delete": remove,
		"session": session, "terminal": session, "console": session, "sql": sql, "merge": merge, "stat": stat,
		"rename": rename, "default": makeDefault,
	}[word]
	if !known {
		fmt.Fprintf(env.Out, "Unknown function '%s'\n%s", argv[0], help)
		return 1
	}
	if len(args) == 0 {
		fmt.Fprintf(env.Out, "Function '%s' needs an instance name\n", word)
		return 1
	}
	inst, ok := find(env, args[0])
	if !ok {
		return 1
	}
	return run(env, inst, args[1:])
}

const help = `iris (stand-in): functions
 all | allw | qall        one line for each instance
 list [inst]              describe instances
 qlist [inst]             the same, for programs
 start inst [cpf] [quietly]
 stop inst [restart] [bypass] [nofailover] [quietly]
 restart inst             stop and start
 force inst               end an instance at once
 session inst [-U namespace] [code]    (also: terminal)
 sql inst [-U namespace]
 merge inst [merge-file] [target-cpf]
 stat inst
 default inst | rename inst new | delete inst
`

func find(env Env, name string) (registry.Instance, bool) {
	inst, found, err := registry.Find(registry.Dir(), name)
	if err != nil {
		fmt.Fprintln(env.Err, err)
		return inst, false
	}
	if !found {
		fmt.Fprintf(env.Out, "Instance '%s' is not defined\n", name)
	}
	return inst, found
}

func eachInstance(env Env, args []string, show func(int, registry.Instance)) int {
	all, err := registry.Load(registry.Dir())
	if err != nil {
		fmt.Fprintln(env.Err, err)
		return 1
	}
	if len(args) > 0 {
		inst, ok := find(env, args[0])
		if !ok {
			return 1
		}
		all = []registry.Instance{inst}
	}
	for n, i := range all {
		if ms, _ := strconv.Atoi(control.Faults(i.Mgr())["qlist-delay-ms"]); ms > 0 {
			<-time.After(time.Duration(ms) * time.Millisecond)
		}
		show(n, i)
	}
	return 0
}

// CurrentUser is who runs this process, by real user id.
func CurrentUser() (name string, uid uint32) {
	uid = uint32(os.Getuid())
	if u, err := user.LookupId(strconv.Itoa(int(uid))); err == nil {
		name = u.Username
	}
	return name, uid
}

func mayManage(inst registry.Instance) bool {
	name, uid := CurrentUser()
	return instance.MayManage(name, uid, inst.Owner, inst.MgrGroup)
}

// look is the instance's state as this user may see it.
func look(inst registry.Instance) control.State {
	if !mayManage(inst) {
		return control.State{Status: "indeterminate"}
	}
	return control.Look(inst.Mgr())
}

// statusText is the status with its date.
func statusText(s control.State) string {
	date := s.Since.Format("Mon Jan _2 15:04:05 2006")
	switch s.Status {
	case "indeterminate":
		return s.Status
	case "down", "crashed":
		return s.Status + ", last used " + date
	}
	return s.Status + ", since " + date
}

// ports reads super-server and web port from the configuration.
func ports(inst registry.Instance) (super, web string) {
	return setting(inst, "Startup", "DefaultPort"), setting(inst, "Startup", "WebServerPort")
}

func installed(inst registry.Instance) release.Release {
	rel, err := release.Load(inst.Dir)
	if err != nil {
		return release.Release{Version: "0.0.0.0.0"}
	}
	return rel
}
