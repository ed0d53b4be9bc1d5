package host

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Listener is a process that listens on a TCP port.
type Listener struct {
	Port int
	PID  int    // 0 when it cannot be found, as with another container's
	Name string // of the program, such as "httpd"
}

// Listeners returns who listens on these ports, from /proc below root.
func Listeners(root string, ports []int) (map[int]Listener, error) {
	inodes, err := listeners(root)
	if err != nil {
		return nil, err
	}
	wanted, held := map[string]int{}, map[int]Listener{}
	for _, port := range ports {
		for inode, p := range inodes {
			if p == port {
				wanted["socket:["+inode+"]"] = p
				held[p] = Listener{Port: p}
			}
		}
	}
	if len(wanted) > 0 {
		findHolders(root, wanted, held)
	}
	return held, nil
}

// listeners are the sockets that listen, by inode, with their ports.
func listeners(root string) (map[string]int, error) {
	inodes := map[string]int{}
	for _, table := range []string{"proc/net/tcp", "proc/net/tcp6"} {
		data, err := os.ReadFile(filepath.Join(root, table))
		if err != nil {
			if table == "proc/net/tcp6" {
				continue // IPv6 is off
			}
			return nil, fmt.Errorf("cannot list ports: %v", err)
		}
		listening(string(data), inodes)
	}
	return inodes, nil
}

// listening adds the lines of /proc/net/tcp that are in state LISTEN.
func listening(text string, inodes map[string]int) {
	const listen = "0A"
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 10 || f[3] != listen {
			continue
		}
		_, hex, _ := strings.Cut(f[1], ":")
		if port, err := strconv.ParseInt(hex, 16, 32); err == nil {
			inodes[f[9]] = int(port)
		}
	}
}

func findHolders(root string, wanted map[string]int, held map[int]Listener) {
	procs, _ := os.ReadDir(filepath.Join(root, "proc"))
	for _, p := range procs {
		pid, err := strconv.Atoi(p.Name())
		if err != nil {
			continue
		}
		dir := filepath.Join(root, "proc", p.Name())
		fds, _ := os.ReadDir(filepath.Join(dir, "fd")) // the process may be gone by now
		for _, fd := range fds {
			target, _ := os.Readlink(filepath.Join(dir, "fd", fd.Name()))
			if port, ok := wanted[target]; ok {
				held[port] = Listener{Port: port, PID: pid, Name: readWord(dir, "comm")}
			}
		}
	}
}

// Listening returns the TCP ports on which somebody listens, from /proc below
// root.
func Listening(root string) (map[int]bool, error) {
	inodes, err := listeners(root)
	if err != nil {
		return nil, err
	}
	ports := map[int]bool{}
	for _, port := range inodes {
		ports[port] = true
	}
	return ports, nil
}
