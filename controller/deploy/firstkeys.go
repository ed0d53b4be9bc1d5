package deploy

import (
	"bytes"
	"context"
	_ "embed" // the two scripts
	"errors"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"

	"icm/controller/remote"
	"icm/controller/state"
	"icm/internal/hint"
	"icm/plugins/provider"
)

// The first host key of a machine in a cloud is one that icm's provider made
// and injected, so that the first contact is verified. It lies in terraform's
// state and with the cloud, and so must not stay valid: over the connection
// that it verified, the node makes itself another.

//go:embed newhostkey.sh
var newHostKeyScript string

//go:embed takehostkey.sh
var takeHostKeyScript string

// pinHostKeys records the host keys that the platform tells, so that the first
// contact is verified. A first key that was replaced stays replaced.
func pinHostKeys(dir *state.Dir, nodes []provider.Node) error {
	told, err := dir.FirstKeys()
	if err != nil {
		return err
	}
	for _, n := range nodes {
		if n.Interim && len(n.HostKeys) == 1 {
			err = pinFirstKey(dir, n, told[n.MachineName])
		} else {
			err = pinAll(dir, n)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func pinAll(dir *state.Dir, n provider.Node) error {
	for _, line := range n.HostKeys {
		key, err := remote.ParsePublicKey([]byte(line))
		if err != nil {
			return &NodeError{n.MachineName, fmt.Errorf("the provider's host key cannot be read: %w", err)}
		}
		if err := dir.Pin(n.MachineName, hostPort(n), key); err != nil {
			return err
		}
	}
	return nil
}

// pinFirstKey: another key than the last time means another machine, whose
// name alone is the same.
func pinFirstKey(dir *state.Dir, n provider.Node, was state.FirstKey) error {
	pinned, err := dir.HostKeys(n.MachineName)
	if err != nil {
		return err
	}
	if was.Line == n.HostKeys[0] && len(pinned) > 0 {
		for _, key := range pinned { // the same machine, perhaps at another address
			if err := dir.Pin(n.MachineName, hostPort(n), key); err != nil {
				return err
			}
		}
		return nil
	}
	if err := dir.Forget(n.MachineName); err != nil {
		return err
	}
	if err := pinAll(dir, n); err != nil {
		return err
	}
	return dir.SetFirstKey(n.MachineName, state.FirstKey{Line: n.HostKeys[0]})
}

// replaceFirstKeys replaces the first host keys of the nodes that still have
// them.
func (j *Job) replaceFirstKeys(ctx context.Context, s *site, nodes map[string]Node) error {
	first, err := s.dir.FirstKeys()
	if err != nil {
		return err
	}
	var list []state.Instance
	for _, n := range s.real() {
		if key, told := first[n.MachineName]; told && !key.Replaced && nodes[n.MachineName] != nil {
			list = append(list, n)
		}
	}
	var files sync.Mutex // the state directory's files have one writer
	return forEach(ctx, machineNames(list), j.Parallel, func(ctx context.Context, i int, name string) error {
		j.World.Report.Report(Event{Kind: Starting, Subject: name, Preposition: "of", Text: "Replacing host key"})
		if err := j.replaceFirstKey(ctx, s.dir, list[i], nodes[name].Shell(), first[name], &files); err != nil {
			return err
		}
		j.World.Report.Report(Event{Kind: Finished, Subject: name, Preposition: "of", Text: "replaced host key"})
		return nil
	})
}

// replaceFirstKey can be run again after any failure: until the new key has
// been seen to work, both are pinned.
func (j *Job) replaceFirstKey(ctx context.Context, dir *state.Dir, n state.Instance, sh Shell, first state.FirstKey, files *sync.Mutex) error {
	out, err := runScript(ctx, sh, newHostKeyScript)
	if err != nil {
		return fmt.Errorf("cannot make a new host key: %w", err)
	}
	key, err := remote.ParsePublicKey([]byte(out))
	if err != nil {
		return fmt.Errorf("cannot make a new host key: the node says %q", out)
	}
	a, err := j.address(n, dir)
	if err != nil {
		return err
	}
	at := hostPort(provider.Node{IPAddress: a.Host, Port: a.Port})
	pin := func(key ssh.PublicKey, alone bool) error {
		files.Lock()
		defer files.Unlock()
		if alone {
			if err := dir.Forget(n.MachineName); err != nil {
				return err
			}
		}
		return dir.Pin(n.MachineName, at, key)
	}
	if err := pin(key, false); err != nil {
		return err
	}
	if _, err := runScript(ctx, sh, takeHostKeyScript); err != nil {
		return fmt.Errorf("cannot take the new host key: %w", err)
	}
	if err := pin(key, true); err != nil {
		return err
	}
	again, err := j.World.Reach(ctx, a)
	if err != nil {
		old, parseErr := remote.ParsePublicKey([]byte(first.Line))
		if parseErr == nil {
			parseErr = pin(old, false)
		}
		return hint.New(errors.Join(fmt.Errorf("cannot connect with the new host key: %w", err), parseErr), "run the command again: both host keys are known now")
	}
	_ = again.Close() // it has shown what it was for
	files.Lock()
	defer files.Unlock()
	first.Replaced = true
	return dir.SetFirstKey(n.MachineName, first)
}

// runScript runs a script as root and returns what it prints.
func runScript(ctx context.Context, sh Shell, script string) (string, error) {
	var out, errs bytes.Buffer
	status, err := sh.Run(ctx, "sudo -n sh -s", strings.NewReader(script), &out, &errs)
	if err == nil && status != 0 {
		err = fmt.Errorf("status %d: %s", status, strings.TrimSpace(errs.String()))
	}
	return strings.TrimSpace(out.String()), err
}
