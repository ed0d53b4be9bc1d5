package crash

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"icm/agent/engine"
	"icm/controller/deploy"
	"icm/internal/wire"
)

// siteOrder is what a site needs to know.
type siteOrder struct {
	Work  string // of the whole test
	Slot  string // directory of this run
	Kits  string
	Point point // Target is "" for a run that nothing disturbs
	Save  bool  // keep the end for scenarios that begin there
}

// siteResult is what a run of a site came to.
type siteResult struct {
	State map[string]string // everything that must be the same
	// Records are how many journal records the command made, by node; Moments
	// are those of the controller. Both of an undisturbed run only.
	Records map[string]uint64
	Moments int64
	// Changes are those of the controller to files, by name: see watch.
	Changes map[string]int
	Fired   bool   // what was to be killed was killed
	Tries   int    // how often the command was given
	Trouble string // why it did not end well, "" when it did
	Said    string // by the controllers
}

// Bounds of a run.
const (
	tries      = 3
	tryLimit   = 90 * time.Second
	bootLimit  = 60 * time.Second
	diskSize   = 1 << 30 // bytes of a node's disk, sparse
	lookEvery  = 5 * time.Millisecond
	dirPrivate = 0o700
)

// site is a running site, in namespaces of its own.
type site struct {
	order    siteOrder
	scenario scenario
	here     string
	nodes    []*machine
	result   siteResult
	said     bytes.Buffer
	gave     bool // the command was given before
}

func runSite(o siteOrder) error {
	s := &site{order: o, here: filepath.Join(o.Work, "here")}
	err := s.run()
	if err != nil {
		s.result.Trouble = err.Error()
	}
	s.result.Said = s.said.String()
	data, err := json.Marshal(s.result)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(o.Slot, "result.json"), data, 0o600)
}

func (s *site) run() (err error) {
	if s.scenario, err = find(s.order.Point.Scenario); err != nil {
		return err
	}
	ctx := context.Background()
	if err := s.enter(ctx); err != nil {
		return err
	}
	for _, m := range machines {
		h := &machine{site: s, short: m.short, name: m.name, dir: filepath.Join(s.here, m.short)}
		if err := h.make(ctx); err != nil {
			return fmt.Errorf("%s: %w", m.short, err)
		}
		s.nodes = append(s.nodes, h)
	}
	for _, h := range s.nodes {
		if err := errors.Join(h.ready(ctx), h.serving(ctx)); err != nil {
			return err
		}
	}
	for _, step := range s.scenario.Prelude {
		if err := s.step(ctx, step); err != nil {
			return fmt.Errorf("%s before: %w", step, err)
		}
	}
	if err := s.disk(ctx); err != nil {
		return err
	}
	if err := s.disturb(ctx); err != nil {
		return err
	}
	if err := s.nothingLeft(ctx); err != nil {
		return err
	}
	for _, verb := range s.scenario.After {
		if err := s.command(ctx, order{verb: verb}); err != nil {
			return fmt.Errorf("%s after: %w", verb, err)
		}
	}
	return s.end(ctx)
}

// nothingLeft makes sure that the command would do nothing if it were given once
// more, where a command has a plan and nodes are left to plan for.
func (s *site) nothingLeft(ctx context.Context) error {
	if _, planned := deploy.ParseVerb(s.scenario.Verb); !planned {
		return nil
	}
	return s.command(ctx, order{verb: nothingLeft + s.scenario.Verb})
}

// enter makes the private world of the site: its processes, its network and
// its paths.
func (s *site) enter(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, "ip", "link", "set", "lo", "up").CombinedOutput()
	return errors.Join(err, textError(out, err),
		unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
		unix.Mount("proc", "/proc", "proc", 0, ""),
		unix.Mount(s.order.Slot, s.here, "", unix.MS_BIND, ""),
		s.files(ctx))
}

// files makes the deployment directory, or copies that of the base.
func (s *site) files(ctx context.Context) error {
	dir := filepath.Join(s.here, "site")
	if s.scenario.Base != "" {
		return run(ctx, "cp", "-a", filepath.Join(s.base(), "site"), dir)
	}
	key, err := os.ReadFile(filepath.Join(s.order.Work, "id.pub"))
	return errors.Join(err, os.Mkdir(dir, dirPrivate),
		os.WriteFile(filepath.Join(dir, "id.pub"), key, 0o600),
		os.WriteFile(filepath.Join(dir, "id"), []byte("not used"), 0o600),
		os.WriteFile(filepath.Join(dir, "defaults.json"), []byte(defaults), 0o600),
		os.WriteFile(filepath.Join(dir, "definitions.json"), []byte(definitions), 0o600))
}

func (s *site) base() string { return filepath.Join(s.order.Work, "ends", s.scenario.Base) }

