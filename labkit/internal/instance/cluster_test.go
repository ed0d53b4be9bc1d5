package instance

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"icm/labkit/internal/agentd"
	"icm/labkit/internal/registry"
	"icm/labkit/internal/release"
	"icm/labkit/internal/script"
	"icm/labkit/internal/store"
)

// network is what test machines see of each other. Cut machines hear nothing
// and are not told.
type network struct {
	mu  sync.Mutex
	cut map[[2]string]bool
}

func (n *network) set(a, b string, cut bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut[[2]string{a, b}], n.cut[[2]string{b, a}] = cut, cut
}

func (n *network) isCut(a, b string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.cut[[2]string{a, b}]
}

// dialer opens connections of the machine at from.
func (n *network) dialer(from string) func(string, time.Duration) (net.Conn, error) {
	return func(addr string, limit time.Duration) (net.Conn, error) {
		host, _, _ := net.SplitHostPort(addr)
		if n.isCut(from, host) {
			return nil, fmt.Errorf("no route from %s to %s", from, host)
		}
		c, err := net.DialTimeout("tcp", addr, limit)
		if err != nil {
			return nil, err
		}
		return &cable{Conn: c, n: n, a: from, b: host}, nil
	}
}

// cable is a connection that delivers nothing once it is cut.
type cable struct {
	net.Conn
	n    *network
	a, b string
}

