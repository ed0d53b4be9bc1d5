package instance

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"icm/labkit/internal/control"
	"icm/labkit/internal/passhash"
	"icm/labkit/internal/script"
)

// conversation is one connection of the iris command.
type conversation struct {
	i    *Instance
	conn *net.UnixConn
	in   *bufio.Reader
	req  control.Request
	uid  uint32
	name string // OS user
}

// Write sends text to the user.
func (c *conversation) Write(p []byte) (int, error) {
	return len(p), control.WriteFrame(c.conn, control.Output, p)
}

func (c *conversation) exit(status int) {
	control.WriteFrame(c.conn, control.Exit, []byte(strconv.Itoa(status)))
}

func (i *Instance) serveControl(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go i.converse(conn.(*net.UnixConn))
	}
}

func (i *Instance) converse(conn *net.UnixConn) {
	defer conn.Close()
	c := &conversation{i: i, conn: conn, in: bufio.NewReader(conn)}
	line, err := c.in.ReadBytes('\n')
	if err != nil || json.Unmarshal(line, &c.req) != nil {
		return
	}
	if err := c.identify(); err != nil {
		return
	}
	if i.health() == "hung" && c.req.Op != "session" {
		<-i.ended // a hung instance answers nobody
		return
	}
	switch c.req.Op {
	case "stop":
		c.stop()
	case "merge":
		c.merge()
	case "stat":
		c.stat()
	case "session":
		c.session()
	case "sql":
		c.sql()
	}
}

// identify asks the kernel who is at the other end.
func (c *conversation) identify() error {
	raw, err := c.conn.SyscallConn()
	if err != nil {
		return err
	}
	var cred *syscall.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	}); err != nil {
		return err
	}
	if credErr != nil {
		return credErr
	}
	c.uid = cred.Uid
	if u, err := user.LookupId(strconv.Itoa(int(cred.Uid))); err == nil {
		c.name = u.Username
	}
	return nil
}

// manager says whether the user may start and stop the instance.
func (c *conversation) manager() bool {
	return MayManage(c.name, c.uid, c.i.reg.Owner, c.i.reg.MgrGroup)
}

// MayManage is the rule: root, the owner, the members of the group.
func MayManage(name string, uid uint32, owner, group string) bool {
	if uid == 0 || name == owner {
		return true
	}
	u, err := user.Lookup(name)
	if err != nil {
		return false
	}
	g, err := user.LookupGroup(group)
	if err != nil {
		return false
	}
	ids, err := u.GroupIds()
	return err == nil && slices.Contains(ids, g.Gid)
}

func (c *conversation) stop() {
	if !c.manager() {
		fmt.Fprintln(c, "You do not have permission to stop this instance.")
		c.exit(1)
		return
	}
	if err := c.i.stop(c.req.NoFailover); err != nil && !errors.Is(err, errDirty) { // that one only the log knows
		fmt.Fprintln(c, "Shutdown failed:", err)
		c.exit(1)
		return
	}
	c.i.lockFile.Close() // whoever reads the answer finds the instance down
	c.exit(0)
	c.i.end()
}

func (c *conversation) merge() {
	if _, ok := c.authenticate(); !ok {
		c.exit(1)
		return
	}
	target := c.req.Target
	if target == "" {
		target = c.i.reg.CPFPath()
	}
	fmt.Fprintf(c, "IRIS Merge of %s into %s\n", c.req.File, target)
	if err := c.i.merge(c.req.File, c.req.Target); err != nil {
		fmt.Fprintf(c, "%v\nIRIS Merge failed\n", err)
		c.exit(1)
		return
	}
	fmt.Fprintln(c, "IRIS Merge completed successfully")
	// Real kits have been seen to exit with something else after success.
	c.exit(c.i.fault("merge-rc"))
}

func (c *conversation) stat() {
	for _, p := range c.i.section("Databases") {
		dir, _, _ := strings.Cut(p.Value, ",")
		if db := c.i.set.Mounted(dir); db != nil {
			fmt.Fprintf(c, "database %s %s records=%d\n", p.Key, dir, db.Seq())
		}
	}
	for _, l := range append(c.i.ecp.status(), c.i.mirror.report()...) {
		fmt.Fprintln(c, l)
	}
	c.exit(0)
}

