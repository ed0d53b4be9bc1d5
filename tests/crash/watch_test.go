package crash

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A controller that is watched asks the kernel to halt it before every system
// call that changes a file, and to tell its site (seccomp_unotify(2)). So a
// point can be the moment before any change, whoever makes it: a package that
// learns to write one more file is covered without a word.

// watchFD is the descriptor by which a controller hands over its listener.
const watchFD = 3

// watchMe makes the kernel tell of all changes to files from now on. The number
// of the listener goes to the site, which takes it.
func watchMe() error {
	filter := watchFilter()
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	flags := unix.SECCOMP_FILTER_FLAG_NEW_LISTENER | unix.SECCOMP_FILTER_FLAG_TSYNC | unix.SECCOMP_FILTER_FLAG_TSYNC_ESRCH |
		unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV // the runtime's signals must not make one call two
	listener, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, uintptr(flags), uintptr(unsafe.Pointer(&prog)))
	if errno != 0 {
		return fmt.Errorf("cannot be watched: %w", errno)
	}
	out := os.NewFile(watchFD, "watch")
	_, err := fmt.Fprintln(out, listener)
	return errors.Join(err, out.Close())
}

// watchFilter lets everything pass but the calls in watched. Descriptors up to
// watchFD are no files.
func watchFilter() []unix.SockFilter {
	const nr, arg0 = 0, 16 // offsets in struct seccomp_data
	load := func(at uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
	}
	answer := func(what uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: what}
	}
	out := []unix.SockFilter{load(nr)}
	for _, c := range watched {
		if c.name == "write" {
			out = append(out,
				unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: c.nr, Jf: 4},
				load(arg0), unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K, K: watchFD, Jf: 1},
				answer(unix.SECCOMP_RET_USER_NOTIF), answer(unix.SECCOMP_RET_ALLOW))
			continue
		}
		out = append(out, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: c.nr, Jf: 1}, answer(unix.SECCOMP_RET_USER_NOTIF))
	}
	return append(out, answer(unix.SECCOMP_RET_ALLOW))
}

// call is a system call that changes a file.
type call struct {
	nr   uint32
	name string
	// fd is which argument names the file, or the directory that path is
	// relative to; path is which argument points to its name. -1 is none.
	fd, path int
}

// watched are the calls of every architecture; those of some are in oldCalls.
var watched = append([]call{
	{unix.SYS_OPENAT, "open", 0, 1},
	{unix.SYS_WRITE, "write", 0, -1},
	{unix.SYS_PWRITE64, "write", 0, -1},
	{unix.SYS_FTRUNCATE, "truncate", 0, -1},
	{unix.SYS_FSYNC, "sync", 0, -1},
	{unix.SYS_FCHMOD, "chmod", 0, -1},
	{unix.SYS_FCHMODAT, "chmod", 0, 1},
	{unix.SYS_RENAMEAT, "rename", 2, 3},
	{unix.SYS_RENAMEAT2, "rename", 2, 3},
	{unix.SYS_UNLINKAT, "remove", 0, 1},
	{unix.SYS_MKDIRAT, "mkdir", 0, 1},
	{unix.SYS_SYMLINKAT, "link", 1, 2},
	{unix.SYS_LINKAT, "link", 2, 3},
}, oldCalls...)

// notification is struct seccomp_notif.
type notification struct {
	id         uint64
	pid, flags uint32
	nr         int32
	arch       uint32
	ip         uint64
	args       [6]uint64
}

// answer is struct seccomp_notif_resp.
type answer struct {
	id    uint64
	val   int64
	errno int32
	flags uint32
}

// watch sees the changes of one controller. at is the change before which the
// controller is killed, "" for none, and nth counts those of its name from 1;
// with torn, half of what it writes is written.
type watch struct {
	dir  string
	at   string
	nth  int
	torn bool

	seen  map[string]int
	fired bool
	err   error
	ended chan struct{}
}

// follow takes the listener of a controller from a pipe and serves it until the
// controller has ended.
func (w *watch) follow(pid int, pipe *os.File) {
	w.seen, w.ended = map[string]int{}, make(chan struct{})
	go func() {
		defer close(w.ended)
		defer pipe.Close()
		fd, err := listenerOf(pid, pipe)
		if err != nil {
			w.err = err
			_ = syscall.Kill(pid, syscall.SIGKILL) // it would wait for ever
			return
		}
		defer unix.Close(fd)
		for w.one(pid, fd) {
		}
	}()
}

