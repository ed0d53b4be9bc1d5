package crash

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"icm/agent/unit"
	"icm/internal/wire"
)

// nodeOrder is what the first process of a node needs to know.
type nodeOrder struct {
	Name string
	Dir  string // disk/ is the node's file system, run/ becomes /run
	Kits string // becomes /kits
}

// Files by which the site, the node's first process and the agent talk. They
// lie in /run and are lost at a power cut.
const (
	initSocket = "init.sock"
	faultFile  = "fault"        // an agent's fault: a specification of package crash
	powerFile  = "power"        // the fault is a power cut
	noAgent    = "/etc/noagent" // on the node's disk: the agent was removed
)

// request is what the first process is asked; see serve.
type request struct {
	Verb string
	Unit string   `json:",omitempty"`
	Argv []string `json:",omitempty"`
}

type response struct {
	Error  string
	Out    string
	Status unit.Status
	Mounts []string
}

// nodeInit is the first process of a node. It plays systemd.
type nodeInit struct {
	order nodeOrder
	mu    sync.Mutex // over starting a process and noting its number
	ended map[int]chan syscall.WaitStatus

	units  sync.Mutex // systemd runs the jobs of a unit one after the other
	active map[string]bool

	agentMu   sync.Mutex
	agent     int // process number, 0 for none
	agentGone bool
}

// runNode is the node from its boot to its end.
func runNode(o nodeOrder) error {
	if err := enter(o); err != nil {
		return err
	}
	if err := exec.Command("/bin/true").Run(); err != nil { // before the reaper: the runtime tries out waiting here
		return err
	}
	n := &nodeInit{order: o, ended: map[int]chan syscall.WaitStatus{}, active: map[string]bool{}}
	n.reap()
	l, err := net.Listen("unix", "/run/"+initSocket)
	if err != nil {
		return err
	}
	booted := make(chan struct{})
	go func() {
		defer close(booted)
		n.boot()
	}()
	go n.keepAgent()
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		go n.serve(conn, booted)
	}
}

// enter makes the node's root and goes into it.
func enter(o nodeOrder) error {
	root := filepath.Join(o.Dir, "root")
	disk := filepath.Join(o.Dir, "disk")
	steps := []error{
		unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
		os.MkdirAll(root, 0o755),
		unix.Mount("node", root, "overlay", 0, fmt.Sprintf("lowerdir=/,upperdir=%s/upper,workdir=%s/work", disk, disk)),
		unix.Mount("proc", root+"/proc", "proc", 0, ""),
		unix.Mount(filepath.Join(o.Dir, "run"), root+"/run", "", unix.MS_BIND, ""),
		unix.Mount(o.Kits, root+"/kits", "", unix.MS_BIND, ""),
		unix.Mount("/dev", root+"/dev", "", unix.MS_BIND|unix.MS_REC, ""),
		kernelFiles(o.Dir, root),
		unix.Chroot(root), os.Chdir("/"),
		unix.Sethostname([]byte(strings.ToLower(o.Name))),
		os.WriteFile("/proc/1/comm", []byte("systemd"), 0),
	}
	return errors.Join(steps...)
}

// kernelFiles puts settings in the place of the running kernel's, which belong
// to the whole machine. A boot makes them anew.
func kernelFiles(dir, root string) error {
	for path, text := range map[string]string{
		"proc/sys/vm/swappiness": "60\n", "proc/sys/vm/nr_hugepages": "0\n", "proc/sys/kernel/hostname": "node\n",
		"sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never\n",
	} {
		path = filepath.Join(dir, "kernel", path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			return err
		}
	}
	return errors.Join(
		unix.Mount(filepath.Join(dir, "kernel/proc/sys"), root+"/proc/sys", "", unix.MS_BIND, ""),
		unix.Mount(filepath.Join(dir, "kernel/sys"), root+"/sys", "", unix.MS_BIND, ""))
}

// reap collects every process of the node that ends.
func (n *nodeInit) reap() {
	sig := make(chan os.Signal, 16)
	signal.Notify(sig, syscall.SIGCHLD)
	go func() {
		for range sig {
			for n.reapOne() {
			}
		}
	}()
}

func (n *nodeInit) reapOne() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	var status syscall.WaitStatus
	pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
	if err != nil || pid <= 0 {
		return errors.Is(err, syscall.EINTR)
	}
	if c := n.ended[pid]; c != nil {
		c <- status
		delete(n.ended, pid)
	}
	return true
}

func (n *nodeInit) start(argv, env []string, out *os.File, cred *syscall.Credential) (int, <-chan syscall.WaitStatus, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return 0, nil, err
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, nil, err
	}
	defer null.Close()
	pid, err := syscall.ForkExec(path, argv, &syscall.ProcAttr{Dir: "/", Env: env,
		Files: []uintptr{null.Fd(), out.Fd(), out.Fd()}, Sys: &syscall.SysProcAttr{Setsid: true, Credential: cred}})
	if err != nil {
		return 0, nil, err
	}
	ended := make(chan syscall.WaitStatus, 1)
	n.ended[pid] = ended
	return pid, ended, nil
}

