package tasks

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"icm/agent/engine"
	"icm/agent/host"
	"icm/agent/unit"
	"icm/internal/kind"
	"icm/internal/wire"
)

// Files that kernel.set owns.
const (
	sysctlFile = "/etc/sysctl.d/90-icm.conf"
	thpFile    = "/etc/tmpfiles.d/90-icm.conf"
	limitsFile = "/etc/security/limits.d/90-icm.conf"
	logindFile = "/etc/systemd/logind.conf.d/90-icm.conf"

	thpKnob = "/sys/kernel/mm/transparent_hugepage/enabled"
	// nprocLimit is far above what an instance starts, and still a limit.
	nprocLimit = 65536
)

func kernelSet(d Deps) engine.Kind {
	return engine.Kind{Look: d.lookKernel, Do: d.doKernel, Undo: d.undoKernel}
}

// setting is one value of the running kernel, as a file.
type setting struct{ Name, Path, Want string }

// kernelWant splits the task into files that hold after a boot and settings
// that hold now.
func (d Deps) kernelWant(k kind.Kernel) (files map[string]string, now []setting, err error) {
	files = map[string]string{}
	var lines strings.Builder
	for _, key := range slices.Sorted(maps.Keys(k.Sysctl)) {
		if !validSysctl(key) || strings.ContainsAny(k.Sysctl[key], "\n\r") {
			return nil, nil, fmt.Errorf("%q = %q is not a kernel setting", key, k.Sysctl[key])
		}
		fmt.Fprintf(&lines, "%s = %s\n", key, k.Sysctl[key])
		now = append(now, setting{key, "/proc/sys/" + strings.ReplaceAll(key, ".", "/"), k.Sysctl[key]})
	}
	if lines.Len() > 0 {
		files[sysctlFile] = unit.Marker + lines.String()
	}
	if err := addTHP(k, files, &now); err != nil {
		return nil, nil, err
	}
	switch k.RemoveIPC {
	case "":
	case "no", "yes":
		files[logindFile] = unit.Marker + "[Login]\nRemoveIPC=" + k.RemoveIPC + "\n"
	default:
		return nil, nil, fmt.Errorf("RemoveIPC must be yes or no, not %q", k.RemoveIPC)
	}
	if u := k.MemlockUser; u != "" {
		if !host.ValidAccountName(u) {
			return nil, nil, fmt.Errorf("%q cannot be the name of an account", u)
		}
		files[limitsFile] = unit.Marker + fmt.Sprintf("%[1]s - memlock unlimited\n%[1]s - nproc %[2]d\n", u, nprocLimit)
	}
	return files, now, nil
}

func addTHP(k kind.Kernel, files map[string]string, now *[]setting) error {
	switch k.THP {
	case "":
		return nil
	case "never", "madvise", "always":
		files[thpFile] = unit.Marker + "w " + thpKnob + " - - - - " + k.THP + "\n"
		*now = append(*now, setting{"transparent huge pages", thpKnob, k.THP})
		return nil
	}
	return fmt.Errorf("transparent huge pages can be never, madvise or always, not %q", k.THP)
}