func listenerOf(pid int, pipe *os.File) (int, error) {
	var number int
	if _, err := fmt.Fscanln(pipe, &number); err != nil {
		return 0, fmt.Errorf("the controller does not hand over its listener: %w", err)
	}
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(pidfd)
	return unix.PidfdGetfd(pidfd, number, 0)
}

// one waits for one call and answers it; false ends the watch.
func (w *watch) one(pid, fd int) bool {
	ready := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	if _, err := unix.Poll(ready, -1); err != nil {
		return errors.Is(err, unix.EINTR)
	}
	if ready[0].Revents&unix.POLLIN == 0 {
		return false
	}
	var n notification
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SECCOMP_IOCTL_NOTIF_RECV, uintptr(unsafe.Pointer(&n))); errno != 0 {
		return errno == unix.EINTR || errno == unix.ENOENT // it was interrupted, and is going to ask again
	}
	if key := w.change(n); key != "" {
		w.seen[key]++
		if key == w.at && w.seen[key] == w.nth {
			if w.torn {
				w.err = tear(n)
			}
			w.fired = true
			_ = syscall.Kill(pid, syscall.SIGKILL)
			return false
		}
	}
	a := answer{id: n.id, flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE}
	_, _, _ = unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SECCOMP_IOCTL_NOTIF_SEND, uintptr(unsafe.Pointer(&a)))
	return true
}

// change names a change of a file of the deployment, "" for any other call:
// "rename@instances.json".
func (w *watch) change(n notification) string {
	for _, c := range watched {
		if c.nr != uint32(n.nr) {
			continue
		}
		if c.name == "open" && n.args[2]&(unix.O_CREAT|unix.O_TRUNC) == 0 {
			return ""
		}
		path, err := c.file(n)
		if err != nil {
			return ""
		}
		rel, err := filepath.Rel(w.dir, path)
		if err != nil || strings.HasPrefix(rel, "..") {
			return ""
		}
		return c.name + "@" + strings.ReplaceAll(anyName.ReplaceAllString(rel, "$1*"), "/", ":")
	}
	return ""
}

// anyName is what is chosen at random or by the clock in a name.
var anyName = regexp.MustCompile(`(^|/)\d{8}T\d{6}\.\d{3}Z-[0-9a-f]{6}`)

func (c call) file(n notification) (string, error) {
	base := "cwd"
	if c.fd >= 0 && int32(n.args[c.fd]) != unix.AT_FDCWD {
		base = fmt.Sprintf("fd/%d", int32(n.args[c.fd]))
	}
	at, err := os.Readlink(fmt.Sprintf("/proc/%d/%s", n.pid, base))
	if err != nil || c.path < 0 {
		return at, err
	}
	text, err := memory(n.pid, n.args[c.path], unix.PathMax)
	name, _, _ := bytes.Cut(text, []byte{0})
	if filepath.IsAbs(string(name)) {
		at = ""
	}
	return filepath.Join(at, string(name)), err
}

// memory reads up to most bytes of a process; less at the end of a mapping.
func memory(pid uint32, at uint64, most int) ([]byte, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	buf := make([]byte, most)
	n, err := f.ReadAt(buf, int64(at))
	if n > 0 {
		err = nil
	}
	return buf[:n], err
}

// tear writes half of what a halted call is about to write.
func tear(n notification) error {
	data, err := memory(n.pid, n.args[1], int(n.args[2]))
	if err != nil {
		return err
	}
	pidfd, err := unix.PidfdOpen(int(n.pid), pidfdThread)
	if err != nil {
		return err
	}
	defer unix.Close(pidfd)
	fd, err := unix.PidfdGetfd(pidfd, int(n.args[0]), 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	_, err = unix.Write(fd, data[:len(data)/2])
	return err
}

// pidfdThread lets a pidfd be that of a thread (since Linux 6.9).
const pidfdThread = unix.O_EXCL

// changePoint takes "change:N:NAME" or "torn:N:NAME" apart.
func changePoint(fault string) (nth int, name string, torn, ok bool) {
	f := strings.SplitN(fault, ":", 3)
	if len(f) != 3 || f[0] != "change" && f[0] != "torn" {
		return 0, "", false, false
	}
	nth, err := strconv.Atoi(f[1])
	return nth, f[2], f[0] == "torn", err == nil
}
