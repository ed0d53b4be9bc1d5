//go:build nodes

package nodes

import (
	"bufio"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// island is a network namespace with no way out of it, with the nodes that are
// made there. Every question for a name is refused, and remembered.
type island struct {
	pid string // of the process that holds it
	mu  sync.Mutex
	all []string // names that were asked for
}

// hold makes the namespace its own: /sys shows its network, with the control
// groups of this machine, and names are asked for on it. It ends with its input.
const hold = `set -eu
ip link set lo up
mkdir "$1/groups"
mount --rbind /sys/fs/cgroup "$1/groups"
mount -t sysfs sysfs /sys
mount --move "$1/groups" /sys/fs/cgroup
echo nameserver 127.0.0.1 > "$1/resolv.conf"
mount --bind "$1/resolv.conf" /etc/resolv.conf
echo ready
read _ || true`

func newIsland(t *testing.T) *island {
	t.Helper()
	cmd := exec.Command("unshare", "--net", "--mount", "--propagation", "private", "sh", "-c", hold, "sh", t.TempDir())
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	cmd.Stderr = os.Stderr
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = in.Close() // lets it end
		_ = cmd.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("there is no namespace: %q, %v", line, err)
	}
	i := &island{pid: strconv.Itoa(cmd.Process.Pid)}
	i.refuseNames(t)
	return i
}

// enter begins a command line that runs there, in a directory.
func (i *island) enter(dir string) []string {
	return []string{"nsenter", "--target", i.pid, "--net", "--mount", "--", "sh", "-c", `cd "$1"; shift; exec "$@"`, "sh", dir}
}

// refuseNames answers every question for a name with a refusal.
func (i *island) refuseNames(t *testing.T) {
	t.Helper()
	type made struct {
		conn net.PacketConn
		err  error
	}
	done := make(chan made)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with this function
		ns, err := os.Open(filepath.Join("/proc", i.pid, "ns/net"))
		if err != nil {
			done <- made{err: err}
			return
		}
		defer ns.Close()
		if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- made{err: err}
			return
		}
		conn, err := net.ListenPacket("udp4", "0.0.0.0:53")
		done <- made{conn, err}
	}()
	m := <-done
	must(t, m.err)
	t.Cleanup(func() { m.conn.Close() })
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := m.conn.ReadFrom(buf)
			if err != nil {
				return // it was closed
			}
			if answer := i.refuse(buf[:n]); answer != nil {
				_, _ = m.conn.WriteTo(answer, from) // who asked may be gone
			}
		}
	}()
}

// refuse makes the answer to a question: the question itself, with two fields of
// its header set (RFC 1035, 4.1.1).
func (i *island) refuse(question []byte) []byte {
	const header, refused = 12, 5
	if len(question) < header {
		return nil
	}
	var name strings.Builder
	for at := header; at < len(question) && question[at] != 0 && at+int(question[at]) < len(question); at += 1 + int(question[at]) {
		name.Write(question[at+1 : at+1+int(question[at])])
		name.WriteByte('.')
	}
	i.mu.Lock()
	i.all = append(i.all, name.String())
	i.mu.Unlock()
	question[2] |= 0x80
	question[3] = question[3]&0xf0 | refused
	return question
}

// names are those that somebody asked for.
func (i *island) names() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return append([]string(nil), i.all...)
}

// address is icm's machine, as the nodes see it: the first of their network.
func (i *island) address(t *testing.T, s *site) string {
	t.Helper()
	node, err := netip.ParseAddr(s.address(s.machine("DM", 1)))
	must(t, err)
	prefix, err := node.Prefix(24)
	must(t, err)
	return prefix.Addr().Next().String()
}

// attempts are what the kernel counts of icm's side: everything that was to be
// sent to where no route leads.
func (i *island) attempts(t *testing.T) int {
	t.Helper()
	var text strings.Builder
	for _, name := range []string{"snmp", "snmp6"} {
		data, err := os.ReadFile(filepath.Join("/proc", i.pid, "net", name))
		must(t, err)
		text.Write(data)
	}
	return attemptsIn(text.String())
}

// attemptsIn reads the kernel's counters, -1 when they are not there.
func attemptsIn(text string) int {
	var head []string
	sum, found := 0, 0
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		switch {
		case len(words) == 2 && words[0] == "Ip6OutNoRoutes":
			n, _ := strconv.Atoi(words[1])
			sum, found = sum+n, found+1
		case len(words) > 0 && words[0] == "Ip:" && head == nil:
			head = words
		case len(words) > 0 && words[0] == "Ip:":
			for k, name := range head {
				if name == "OutNoRoutes" {
					n, _ := strconv.Atoi(words[k])
					sum, found = sum+n, found+1
				}
			}
		}
	}
	if found != 2 {
		return -1
	}
	return sum
}

// quiet fails unless the kernel counted, and counted nothing.
func (i *island) quiet(t *testing.T, where string, attempts int) {
	t.Helper()
	equal(t, fmt.Sprintf("the attempts from %s to reach anything but the nodes", where), attempts, 0)
}