// authenticate is what happens before a prompt. It returns the user's name.
func (c *conversation) authenticate() (string, bool) {
	c.i.mu.Lock()
	free, osUser, password := c.i.security.terminalAuth()
	known, acct := c.i.security.user(c.name)
	c.i.mu.Unlock()
	switch {
	case free:
		return "UnknownUser", true
	case osUser && acct != nil:
		return known, true
	case osUser && !password, osUser && c.uid == 0, !password:
		io.WriteString(c, "\nAccess Denied\n")
		return "", false
	}
	name, ok := c.prompt("\nUsername: ", true)
	if !ok {
		return "", false
	}
	pass, ok := c.prompt("Password: ", false)
	if !ok {
		return "", false
	}
	c.i.mu.Lock()
	known, acct = c.i.security.user(name)
	c.i.mu.Unlock()
	if acct == nil || !passhash.Matches(acct.Hash, pass) {
		io.WriteString(c, "\nAccess Denied\n")
		return "", false
	}
	return known, true
}

func (c *conversation) prompt(text string, echo bool) (string, bool) {
	io.WriteString(c, text)
	if !echo {
		control.WriteFrame(c.conn, control.Echo, []byte("off"))
		defer control.WriteFrame(c.conn, control.Echo, []byte("on"))
	}
	line, ok := c.line()
	if !c.req.Terminal || !echo {
		io.WriteString(c, "\n")
	}
	return strings.TrimSpace(line), ok
}

// line reads what the user typed; ok is false at the end.
func (c *conversation) line() (string, bool) {
	line, err := c.in.ReadString('\n')
	if err != nil && line == "" {
		return "", false
	}
	return strings.TrimRight(line, "\r\n"), true
}

// signOnInhibited is the status of a session that came too early.
const signOnInhibited = 239

// open lets a user in: readiness, identity, namespace.
func (c *conversation) open() (*script.Session, bool) {
	if time.Now().Before(c.i.accepting) {
		io.WriteString(c, "Sign-on inhibited: Startup or Installation in progress\n")
		c.exit(signOnInhibited)
		return nil, false
	}
	name, ok := c.authenticate()
	if !ok {
		c.exit(1)
		return nil, false
	}
	ns := c.req.Namespace
	if ns == "" {
		ns = "USER"
	}
	found, ok := c.i.Namespace(ns)
	if !ok {
		io.WriteString(c, "\n<NAMESPACE>\n")
		c.exit(1)
		return nil, false
	}
	return script.NewSession(c.i, found, name, c), true
}

func (c *conversation) session() {
	s, ok := c.open()
	if !ok {
		return
	}
	if c.req.Code != "" {
		c.exit(c.oneEntry(s))
		return
	}
	fmt.Fprintf(c, "\nNode: %s, Instance: %s\n", hostname(), c.i.reg.Name)
	for !s.Halted() {
		fmt.Fprintf(c, "\n%s>", s.NS)
		line, ok := c.line()
		if !ok {
			break
		}
		if !c.req.Terminal {
			io.WriteString(c, "\n")
		}
		c.runLine(s, line)
	}
	c.exit(0)
}

// runLine prints what a terminal would.
func (c *conversation) runLine(s *script.Session, line string) {
	err := s.Line(line)
	if s.Column() > 0 {
		s.Print("\n")
	}
	if err != nil {
		c.printError(err)
	}
}

func (c *conversation) printError(err error) {
	var e *script.Error
	if errors.As(err, &e) {
		fmt.Fprintf(c, "%s\n", e)
		return
	}
	fmt.Fprintf(c, "<ZSTANDIN> *%v\n", err)
}

// oneEntry runs the code of the command line; a call's value is the status.
func (c *conversation) oneEntry(s *script.Session) int {
	value, isCall, err := s.Entry(c.req.Code)
	if err != nil {
		c.printError(err)
		return 1
	}
	if !isCall {
		return 0
	}
	n, _ := strconv.Atoi(strings.SplitN(value, " ", 2)[0])
	return n & 0xff
}