func (c *cable) Write(p []byte) (int, error) {
	if c.n.isCut(c.a, c.b) {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

func (c *cable) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err == nil && c.n.isCut(c.a, c.b) {
		return 0, os.ErrDeadlineExceeded
	}
	return n, err
}

// machine is one host of a test: an address, an agent, one instance.
type machine struct {
	t       *testing.T
	n       *network
	addr    string
	agent   string
	reg     registry.Instance
	regDir  string
	version string
	i       *Instance
}

var hosts struct {
	sync.Mutex
	last int
}

// newMachine makes a machine whose instance is installed but not started.
func newMachine(t *testing.T, n *network, version string) *machine {
	t.Helper()
	hosts.Lock()
	hosts.last++
	addr := fmt.Sprintf("127.0.%d.%d", 10+hosts.last/200, 1+hosts.last%200)
	hosts.Unlock()
	dir := t.TempDir()
	h := &machine{t: t, n: n, addr: addr, regDir: filepath.Join(dir, "reg"), version: version}
	h.reg = registry.Instance{Name: "IRIS", Dir: filepath.Join(dir, "iris"), CPF: "iris.cpf", Owner: "root"}
	for _, sub := range []string{"reg", "iris/dist", "iris/mgr/user", "iris/mgr/journal", "data"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	h.setVersion(version)
	mgr := h.reg.Mgr()
	l, err := net.Listen("tcp", addr+":0") // the port stays this machine's own
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	l.Close()
	conf := "[Databases]\nIRISSYS=" + mgr + "/\nUSER=" + mgr + "/user/\n[Namespaces]\n%SYS=IRISSYS\nUSER=USER\n[MirrorMember]\nJoinMirror=0\nValidatedMember=1\n" +
		"[Journal]\nCurrentDirectory=" + mgr + "/journal/\nFileSizeLimit=64\n[Startup]\nDefaultPortBindAddress=" + addr + "\nDefaultPort=" + port +
		"\nWebServerPort=0\n[config]\nMaxServerConn=8\nwijdir=\n[ECPServers]\n[ECP]\nClientReconnectDuration=60\n"
	must(t, os.WriteFile(h.reg.CPFPath(), []byte(conf), 0o644))
	must(t, os.WriteFile(filepath.Join(mgr, "iris.lck"), nil, 0o644))
	must(t, os.WriteFile(filepath.Join(mgr, "messages.log"), nil, 0o644))
	must(t, os.WriteFile(filepath.Join(mgr, "alerts.log"), nil, 0o644))
	rel, err := release.Load(h.reg.Dir)
	must(t, err)
	must(t, store.Create(mgr, rel.Format()))
	must(t, store.Create(filepath.Join(mgr, "user"), rel.Format()))
	must(t, NewSecurity(mgr, "Minimal", "root", "", ""))
	must(t, registry.Put(h.regDir, h.reg))
	h.serveAgent()
	t.Cleanup(func() {
		if h.i != nil {
			h.halt(h.i.shutDown(false))
		}
	})
	return h
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (h *machine) setVersion(version string) {
	h.version = version
	must(h.t, os.WriteFile(filepath.Join(h.reg.Dir, "dist", "release"), []byte(version+" lnxubuntu2204x64\n"), 0o644))
}

func (h *machine) serveAgent() {
	l, err := net.Listen("tcp", h.addr+":0")
	must(h.t, err)
	h.agent = l.Addr().String()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		(&agentd.Agent{Registry: h.regDir, Version: "2025.1.0.223.0"}).Serve(ctx, l)
	}()
	h.t.Cleanup(func() { stop(); <-done })
}

func (h *machine) start() {
	h.t.Helper()
	i, err := start(Options{Instance: h.reg, Progress: io.Discard, Ready: func(error) {}, Dial: h.n.dialer(h.addr), Agent: h.agent})
	must(h.t, err)
	h.i = i
}

// stop is a clean stop.
func (h *machine) stop() {
	h.t.Helper()
	h.halt(h.i.shutDown(false))
}

// crash ends the instance as a killed process would.
func (h *machine) crash() {
	for _, l := range h.i.listeners {
		l.Close()
	}
	h.i.end()
	h.i.lockFile.Close()
	h.halt(nil)
}

// halt waits until nothing of the instance runs any more.
func (h *machine) halt(err error) {
	h.t.Helper()
	must(h.t, err)
	h.i.mirror.loops.Wait()
	h.i = nil
}

// run is one line of a session, which must not fail.
func (h *machine) run(ns, line string) string {
	h.t.Helper()
	out, err := h.try(ns, line)
	if err != nil {
		h.t.Fatalf("%s: %s: %v", h.addr, line, err)
	}
	return out
}

func (h *machine) try(ns, line string) (string, error) {
	var b strings.Builder
	err := script.NewSession(h.i, ns, "_SYSTEM", &b).Line(line)
	return b.String(), err
}

// ok runs a method that returns a status.
func (h *machine) ok(setup, call string) {
	h.t.Helper()
	if out := h.run("%SYS", strings.TrimSpace(setup+" set sc="+call+" write sc")); out != "1" {
		h.t.Fatalf("%s: %s: %s", h.addr, call, out)
	}
}

// refused runs a method whose status must tell why.
func (h *machine) refused(setup, call, why string) {
	h.t.Helper()
	if out := h.run("%SYS", strings.TrimSpace(setup+" set sc="+call+" write sc")); !strings.HasPrefix(out, "0 ") || !strings.Contains(out, why) {
		h.t.Fatalf("%s: %s: %q, want a refusal with %q", h.addr, call, out, why)
	}
}

// eventually waits for a condition.
func (h *machine) eventually(what string, holds func() bool) {
	h.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			log, _ := os.ReadFile(filepath.Join(h.reg.Mgr(), "messages.log"))
			h.t.Fatalf("%s: never %s\n%s", h.addr, what, log[max(0, len(log)-3000):])
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (h *machine) status() string {
	h.i.mirror.mu.Lock()
	defer h.i.mirror.mu.Unlock()
	return h.i.mirror.status
}

func (h *machine) becomes(status string) {
	h.t.Helper()
	h.eventually(status, func() bool { return h.status() == status })
}

const serviceOn = `set s("Enabled")=1 set sc=##class(Security.Services).Modify("%Service_Mirror",.s)`

// info is what a member says of itself when it creates or joins a mirror.
func (h *machine) info(more string) string {
	host, port, _ := net.SplitHostPort(h.agent)
	return fmt.Sprintf(`set m("ECPAddress")="%s",m("AgentAddress")="%s",m("AgentPort")=%s,m("QoSTimeout")=600%s`, h.addr, host, port, more)
}

func (h *machine) create(more string) {
	h.t.Helper()
	h.run("%SYS", serviceOn)
	h.ok(h.info(more), `##class(SYS.Mirror).CreateNewMirrorSet("MIR","A",.m)`)
	h.becomes("Primary")
}

func (h *machine) joinCall(primary *machine, system string) string {
	host, port, _ := net.SplitHostPort(primary.agent)
	return fmt.Sprintf(`##class(SYS.Mirror).JoinMirrorAsFailoverMember("MIR","%s","IRIS","%s",%s,.m)`, system, host, port)
}

func (h *machine) join(primary *machine, system string) {
	h.t.Helper()
	h.run("%SYS", serviceOn)
	h.ok(h.info(""), h.joinCall(primary, system))
	h.becomes("Backup")
}

func (h *machine) joinAsync(primary *machine, system string, kind int) {
	h.t.Helper()
	h.run("%SYS", serviceOn)
	host, port, _ := net.SplitHostPort(primary.agent)
	h.ok(h.info(""), fmt.Sprintf(`##class(SYS.Mirror).JoinMirrorAsAsyncMember("MIR","%s","IRIS","%s",%s,%d,.m)`, system, host, port, kind))
	h.becomes("Connected")
}

// database makes the mirrored database APP with a namespace.
func (h *machine) database() {
	h.t.Helper()
	dir := filepath.Join(filepath.Dir(h.reg.Dir), "data")
	h.ok(`set p("Directory")="`+dir+`/"`, `##class(Config.Databases).Create("APP",.p)`)
	h.ok("", `##class(SYS.Database).CreateDatabase("`+dir+`/",,,,,,"APP","MIR")`)
	h.ok(`kill p set p("Globals")="APP"`, `##class(Config.Namespaces).Create("APP",.p)`)
}

// holds waits until a global has a value on this machine.
func (h *machine) holds(global, value string) {
	h.t.Helper()
	h.eventually(global+" is "+value, func() bool {
		out, err := h.try("APP", "write "+global)
		return err == nil && out == value
	})
}

const era = "2023.1.1.380.0"

// pair is a mirror of two with a database.
func pair(t *testing.T, more string) (*network, *machine, *machine) {
	t.Helper()
	n := &network{cut: map[[2]string]bool{}}
	a, b := newMachine(t, n, era), newMachine(t, n, era)
	a.start()
	b.start()
	a.create(more)
	b.join(a, "B")
	a.database()
	b.database()
	return n, a, b
}