func validSysctl(key string) bool {
	return key != "" && !strings.Contains(key, "..") && strings.Trim(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == ""
}

// current reads a setting: fields joined by one space, and of "always
// [madvise] never" the word in brackets.
func (d Deps) current(s setting) string {
	text, _, err := readFile(d.path(s.Path))
	if err != nil {
		return ""
	}
	if _, rest, ok := strings.Cut(text, "["); ok {
		word, _, _ := strings.Cut(rest, "]")
		return word
	}
	return strings.Join(strings.Fields(text), " ")
}

// settable reports whether the running kernel can be changed from here. In a
// container it cannot: the kernel is shared.
func (d Deps) settable(s setting) bool { return unix.Access(d.path(s.Path), unix.W_OK) == nil }

func (d Deps) lookKernel(_ context.Context, t *engine.Task) (wire.Look, error) {
	var k kind.Kernel
	if err := t.Decode(&k); err != nil {
		return wire.Look{}, err
	}
	files, now, err := d.kernelWant(k)
	if err != nil {
		return wire.Look{}, err
	}
	var l wire.Look
	for _, s := range now {
		if have := d.current(s); have != s.Want && d.settable(s) && !d.asMuchAsThereIs(s, files) {
			l.Diffs = append(l.Diffs, wire.Diff{What: s.Name, Before: have, After: s.Want})
		}
	}
	for _, path := range slices.Sorted(maps.Keys(files)) {
		have, found, err := readFile(d.path(path))
		if err != nil {
			return wire.Look{}, err
		}
		if have != files[path] {
			before := "missing"
			if found {
				before = "other settings"
			}
			l.Diffs = append(l.Diffs, wire.Diff{What: path, Before: before, After: settings(files[path])})
		}
	}
	l.Satisfied = len(l.Diffs) == 0
	return l, nil
}

// hugePages is the setting of which the kernel gives what it finds: memory that
// is in use, or in pieces, is no huge page before the next boot.
const hugePages = "vm.nr_hugepages"

// asMuchAsThereIs reports whether a setting was asked for before, and the kernel
// gave less. Asking again would be asking for ever; the next boot gives the rest.
func (d Deps) asMuchAsThereIs(s setting, files map[string]string) bool {
	if s.Name != hugePages {
		return false
	}
	kept, _, err := readFile(d.path(sysctlFile))
	have, errHave := strconv.Atoi(d.current(s))
	want, errWant := strconv.Atoi(s.Want)
	return errors.Join(err, errHave, errWant) == nil && kept == files[sysctlFile] && have < want
}

// settings is a file of ours on one line, for people.
func settings(text string) string {
	lines := strings.Split(strings.TrimSpace(strings.TrimPrefix(text, unit.Marker)), "\n")
	return strings.Join(lines, "; ")
}

// doKernel sets kernel and login settings, now and for every boot. What a
// container's kernel does not let it set is logged, and still written for a
// boot on a machine of its own.
//
// Rerun: the values from before the first run are noted once; the rest is the
// same again.
// Undo: brings back files and values as they were.
func (d Deps) doKernel(ctx context.Context, t *engine.Task) error {
	var k kind.Kernel
	if err := t.Decode(&k); err != nil {
		return err
	}
	files, now, err := d.kernelWant(k)
	if err != nil {
		return err
	}
	if err := d.noteSettings(t, now); err != nil {
		return err
	}
	for _, path := range slices.Sorted(maps.Keys(files)) {
		if have, _, err := readFile(d.path(path)); err != nil || have == files[path] {
			if err != nil {
				return err
			}
			continue
		}
		if err := d.keepFile(t, path); err != nil {
			return err
		}
		if err := writeFile(d.path(path), files[path], 0o644); err != nil {
			return err
		}
	}
	for _, s := range now {
		if err := d.apply(t, s); err != nil {
			return err
		}
	}
	if k.RemoveIPC != "" {
		return d.reloadLogind(ctx)
	}
	return nil
}

func (d Deps) noteSettings(t *engine.Task, now []setting) error {
	old := map[string]string{}
	if known, err := t.Load("settings", &old); err != nil || known {
		return err
	}
	for _, s := range now {
		old[s.Path] = d.current(s)
	}
	return t.Note("settings", old)
}

// apply writes one setting of the running kernel and reads it back: the kernel
// may give less than was asked, as with huge pages.
func (d Deps) apply(t *engine.Task, s setting) error {
	if d.current(s) == s.Want {
		return nil
	}
	err := os.WriteFile(d.path(s.Path), []byte(s.Want+"\n"), 0o644)
	switch {
	case errors.Is(err, unix.EROFS) || errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM):
		t.Logf("%s cannot be set here: the kernel is shared", s.Name)
		return nil
	case errors.Is(err, os.ErrNotExist):
		t.Logf("%s cannot be set here: this kernel does not have it", s.Name)
		return nil
	case err != nil:
		return fmt.Errorf("cannot set %s to %s: %v", s.Name, s.Want, err)
	}
	if got := d.current(s); got != s.Want {
		t.Logf("%s is %s now, although %s was asked for; it is complete after a reboot", s.Name, got, s.Want)
	}
	return nil
}

const logindUnit = "systemd-logind.service"

// reloadLogind makes logind read its file. It keeps sessions over a restart.
func (d Deps) reloadLogind(ctx context.Context) error {
	st, err := d.Units.Status(ctx, logindUnit)
	if err != nil || st.Active != "active" {
		return err
	}
	return d.Units.ReloadUnit(ctx, logindUnit)
}

func (d Deps) undoKernel(ctx context.Context, t *engine.Task) error {
	var k kind.Kernel
	if err := t.Decode(&k); err != nil {
		return err
	}
	old := map[string]string{}
	if known, err := t.Load("settings", &old); err != nil || !known {
		return err
	}
	for _, path := range []string{thpFile, logindFile, sysctlFile, limitsFile} { // the last one written goes first
		if err := d.restoreFile(t, path); err != nil {
			return err
		}
	}
	for _, path := range slices.Sorted(maps.Keys(old)) {
		if old[path] == "" {
			continue
		}
		if err := d.apply(t, setting{filepath.Base(path), path, old[path]}); err != nil {
			return err
		}
	}
	if k.RemoveIPC != "" {
		return d.reloadLogind(ctx)
	}
	return nil
}
