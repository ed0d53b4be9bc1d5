package crash

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"icm/controller/state"
	"icm/internal/wire"
)

// takeover halts a controller in the middle of its work, takes the deployment
// away from it as `icm unlock -force` does, lets another one do the work, and
// then lets the first one go on: it must change nothing any more.
func (s *site) takeover(ctx context.Context, at int64) error {
	var said bytes.Buffer
	first := s.controller(ctx, controllerOrder{Verb: s.scenario.Verb, At: at, Signal: syscall.SIGSTOP})
	first.Stderr = &said
	if err := first.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- first.Wait() }()
	err := untilHalted(first, ended)
	s.result.Fired = err == nil || errors.Is(err, errDone)
	if err != nil {
		if errors.Is(err, errDone) {
			return nil // fewer moments than undisturbed: there is nothing to take over
		}
		return err
	}
	if err = s.unlock(); err != nil {
		return err
	}
	if err = s.insist(ctx, order{verb: s.scenario.Verb}); err != nil {
		return err
	}
	before, err := s.records()
	if err != nil {
		return err
	}
	if err = first.Process.Signal(syscall.SIGCONT); err != nil {
		return err
	}
	select {
	case err = <-ended:
	case <-time.After(tryLimit):
		return errors.New("the controller that lost its lock does not end")
	}
	fmt.Fprintf(&s.said, "--- the first icm %s: %v\n%s", s.scenario.Verb, err, said.String())
	return errors.Join(s.unchanged(before), s.fenced(ctx))
}

// errDone says that a controller did its work before it was to be halted.
var errDone = errors.New("it ended before it was halted")

// untilHalted waits for SIGSTOP to have worked.
func untilHalted(cmd *exec.Cmd, ended <-chan error) error {
	for deadline := time.Now().Add(tryLimit); time.Now().Before(deadline); {
		select {
		case err := <-ended:
			if err == nil {
				return errDone
			}
			return fmt.Errorf("the first controller ended before it was halted: %w", err)
		case <-time.After(lookEvery):
		}
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", cmd.Process.Pid))
		if _, rest, ok := strings.Cut(string(stat), ") "); err == nil && ok && rest[0] == 'T' {
			return nil
		}
	}
	return errors.New("the first controller was never halted")
}

func (s *site) unlock() error {
	dir, err := state.Open(filepath.Join(s.here, "site", stateDir))
	if err != nil {
		return err
	}
	_, err = dir.ForceUnlock("icm unlock", time.Now())
	return err
}

func (s *site) unchanged(before map[string]uint64) error {
	after, err := s.records()
	for node, n := range before {
		if after[node] != n {
			err = errors.Join(err, fmt.Errorf("a controller that had lost its lock changed %s: %d records became %d", node, n, after[node]))
		}
	}
	return err
}

// fenced makes sure that every node refuses an older lock.
func (s *site) fenced(ctx context.Context) error {
	for _, h := range s.nodes {
		c, err := dial(h.dir)
		if err != nil {
			return err
		}
		req := wire.SubmitRequest{Fence: wire.Fence{Deployment: stateDir, Number: 1}, Change: wire.Change{ID: "late", OnError: wire.Undo}}
		err = c.Call(ctx, wire.MethodSubmit, req, &wire.SubmitReply{})
		var said *wire.Error
		if !errors.As(err, &said) || said.Code != wire.CodeFenced {
			return errors.Join(fmt.Errorf("%s takes a change from a controller that lost its lock: %w", h.short, err), c.Close())
		}
		if err := c.Close(); err != nil {
			return err
		}
	}
	return nil
}
