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
	"strconv"
	"strings"
	"syscall"
	"time"

	"icm/controller/state"
	"icm/internal/wire"
)

// order is how a command is given.
type order struct {
	verb string
	// at is the moment at which it is killed; 0 is never.
	at int64
	// change is the name of the change before the nth of which it is killed,
	// or in the middle of which, when it is torn; "" is none.
	change string
	nth    int
	torn   bool
	count  bool // the changes it makes
	slowly bool // one node after the other, so that a moment is the same in every run
}

// step does what a prelude asks for: "VERB" gives a command, "VERB@N" one that
// is killed at its Nth moment, "lose" and "misplace" are what happens to files.
func (s *site) step(ctx context.Context, step string) error {
	dir := filepath.Join(s.here, "site")
	switch step {
	case "lose":
		return errors.Join(os.RemoveAll(filepath.Join(dir, stateDir)), os.Remove(filepath.Join(dir, "instances.json")))
	case "misplace":
		path := filepath.Join(dir, "instances.json")
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(path, bytes.ReplaceAll(text, []byte("127.0.0.1"), []byte("127.0.0.9")), 0o600)
	}
	verb, moment, killed := strings.Cut(step, "@")
	if !killed {
		return s.command(ctx, order{verb: verb})
	}
	at, err := strconv.ParseInt(moment, 10, 64)
	if err != nil {
		return err
	}
	if err := s.command(ctx, order{verb: verb, at: at, slowly: true}); err == nil || !s.result.Fired {
		return fmt.Errorf("it was not killed: %v", err)
	}
	s.result.Fired = false
	return s.quiet(ctx)
}

// quiet waits until no node works on anything.
func (s *site) quiet(ctx context.Context) error {
	for _, h := range s.nodes {
		for deadline := time.Now().Add(tryLimit); ; {
			busy, err := h.busy(ctx)
			if err != nil {
				return err
			}
			if !busy {
				break
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("%s does not end its change", h.short)
			}
			time.Sleep(lookEvery) // look again
		}
	}
	return nil
}

func (h *machine) busy(ctx context.Context) (bool, error) {
	c, err := dial(h.dir)
	if err != nil {
		return false, err
	}
	defer c.Close()
	var reply wire.ChangesReply
	err = c.Call(ctx, wire.MethodChanges, wire.ChangesRequest{}, &reply)
	for _, ch := range reply.Changes {
		if !ch.Status.Ended() {
			return true, err
		}
	}
	return false, err
}

// during begins the scenario's operation, halts it, gives the command, and lets
// the operation go on to whatever end the command leads it to.
func (s *site) during(ctx context.Context, o order) error {
	var said bytes.Buffer
	work := s.controller(ctx, controllerOrder{Verb: s.scenario.During, At: duringMoment, Signal: syscall.SIGSTOP, Slowly: true})
	work.Stderr = &said
	if err := work.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- work.Wait() }()
	if err := untilHalted(work, ended); err != nil {
		return err
	}
	err := s.insist(ctx, o)
	err = errors.Join(err, work.Process.Signal(syscall.SIGCONT))
	select {
	case end := <-ended:
		fmt.Fprintf(&s.said, "--- the icm %s that was halted: %v\n%s", s.scenario.During, end, said.String())
	case <-time.After(tryLimit):
		return errors.Join(err, errors.New("the operation that was halted does not end"))
	}
	return err
}