// run runs a program to its end.
func (n *nodeInit) run(argv, env []string, cred *syscall.Credential) (string, error) {
	out, err := os.CreateTemp("/run", "out-*")
	if err != nil {
		return "", err
	}
	defer os.Remove(out.Name())
	defer out.Close()
	_, ended, err := n.start(argv, env, out, cred)
	if err != nil {
		return "", err
	}
	status := <-ended
	text, err := os.ReadFile(out.Name())
	if err == nil && status.ExitStatus() != 0 {
		err = fmt.Errorf("%s ended with status %d: %s", argv[0], status.ExitStatus(), bytes.TrimSpace(text))
	}
	return string(text), err
}

// keepAgent runs the agent and starts it again whenever it dies, as its unit
// says. What the agent started lives on: KillMode=process. After a power cut
// nothing does.
func (n *nodeInit) keepAgent() {
	for {
		if _, err := os.Stat(noAgent); err == nil {
			return
		}
		ended, err := n.startAgent()
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: cannot start the agent: %v\n", n.order.Name, err)
			os.Exit(1)
		}
		if ended == nil {
			return
		}
		status := <-ended
		n.agentMu.Lock()
		n.agent = 0
		gone := n.agentGone
		n.agentMu.Unlock()
		if gone {
			return
		}
		if _, err := os.Stat("/run/" + powerFile); err == nil && status.Signaled() {
			os.Exit(0) // all processes of the node end with its first
		}
		if !status.Signaled() {
			fmt.Fprintf(os.Stderr, "%s: the agent ended by itself\n", n.order.Name)
		}
		_ = os.Remove("/run/" + faultFile)
	}
}

func (n *nodeInit) startAgent() (<-chan syscall.WaitStatus, error) {
	n.agentMu.Lock()
	defer n.agentMu.Unlock()
	if n.agentGone {
		return nil, nil
	}
	env := append(slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, roleVariable) }), roleVariable+"=agent")
	pid, ended, err := n.start([]string{"/proc/self/exe"}, env, os.Stderr, nil) // its own path may not exist in here
	n.agent = pid
	return ended, err
}

// stopAgent ends the agent for good, or until the next start.
func (n *nodeInit) stopAgent() {
	n.agentMu.Lock()
	n.agentGone = true
	pid := n.agent
	n.agentMu.Unlock()
	if pid == 0 {
		return
	}
	_ = syscall.Kill(pid, syscall.SIGTERM)
	for {
		n.agentMu.Lock()
		running := n.agent != 0
		n.agentMu.Unlock()
		if !running {
			return
		}
		time.Sleep(2 * time.Millisecond) // look again
	}
}

func (n *nodeInit) serve(conn net.Conn, booted <-chan struct{}) {
	defer conn.Close()
	var req request
	if err := json.NewDecoder(conn).Decode(&req); err != nil {
		return
	}
	var res response
	err := n.answer(req, &res, booted)
	if err != nil {
		res.Error = err.Error()
	}
	_ = json.NewEncoder(conn).Encode(res) // who asked may be dead by now
	if req.Verb == "exit" {
		os.Exit(0)
	}
}

func (n *nodeInit) answer(req request, res *response, booted <-chan struct{}) (err error) {
	switch req.Verb {
	case "booted":
		<-booted
	case "start", "stop":
		err = n.job(req.Verb, req.Unit)
	case "status":
		res.Status = n.status(req.Unit)
	case "run":
		res.Out, err = n.run(req.Argv, os.Environ(), nil)
	case "mounts":
		res.Mounts, err = mountPoints()
	case "remove-agent":
		n.stopAgent()
		err = errors.Join(os.WriteFile(noAgent, nil, 0o644), os.RemoveAll(wire.AgentHome), os.RemoveAll(wire.AgentKits))
		unix.Sync()
	case "install-agent":
		err = n.installAgent()
	case "exit":
		n.stopAgent()
		unix.Sync()
	default:
		err = fmt.Errorf("init knows no %q", req.Verb)
	}
	return err
}

func (n *nodeInit) installAgent() error {
	if _, err := os.Stat(noAgent); err != nil {
		return nil
	}
	if err := os.Remove(noAgent); err != nil {
		return err
	}
	n.agentMu.Lock()
	n.agentGone = false
	n.agentMu.Unlock()
	go n.keepAgent()
	return nil
}

// mountPoints are what is mounted on the node; /dev is this machine's.
func mountPoints() ([]string, error) {
	data, err := os.ReadFile("/proc/self/mountinfo")
	var out []string
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) > 4 && !strings.HasPrefix(f[4], "/dev") {
			out = append(out, f[4])
		}
	}
	slices.Sort(out)
	return out, err
}

// askInit asks the first process of a node. socket is where it listens, as the
// caller sees it.
func askInit(ctx context.Context, socket string, req request) (response, error) {
	var res response
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
	if err != nil {
		return res, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	if err := json.NewEncoder(conn).Encode(req); err != nil {
		return res, err
	}
	if err := json.NewDecoder(conn).Decode(&res); err != nil {
		return res, fmt.Errorf("init was asked to %s and died: %w", req.Verb, err)
	}
	if res.Error != "" {
		return res, errors.New(res.Error)
	}
	return res, nil
}
