package crash

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"icm/agent/tasks"
	"icm/agent/unit"
	"icm/internal/atomicfile"
)

// boot does what systemd does at a boot: settings of the kernel, what
// tmpfiles.d says, and every unit of ours that is enabled. Other units are this
// machine's.
func (n *nodeInit) boot() {
	say := func(err error) {
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: boot: %v\n", n.order.Name, err)
		}
	}
	say(eachLine("/etc/sysctl.d/*.conf", func(line string) error {
		key, value, ok := strings.Cut(line, "=")
		path := "/proc/sys/" + strings.ReplaceAll(strings.TrimSpace(key), ".", "/")
		if _, err := os.Stat(path); !ok || err != nil {
			return nil
		}
		return os.WriteFile(path, []byte(strings.TrimSpace(value)+"\n"), 0o644)
	}))
	say(eachLine("/etc/tmpfiles.d/*.conf", tmpfile))
	say(eachLine("/usr/lib/tmpfiles.d/passwd.conf", tmpfile))
	for _, target := range []string{"local-fs.target", "multi-user.target"} {
		links, err := filepath.Glob(filepath.Join(unit.Dir, target+".wants", "*"))
		say(err)
		for _, link := range links {
			if text, err := os.ReadFile(link); err == nil && strings.HasPrefix(string(text), unit.Marker) {
				say(n.job("start", filepath.Base(link)))
			}
		}
	}
}

func eachLine(pattern string, f func(string) error) error {
	files, err := filepath.Glob(pattern)
	for _, file := range files {
		text, readErr := os.ReadFile(file)
		err = errors.Join(err, readErr)
		for line := range strings.Lines(string(text)) {
			err = errors.Join(err, f(strings.TrimSpace(line)))
		}
	}
	return err
}

// tmpfile does what a line of tmpfiles.d says: "w" writes, "r!" removes at boot.
func tmpfile(line string) error {
	f := strings.Fields(line)
	switch {
	case len(f) > 6 && f[0] == "w":
		return os.WriteFile(f[1], []byte(f[6]+"\n"), 0o644)
	case len(f) > 1 && f[0] == "r!":
		return os.RemoveAll(f[1])
	}
	return nil
}

// settings reads a unit file: key → last value.
func settings(name string) (map[string]string, error) {
	data, err := os.ReadFile(filepath.Join(unit.Dir, name))
	out := map[string]string{}
	for line := range strings.Lines(string(data)) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			out[key] = value
		}
	}
	return out, err
}

// job starts or stops a unit. Whoever asked may die meanwhile: the job goes on.
func (n *nodeInit) job(verb, name string) error {
	n.units.Lock()
	defer n.units.Unlock()
	if n.active[name] == (verb == "start") {
		return nil
	}
	set, err := settings(name)
	if errors.Is(err, fs.ErrNotExist) && verb == "stop" {
		delete(n.active, name)
		return nil
	}
	if err != nil {
		return err
	}
	if verb == "stop" {
		delete(n.active, name)
		return n.exec(set, "ExecStop")
	}
	if err := n.exec(set, "ExecStart"); err != nil {
		return &unit.JobError{Verb: verb, Unit: name, Result: "failed", Log: []string{err.Error()}}
	}
	n.active[name] = true
	return nil
}

func (n *nodeInit) exec(set map[string]string, key string) error {
	argv := strings.Fields(set[key])
	if len(argv) == 0 {
		return nil
	}
	env := []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	if data, err := os.ReadFile(strings.TrimPrefix(set["EnvironmentFile"], "-")); err == nil {
		env = append(env, strings.Fields(string(data))...)
	}
	cred, err := credentialOf(set["User"])
	if err != nil {
		return err
	}
	_, err = n.run(argv, env, cred)
	return err
}

func credentialOf(name string) (*syscall.Credential, error) {
	if name == "" {
		return nil, nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return nil, err
	}
	uid, errUID := strconv.ParseUint(u.Uid, 10, 32)
	gid, errGID := strconv.ParseUint(u.Gid, 10, 32)
	cred := &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	ids, err := u.GroupIds()
	for _, id := range ids {
		if g, err := strconv.ParseUint(id, 10, 32); err == nil {
			cred.Groups = append(cred.Groups, uint32(g))
		}
	}
	return cred, errors.Join(errUID, errGID, err)
}

func (n *nodeInit) status(name string) unit.Status {
	n.units.Lock()
	defer n.units.Unlock()
	st := unit.Status{Load: "not-found", Active: "inactive"}
	if _, err := os.Stat(filepath.Join(unit.Dir, name)); err == nil {
		st.Load, st.File = "loaded", "disabled"
	}
	if _, err := os.Lstat(wants(name)); err == nil {
		st.File = "enabled"
	}
	if n.active[name] {
		st.Active = "active"
	}
	return st
}

func wants(name string) string {
	target := "multi-user.target"
	if strings.HasSuffix(name, ".mount") {
		target = "local-fs.target"
	}
	return filepath.Join(unit.Dir, target+".wants", name)
}

// units is systemd as the agent of a node sees it. Files are written as the
// real manager does; links as systemd does, without a sync.
type units struct{ real *unit.Manager }

var _ tasks.Units = units{}

func (u units) Read(name string) (string, bool, error) { return u.real.Read(name) }

func (u units) Write(_ context.Context, name, text string) error {
	if !strings.HasPrefix(text, unit.Marker) {
		text = unit.Marker + text
	}
	if have, found, err := u.Read(name); err != nil || found && have == text {
		return err
	}
	if err := os.MkdirAll(unit.Dir, 0o755); err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(unit.Dir, name), []byte(text), 0o644)
}

func (u units) Remove(ctx context.Context, name string) error {
	_, found, err := u.Read(name)
	if err != nil {
		return err
	}
	if err := u.Stop(ctx, name); err != nil || !found {
		return err
	}
	return u.Abandon(ctx, name)
}

func (u units) Abandon(ctx context.Context, name string) error {
	if _, found, err := u.Read(name); err != nil || !found {
		return err
	}
	if err := u.Disable(ctx, name); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(unit.Dir, name)); err != nil {
		return err
	}
	return atomicfile.SyncDir(unit.Dir)
}

func (units) Enable(_ context.Context, name string) error {
	if err := os.MkdirAll(filepath.Dir(wants(name)), 0o755); err != nil {
		return err
	}
	err := os.Symlink(filepath.Join(unit.Dir, name), wants(name))
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

func (units) Disable(_ context.Context, name string) error {
	if err := os.Remove(wants(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (units) Start(ctx context.Context, name string) error { return ask(ctx, "start", name) }
func (units) Stop(ctx context.Context, name string) error  { return ask(ctx, "stop", name) }
func (u units) Restart(ctx context.Context, name string) error {
	return errors.Join(u.Stop(ctx, name), u.Start(ctx, name))
}
func (units) Reload(context.Context) error             { return nil }
func (units) ReloadUnit(context.Context, string) error { return nil }

func (units) Status(ctx context.Context, name string) (unit.Status, error) {
	res, err := askInit(ctx, "/run/"+initSocket, request{Verb: "status", Unit: name})
	return res.Status, err
}

func ask(ctx context.Context, verb, name string) error {
	_, err := askInit(ctx, "/run/"+initSocket, request{Verb: verb, Unit: name})
	return err
}
