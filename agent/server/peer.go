package server

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// peer is who is at the other end of a socket, as the kernel says.
type peer struct {
	pid      int32
	uid, gid uint32
	groups   []int
}

func credentials(conn *net.UnixConn) (peer, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return peer{}, err
	}
	var cred *unix.Ucred
	var errCred error
	err = raw.Control(func(fd uintptr) {
		cred, errCred = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err := errors.Join(err, errCred); err != nil {
		return peer{}, fmt.Errorf("cannot find out who connects: %w", err)
	}
	p := peer{pid: cred.Pid, uid: cred.Uid, gid: cred.Gid}
	if p.uid == 0 {
		return p, nil
	}
	known := false
	if p.groups, known = peerGroups(raw); !known {
		p.groups, err = groupsOf(cred.Pid)
	}
	return p, err
}

// soPeerGroups is SO_PEERGROUPS on amd64 and arm64.
const soPeerGroups = 59

// peerGroups asks the kernel for the groups that the peer had when it
// connected. Kernels before 4.13 cannot tell.
func peerGroups(raw syscall.RawConn) (groups []int, known bool) {
	list := make([]uint32, 1024) // who has more is looked up
	size := uint32(len(list) * 4)
	err := raw.Control(func(fd uintptr) {
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, soPeerGroups,
			uintptr(unsafe.Pointer(&list[0])), uintptr(unsafe.Pointer(&size)), 0)
		known = errno == 0
	})
	if err != nil || !known {
		return nil, false
	}
	for _, g := range list[:size/4] {
		groups = append(groups, int(g))
	}
	return groups, true
}

// groupsOf reads the supplementary groups of a process, for old kernels. A
// process that has gone meanwhile is refused, which costs nobody anything.
func groupsOf(pid int32) ([]int, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return nil, fmt.Errorf("cannot find out the groups of who connects: %w", err)
	}
	for line := range strings.Lines(string(data)) {
		list, ok := strings.CutPrefix(line, "Groups:")
		if !ok {
			continue
		}
		var groups []int
		for word := range strings.FieldsSeq(list) {
			n, err := strconv.Atoi(word)
			if err != nil {
				return nil, fmt.Errorf("cannot find out the groups of who connects: %w", err)
			}
			groups = append(groups, n)
		}
		return groups, nil
	}
	return nil, errors.New("cannot find out the groups of who connects")
}

// admit lets root in and members of the agent's group, nobody else.
func admit(p peer, group int) error {
	if p.uid == 0 {
		return nil
	}
	if group >= 0 && (int(p.gid) == group || slices.Contains(p.groups, group)) {
		return nil
	}
	return fmt.Errorf("user %d (process %d) is neither root nor a member of the agent's group", p.uid, p.pid)
}
