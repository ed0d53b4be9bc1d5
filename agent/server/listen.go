package server

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// Listen makes the socket and its directory. A socket left behind by an agent
// that was killed is replaced; the engine's lock makes sure that no agent
// lives behind it.
func Listen(path string, group int) (*net.UnixListener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("cannot make the socket's directory: %w", err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot remove the old socket: %w", err)
	}
	old := syscall.Umask(0o177) // nobody gets in before the mode is set
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	syscall.Umask(old)
	if err != nil {
		return nil, fmt.Errorf("cannot listen: %w", err)
	}
	if group >= 0 {
		err = os.Chown(path, 0, group)
	}
	if err == nil {
		err = os.Chmod(path, 0o660)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot set who may use the socket: %w", err), l.Close())
	}
	return l, nil
}

// GroupID finds a group's number; -1 when there is no such group.
func GroupID(name string) (int, error) {
	g, err := user.LookupGroup(name)
	var unknown user.UnknownGroupError
	if errors.As(err, &unknown) {
		return -1, nil
	}
	if err != nil {
		return -1, fmt.Errorf("cannot look up group %s: %w", name, err)
	}
	return strconv.Atoi(g.Gid)
}
