package crash

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"icm/agent/unit"
	"icm/internal/wire"
)

// dataRows is how much data is written into an instance, for later commands to
// lose.
const dataRows = 50

// end collects everything that must be the same, shuts the nodes down, and
// keeps their disks when others begin there.
func (s *site) end(ctx context.Context) error {
	s.result.State = map[string]string{}
	if err := s.record(); err != nil {
		return err
	}
	for _, h := range s.nodes {
		if err := h.alive(ctx); err != nil {
			return fmt.Errorf("%s: %w", h.short, err)
		}
	}
	if s.scenario.Data && s.order.Save {
		if err := s.writeData(ctx); err != nil {
			return err
		}
	}
	for _, h := range slices.Backward(s.nodes) { // application servers first
		if err := h.shutdown(ctx); err != nil {
			return fmt.Errorf("%s: %w", h.short, err)
		}
	}
	for _, h := range s.nodes {
		if err := h.files(); err != nil {
			return err
		}
		if err := unix.Unmount(filepath.Join(h.dir, "disk"), 0); err != nil {
			return err
		}
	}
	if s.order.Save {
		return s.save(ctx)
	}
	return nil
}

func (s *site) save(ctx context.Context) error {
	to := filepath.Join(s.order.Work, "ends", s.scenario.Name)
	if err := os.MkdirAll(to, dirPrivate); err != nil {
		return err
	}
	for _, h := range s.nodes {
		if err := copyDisk(ctx, h.image(), filepath.Join(to, h.short+".img")); err != nil {
			return err
		}
	}
	return run(ctx, "cp", "-a", filepath.Join(s.here, "site"), to)
}

func (s *site) writeData(ctx context.Context) error {
	code := fmt.Sprintf(`for i=1:1:%d set ^crash(i)="row "_i`, dataRows)
	_, err := s.nodes[0].session(ctx, code)
	return err
}

func (h *machine) put(key, value string) { h.site.result.State[h.short+" "+key] = value }

// alive is what a node tells while it runs.
func (h *machine) alive(ctx context.Context) error {
	mounts, err := h.ask(ctx, request{Verb: "mounts"})
	if err != nil {
		return err
	}
	h.put("mounts", strings.Join(mounts.Mounts, " "))
	files, err := filepath.Glob(filepath.Join(h.dir, "disk/upper", unit.Dir, "*.*"))
	if err != nil {
		return err
	}
	for _, f := range files {
		st, err := h.ask(ctx, request{Verb: "status", Unit: filepath.Base(f)})
		if err != nil {
			return err
		}
		if name := filepath.Base(f); !strings.HasSuffix(name, ".wants") {
			h.put("unit "+name, st.Status.Active+" "+st.Status.File)
		}
	}
	list, _ := h.ask(ctx, request{Verb: "run", Argv: []string{"/usr/bin/iris", "qlist"}}) // without instances there is no command
	h.put("instances", since.ReplaceAllString(list.Out, ""))
	if strings.Contains(list.Out, "running") && h.short == "dm" {
		rows, err := h.session(ctx, `set n=0,k="" for  set k=$order(^crash(k)) quit:k=""  set n=n+1`+"\n"+`write n`)
		if err != nil {
			return err
		}
		h.put("data", rows)
	}
	return h.changes(ctx)
}

// session runs code in an instance, which may still be coming up with its node.
func (h *machine) session(ctx context.Context, code string) (out string, err error) {
	for deadline := time.Now().Add(bootLimit); ; {
		out, err = h.sessionOnce(ctx, code)
		if err == nil || !strings.Contains(err.Error(), "does not accept sessions now") || time.Now().After(deadline) {
			return out, err
		}
		time.Sleep(lookEvery) // look again
	}
}

func (h *machine) sessionOnce(ctx context.Context, code string) (string, error) {
	c, err := dial(h.dir)
	if err != nil {
		return "", err
	}
	defer c.Close()
	var reply wire.SessionReply
	err = c.Call(ctx, wire.MethodSession, wire.SessionRequest{Instance: "IRIS", Namespace: "DB", Language: "objectscript", Code: code}, &reply)
	if err == nil && reply.Failed {
		err = fmt.Errorf("the session says: %s", reply.Out)
	}
	return strings.TrimSpace(reply.Out), err
}

// changes is the summary of the task journal: which stages came to which end
// at last. A command that was given again has more changes than one; what
// counts is how the last of each name ended.
func (h *machine) changes(ctx context.Context) error {
	if _, err := os.Stat(filepath.Join(h.dir, "disk/upper", noAgent)); err == nil {
		h.put("agent", "removed")
		return nil
	}
	c, err := dial(h.dir)
	if err != nil {
		return err
	}
	defer c.Close()
	var reply wire.ChangesReply
	if err := c.Call(ctx, wire.MethodChanges, wire.ChangesRequest{}, &reply); err != nil {
		return err
	}
	for _, ch := range reply.Changes {
		h.put("change "+ch.Change.Summary, string(ch.Status))
	}
	return nil
}