// disturb gives the command, kills what is to be killed, and gives the command
// again until it succeeds.
func (s *site) disturb(ctx context.Context) error {
	before, err := s.records()
	if err != nil {
		return err
	}
	o, err := s.arm(before)
	if err != nil {
		return err
	}
	switch {
	case s.order.Point.Target == "takeover":
		err = s.takeover(ctx, o.at)
	case s.scenario.During != "":
		err = s.during(ctx, o)
	default:
		err = s.insist(ctx, o)
	}
	if err != nil {
		return err
	}
	after, err := s.records()
	s.result.Records = map[string]uint64{}
	for _, h := range s.nodes {
		s.result.Records[h.short] = after[h.short] - min(after[h.short], before[h.short])
		s.result.Fired = s.result.Fired || h.fired()
	}
	return err
}

// insist gives the command until it succeeds; the first one is killed as o
// says.
func (s *site) insist(ctx context.Context, o order) error {
	var failed error
	for s.result.Tries = 1; s.result.Tries <= tries; s.result.Tries++ {
		failed = s.command(ctx, o)
		o = order{verb: s.scenario.Verb}
		s.gave = true
		again, err := s.rebooted(ctx)
		if err != nil {
			return err
		}
		if failed == nil && !again {
			return nil
		}
	}
	return fmt.Errorf("not done after %d tries: %w", tries, failed)
}

// records are the numbers of the last records of all nodes.
func (s *site) records() (map[string]uint64, error) {
	out := map[string]uint64{}
	for _, h := range s.nodes {
		seq, err := h.lastRecord()
		if err != nil {
			return nil, err
		}
		out[h.short] = seq
	}
	return out, nil
}

// rebooted waits until all nodes are up, and reports whether the command has to
// be given again because one has booted since it was last asked.
func (s *site) rebooted(ctx context.Context) (again bool, err error) {
	for _, h := range s.nodes {
		if err := h.ready(ctx); err != nil {
			return false, err
		}
		h.mu.Lock()
		again = again || h.cuts > h.cutsSeen && s.scenario.Again
		h.cutsSeen = h.cuts
		h.mu.Unlock()
	}
	return again, nil
}

// arm prepares the fault, and says how the command is given.
func (s *site) arm(before map[string]uint64) (order, error) {
	p := s.order.Point
	o := order{verb: s.scenario.Verb}
	if p.Target == "controller" || p.Target == "takeover" {
		var ok bool
		if o.nth, o.change, o.torn, ok = changePoint(p.Fault); ok {
			return o, nil
		}
		_, n, _ := strings.Cut(p.Fault, ":")
		var err error
		o.at, err = strconv.ParseInt(n, 10, 64)
		return o, err
	}
	o.count = p.Target == ""
	for _, h := range s.nodes {
		if h.short != p.Target {
			continue
		}
		f := strings.Split(p.Fault, ":")
		if len(f) < 2 {
			return o, fmt.Errorf("%q is no fault", p.Fault)
		}
		n, err := strconv.ParseUint(f[1], 10, 64)
		if err != nil {
			return o, err
		}
		f[1] = strconv.FormatUint(before[h.short]+n, 10)
		return o, h.arm(strings.Join(f, ":"), p.Power)
	}
	return o, nil
}

// machine is a node as its site sees it.
type machine struct {
	site             *site
	short, name, dir string

	mu      sync.Mutex
	leaving bool // it was told to end
	cuts    int  // of its power
	// cutsSeen are those that the command was given again after
	cutsSeen int
	dead     error
	ended    chan struct{}
}

// make makes the disk and boots.
func (h *machine) make(ctx context.Context) error {
	if err := errors.Join(os.MkdirAll(filepath.Join(h.dir, "disk"), 0o755)); err != nil {
		return err
	}
	image := h.image()
	if h.site.scenario.Base != "" {
		if err := copyDisk(ctx, filepath.Join(h.site.base(), h.short+".img"), image); err != nil {
			return err
		}
		if err := h.mount(ctx); err != nil {
			return err
		}
	} else if err := h.format(ctx); err != nil {
		return err
	}
	return h.boot()
}

func (h *machine) image() string { return filepath.Join(h.site.here, h.short+".img") }

func copyDisk(ctx context.Context, from, to string) error {
	return run(ctx, "cp", "--sparse=always", from, to)
}

func (h *machine) mount(ctx context.Context) error {
	return run(ctx, "mount", "-o", "loop", h.image(), filepath.Join(h.dir, "disk"))
}

