package iris

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"icm/agent/host"
	"icm/internal/atomicfile"
	"icm/internal/cpf"
	"icm/internal/wire"
)

// A pending merge is a merge file that the next start of an instance applies.
// It survives a reboot, and so does what makes the start use it, because an
// instance that started without it would keep its throwaway passwords.

// pendingDir is open to all, unlike the agent's own directory: the merge file is
// read by the instance's owner. The files themselves are closed.
const pendingDir = "etc/icm-agent"

// MergePath returns where the pending merge of an instance lies.
func (n *Node) MergePath(name string) string {
	return filepath.Join(n.Root, pendingDir, strings.ToLower(name)+"-merge.cpf")
}

// EnvPath returns the file of environment variables that the instance's unit
// reads. It names the pending merge, and is missing when there is none.
func (n *Node) EnvPath(name string) string {
	return filepath.Join(n.Root, pendingDir, strings.ToLower(name)+".env")
}

// SetPending stores what the next start merges. The environment file comes
// last: it makes the merge count.
func (n *Node) SetPending(name, owner, group string, merge []byte) error {
	path := n.MergePath(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("cannot store the configuration of %s: %v", name, err)
	}
	if err := atomicfile.Write(path, merge, 0o600); err != nil {
		return fmt.Errorf("cannot store the configuration of %s: %v", name, err)
	}
	if err := chown(path, owner, group); err != nil {
		return err
	}
	env := "ISC_CPF_MERGE_FILE=" + path + "\n"
	if err := atomicfile.Write(n.EnvPath(name), []byte(env), 0o600); err != nil {
		return fmt.Errorf("cannot store the configuration of %s: %v", name, err)
	}
	return nil
}

// Pending returns the merge that the next start applies, nil when there is
// none.
func (n *Node) Pending(name string) ([]byte, error) {
	if !exists(n.EnvPath(name)) {
		return nil, nil
	}
	data, err := os.ReadFile(n.MergePath(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

// ClearPending forgets the merge: the instance has it, or is not to have it.
func (n *Node) ClearPending(name string) error {
	for _, path := range []string{n.EnvPath(name), n.MergePath(name)} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cannot forget the merged configuration of %s: %v", name, err)
		}
	}
	return nil
}

// HasPassword and HasOSAuth tell what a merge does besides settings.
func HasPassword(merge []byte) bool {
	v, ok := cpf.Parse(merge).Get("Startup", "PasswordHash")
	return ok && v != ""
}

// HasOSAuth reports whether a merge turns operating system authentication on.
func HasOSAuth(merge []byte) bool {
	return bytes.Contains(merge, []byte("ModifyService:Name=%Service_Terminal,"))
}

// Merge applies a merge file to a running instance, as its owner. Neither its
// exit status nor its words prove anything: look at the outcome afterwards.
func (n *Node) Merge(ctx context.Context, in wire.Instance, merge []byte) (said string, err error) {
	dir, err := os.MkdirTemp(filepath.Join(n.Root, pendingDir), "merge-")
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(filepath.Join(n.Root, pendingDir), 0o755); err == nil {
			dir, err = os.MkdirTemp(filepath.Join(n.Root, pendingDir), "merge-")
		}
	}
	if err != nil {
		return "", fmt.Errorf("cannot merge into %s: %v", in.Name, err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "merge.cpf")
	if err := errors.Join(os.WriteFile(path, merge, 0o600), giveTo(in.Dir, dir, path)); err != nil {
		return "", fmt.Errorf("cannot merge into %s: %v", in.Name, err)
	}
	c := n.asOwnerOf(in.Dir, host.Command{Path: n.Program(), Args: []string{"merge", in.Name, path, CPFPath(in)}})
	out, err := n.run(ctx, c)
	var exit *host.ExitError
	if errors.As(err, &exit) {
		err = nil
	}
	return lastLines(out.Stdout+"\n"+out.Stderr, 2), err
}

// giveTo gives files to the owner of like.
func giveTo(like string, paths ...string) error {
	st, err := os.Stat(like)
	if err != nil {
		return err
	}
	uid, gid := owners(st)
	for _, p := range paths {
		if err := os.Lchown(p, uid, gid); err != nil {
			return err
		}
	}
	return nil
}

// PendingUnmet lists the settings of a merge that an instance's configuration
// does not have. The password hash is left out: IRIS takes it and forgets it.
func PendingUnmet(in wire.Instance, merge []byte) []wire.Diff {
	f, err := ReadCPF(in)
	if err != nil {
		return []wire.Diff{{What: CPFPath(in), Before: err.Error(), After: "readable"}}
	}
	m := cpf.Parse(merge)
	var want []Setting
	for _, s := range m.Sections() {
		if strings.EqualFold(s, "Actions") {
			continue
		}
		for _, k := range m.Keys(s) {
			if v, _ := m.Get(s, k); !strings.EqualFold(k, "PasswordHash") {
				want = append(want, Setting{s, k, v})
			}
		}
	}
	return Unmet(f, want)
}