// shutdown stops everything on a node in order and proves that no data was
// lost.
func (h *machine) shutdown(ctx context.Context) error {
	h.mu.Lock()
	h.leaving = true
	h.mu.Unlock()
	const name = "iris-iris.service"
	if _, err := h.ask(ctx, request{Verb: "stop", Unit: name}); err != nil {
		return err
	}
	standin := filepath.Join("usr/irissys/bin/standin")
	if _, err := os.Stat(filepath.Join(h.dir, "disk/upper", standin)); err == nil {
		dirs := []string{"/irissys/data", "/irissys/journal1", "/irissys/journal2", "/usr/irissys/mgr"}
		if _, err := h.ask(ctx, request{Verb: "run", Argv: append([]string{"/" + standin, "verify"}, dirs...)}); err != nil {
			return fmt.Errorf("data was lost: %w", err)
		}
	}
	_, err := h.ask(ctx, request{Verb: "exit"})
	<-h.ended
	return err
}

// Files that differ between any two runs by their nature, and what makes them.
var (
	// backups of useradd hold what was there before its last call, and its
	// locks are made of files that a power cut leaves.
	ignored = regexp.MustCompile(`^/(etc/(passwd|group|shadow|gshadow|subuid|subgid)(-|\+|\.\d+)|etc/\.pwd\.lock|root)$`)
	// a journal file of an instance is named after the day and counted.
	counted = regexp.MustCompile(`/\d{8}\.\d{3}$`)
	// files of which only the existence counts: they say how often something
	// was tried, or name processes.
	tally = regexp.MustCompile(`/(fence\.json|journal|messages\.log|iris\.ids|standin\.starts)$`)
	// when an instance was started or stopped
	since = regexp.MustCompile(`, (since|last used) [^^\n]*`)
	// what is chosen at random or by the clock in a text
	fickle = regexp.MustCompile(`PasswordHash=.*|\d{8}T\d{6}\.\d{3}Z-[0-9a-f]{6}|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.\dZ]*`)
)

// files is every file that the node has of its own.
func (h *machine) files() error {
	upper := filepath.Join(h.dir, "disk/upper")
	return filepath.WalkDir(upper, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(path, upper)
		if ignored.MatchString(name) || name == "" {
			return nil
		}
		value, err := describe(path, e)
		if was, err := os.Lstat(name); err == nil && was.Mode().IsRegular() {
			if below, err := describe(name, fs.FileInfoToDirEntry(was)); err == nil && below == value {
				return nil // opened for writing and left as it was
			}
		}
		if tally.MatchString(name) || counted.MatchString(name) {
			value, _, _ = strings.Cut(value, "=")
		}
		h.put("file "+counted.ReplaceAllString(name, "/DATE.NNN"), value)
		return err
	})
}

// textSize is more than any text has in which something fickle stands, in bytes.
const textSize = 64 << 10

// describe is type, mode, owner and, after "=", content.
func describe(path string, e fs.DirEntry) (string, error) {
	info, err := e.Info()
	if err != nil {
		return "", err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "", errors.New("no owner of " + path)
	}
	head := fmt.Sprintf("%v %d:%d", info.Mode(), st.Uid, st.Gid)
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		to, err := os.Readlink(path)
		return head + "=" + to, err
	case info.Mode().IsRegular():
		text, err := os.ReadFile(path)
		if len(text) < textSize {
			text = fickle.ReplaceAll(text, nil)
		}
		sum := sha256.Sum256(text)
		return fmt.Sprintf("%s=%d %x", head, len(text), sum[:6]), err
	}
	return head, nil
}

// difference compares the ends of two runs, of which want is the undisturbed
// one. Files in volatile differ in content between any two runs.
func difference(want, got map[string]string, volatile map[string]bool) []string {
	var out []string
	head := func(key, v string) string {
		if volatile[key] {
			v, _, _ = strings.Cut(v, "=")
		}
		return v
	}
	for key, w := range want {
		if g, ok := got[key]; !ok {
			out = append(out, key+": is missing, want "+w)
		} else if head(key, g) != head(key, w) {
			out = append(out, key+": "+g+", want "+w)
		}
	}
	for key, g := range got {
		if _, ok := want[key]; !ok {
			out = append(out, key+": "+g+", want nothing")
		}
	}
	slices.Sort(out)
	return out
}

// volatileFiles are the files whose content differs between two undisturbed
// runs.
func volatileFiles(a, b map[string]string) map[string]bool {
	out := map[string]bool{}
	for key, v := range a {
		if w, ok := b[key]; ok && v != w && strings.Contains(key, " file ") {
			out[key] = true
		}
	}
	return out
}