// format makes a bare node: this machine's files, an account to log in with,
// and nothing of this machine's own life.
func (h *machine) format(ctx context.Context) error {
	if err := os.WriteFile(h.image(), nil, 0o600); err != nil {
		return err
	}
	if err := os.Truncate(h.image(), diskSize); err != nil {
		return err
	}
	if err := run(ctx, "mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=1,lazy_journal_init=1", h.image()); err != nil {
		return err
	}
	if err := h.mount(ctx); err != nil {
		return err
	}
	upper := filepath.Join(h.dir, "disk/upper")
	errs := []error{os.MkdirAll(filepath.Join(h.dir, "disk/work"), 0o755)}
	for _, dir := range []string{"tmp", "home/icm", "kits", "etc/icm-agent", "var/lib/icm-agent", "root"} {
		errs = append(errs, os.MkdirAll(filepath.Join(upper, dir), 0o755))
	}
	for _, dir := range []string{"tmp", "home", "etc/icm-agent", "var/lib/icm-agent", "root"} {
		errs = append(errs, unix.Setxattr(filepath.Join(upper, dir), "trusted.overlay.opaque", []byte("y"), 0))
	}
	return errors.Join(append(errs, os.Chmod(filepath.Join(upper, "tmp"), 0o1777), os.Chmod(filepath.Join(upper, "var/lib/icm-agent"), 0o700), os.Chown(filepath.Join(upper, "home/icm"), 990, 990),
		appendLine("/etc/passwd", upper, "icm:x:990:990::/home/icm:/bin/sh\n", 0o644),
		appendLine("/etc/group", upper, "icm:x:990:\n", 0o644),
		appendLine("/etc/hosts", upper, "127.0.0.1 "+strings.ToLower(h.name)+"\n", 0o644))...)
}

func appendLine(path, upper, line string, mode os.FileMode) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(upper, path), append(text, line...), mode)
}

// boot starts the node's first process.
func (h *machine) boot() error {
	runDir := filepath.Join(h.dir, "run")
	if err := errors.Join(os.RemoveAll(runDir), os.Mkdir(runDir, 0o755)); err != nil {
		return err
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = roleEnv("node", nodeOrder{Name: h.name, Dir: h.dir, Kits: h.site.order.Kits})
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS, Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	h.ended = make(chan struct{})
	ended := h.ended
	go func() {
		runtime.LockOSThread() // Pdeathsig counts from the thread that started it
		err := cmd.Start()
		started <- err
		if err == nil {
			h.after(cmd.Wait())
		}
		close(ended)
	}()
	return <-started
}

// after is what happens when a node has died: unless it was told to, its power
// was cut, and it comes back with what its disk has.
func (h *machine) after(exit error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.leaving {
		return
	}
	ctx := context.Background()
	cut := h.image() + ".cut"
	disk := filepath.Join(h.dir, "disk")
	err := copyDisk(ctx, h.image(), cut) // before anything is written back
	if exit != nil {
		err = errors.Join(err, fmt.Errorf("the node's first process: %w", exit))
	}
	if err == nil {
		err = unix.Unmount(disk, 0)
	}
	if err == nil {
		err = os.Rename(cut, h.image())
	}
	if err == nil {
		err = h.mount(ctx)
	}
	if err == nil {
		err = h.boot()
	}
	h.cuts++
	h.dead = err
}

func (h *machine) ask(ctx context.Context, req request) (response, error) {
	return askInit(ctx, filepath.Join(h.dir, "run", initSocket), req)
}

// ready waits until the node has booted and its agent answers, or is not
// there.
func (h *machine) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, bootLimit)
	defer cancel()
	for {
		_, err := h.ask(ctx, request{Verb: "booted"})
		if err == nil {
			err = h.agentAnswers()
		}
		h.mu.Lock()
		dead := h.dead
		h.mu.Unlock()
		if err == nil || dead != nil {
			return dead
		}
		select {
		case <-time.After(lookEvery):
		case <-ctx.Done():
			return fmt.Errorf("%s does not come up: %w", h.short, err)
		}
	}
}

// serving waits until the instances that came up with the node let sessions in.
func (h *machine) serving(ctx context.Context) error {
	list, err := h.ask(ctx, request{Verb: "run", Argv: []string{"/usr/bin/iris", "qlist"}})
	if err != nil || !strings.Contains(list.Out, "running") {
		return nil // without instances there is no command
	}
	_, err = h.session(ctx, "write 1")
	return err
}

func (h *machine) agentAnswers() error {
	if _, err := os.Stat(filepath.Join(h.dir, "disk/upper", noAgent)); err == nil {
		return nil
	}
	c, err := dial(h.dir)
	if err != nil {
		return err
	}
	return c.Close()
}

func (h *machine) arm(fault string, power bool) error {
	if power {
		if err := os.WriteFile(filepath.Join(h.dir, "run", powerFile), nil, 0o600); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(h.dir, "run", faultFile), []byte(fault), 0o600)
}

// fired reports whether the fault of the node has happened.
func (h *machine) fired() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, err := os.Stat(filepath.Join(h.dir, "run", faultFile))
	return h.cuts > 0 || h.short == h.site.order.Point.Target && errors.Is(err, os.ErrNotExist)
}

// lastRecord is the number of the last record of the task journal.
func (h *machine) lastRecord() (last uint64, err error) {
	err = engine.ReadJournal(filepath.Join(h.dir, "disk/upper", wire.AgentHome), func(e wire.Event) error {
		last = e.Seq
		return nil
	})
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	return last, err
}

func run(ctx context.Context, name string, args ...string) error {
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	return textError(out, err)
}

func textError(out []byte, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %s", err, bytes.TrimSpace(out))
}