// command gives a command once.
func (s *site) command(ctx context.Context, o order) error {
	ctx, cancel := context.WithTimeout(ctx, tryLimit)
	defer cancel()
	cmd := s.controller(ctx, controllerOrder{Verb: o.verb, At: o.at, Signal: syscall.SIGKILL, Rerun: s.gave, Slowly: o.slowly, Watched: o.change != "" || o.count})
	var out bytes.Buffer
	cmd.Stdout = &out
	fmt.Fprintf(&s.said, "--- icm %s\n", o.verb)
	w := &watch{dir: filepath.Join(s.here, "site"), at: o.change, nth: o.nth, torn: o.torn}
	err := s.watched(cmd, w, o.change != "" || o.count)
	var exit *exec.ExitError
	killed := errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signaled()
	if w.fired || killed && o.at != 0 {
		s.result.Fired = true
		if s.order.Point.Power && w.fired {
			return errors.Join(err, s.powerCut(ctx))
		}
	}
	if err != nil {
		lines := strings.Split(strings.TrimSpace(s.said.String()), "\n")
		return fmt.Errorf("icm %s: %w: %s", o.verb, err, lines[len(lines)-1])
	}
	if o.change != "" || o.at != 0 {
		s.result.Fired = true // fewer changes or moments than undisturbed: it ended before the last of them
	}
	var res controllerResult
	if err := json.Unmarshal(out.Bytes(), &res); err != nil {
		return err
	}
	if o.count {
		s.result.Moments, s.result.Changes = res.Moments, w.seen
	}
	return nil
}

// watched runs a controller to its end.
func (s *site) watched(cmd *exec.Cmd, w *watch, really bool) error {
	if !really {
		return cmd.Run()
	}
	mine, theirs, err := os.Pipe()
	if err != nil {
		return err
	}
	cmd.ExtraFiles = []*os.File{theirs} // becomes watchFD
	err = cmd.Start()
	if closeErr := theirs.Close(); err != nil || closeErr != nil {
		return errors.Join(err, closeErr, mine.Close())
	}
	w.follow(cmd.Process.Pid, mine)
	err = cmd.Wait()
	<-w.ended
	return errors.Join(err, w.err)
}

func (s *site) controller(ctx context.Context, o controllerOrder) *exec.Cmd {
	o.Dir, o.Here, o.Kit = filepath.Join(s.here, "site"), s.here, s.scenario.Kit
	cmd := exec.CommandContext(ctx, "/proc/self/exe")
	cmd.Env = roleEnv("controller", o)
	cmd.Stderr = &s.said
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// siteDisk is how big the controller's disk is, in bytes; sparse.
const siteDisk = 64 << 20

// disk gives the controller's machine a disk of its own where its power is
// going to be cut.
func (s *site) disk(ctx context.Context) error {
	if p := s.order.Point; !p.Power || p.Target != "controller" {
		return nil
	}
	dir, image, aside := filepath.Join(s.here, "site"), s.siteImage(), filepath.Join(s.here, "aside")
	return errors.Join(os.WriteFile(image, nil, 0o600), os.Truncate(image, siteDisk), os.Mkdir(aside, dirPrivate),
		run(ctx, "mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=1,lazy_journal_init=1", image),
		run(ctx, "mount", "-o", "loop", image, aside), run(ctx, "cp", "-a", dir+"/.", aside), run(ctx, "umount", aside),
		run(ctx, "mount", "-o", "loop", image, dir))
}

func (s *site) siteImage() string { return filepath.Join(s.here, "site.img") }

// powerCut leaves the controller's machine with what its disk has, which is not
// what was written and not synced.
func (s *site) powerCut(ctx context.Context) error {
	dir, image := filepath.Join(s.here, "site"), s.siteImage()
	return errors.Join(copyDisk(ctx, image, image+".cut"), // before anything is written back
		run(ctx, "umount", dir), os.Rename(image+".cut", image), run(ctx, "mount", "-o", "loop", image, dir))
}

// record is what the deployment's own files must be: the instances, a record
// that is whole, and nothing half made.
func (s *site) record() error {
	dir := filepath.Join(s.here, "site")
	found, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range found {
		value := ""
		if e.Name() == "instances.json" {
			if value, err = describe(filepath.Join(dir, e.Name()), e); err != nil {
				return err
			}
		}
		if e.Name() != "lost+found" {
			s.result.State["site "+anyName.ReplaceAllString(e.Name(), "$1*")] = value
		}
	}
	at, err := state.Open(filepath.Join(dir, stateDir))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	all, err := at.ListOperations()
	for _, r := range all {
		_, bad := at.OpenOperation(r.Meta.ID)
		err = errors.Join(err, bad)
	}
	return err
}
