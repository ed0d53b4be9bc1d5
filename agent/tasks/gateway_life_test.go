package tasks

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"icm/agent/engine/enginetest"
	"icm/agent/host"
	"icm/agent/webgateway"
	"icm/internal/kind"
)

// webUnits is systemd with an Apache, which really runs.
type webUnits struct{ runningUnits }

const (
	apacheService = "apache2.service"
	apacheConf    = "/etc/apache2/apache2.conf"
	gatewayINI    = "/opt/webgateway/bin/CSP.ini"
	webPassword   = "canary-web-3Kd"
)

func apache(verb string) error {
	out, err := host.Command{Path: "/usr/sbin/apache2", Args: []string{"-f", apacheConf, "-k", verb}}.Run(context.Background())
	if err != nil {
		return fmt.Errorf("%w: %s", err, out.Stderr)
	}
	return nil
}

func (u webUnits) Start(ctx context.Context, name string) error {
	if name != apacheService {
		return u.runningUnits.Start(ctx, name)
	}
	if err := u.note("start", name); err != nil || u.active[name] {
		return err
	}
	u.active[name] = true
	if err := apache("start"); err != nil {
		return err
	}
	// The service is of the type that has begun when its pid file is there.
	if !poll(ctx, 20*time.Millisecond, time.Minute, func() bool { return exists("/run/apache2/pid") && !portFree() }) {
		return errors.New("Apache does not begin")
	}
	return nil
}

func (u webUnits) Stop(ctx context.Context, name string) error {
	if name != apacheService {
		return u.runningUnits.Stop(ctx, name)
	}
	if err := u.note("stop", name); err != nil || !u.active[name] {
		return err
	}
	u.active[name] = false
	if err := apache("stop"); err != nil {
		return err
	}
	if !poll(ctx, 20*time.Millisecond, time.Minute, portFree) { // systemd waits too
		return errors.New("Apache does not end")
	}
	return nil
}

func (u webUnits) Restart(ctx context.Context, name string) error {
	if name != apacheService {
		return u.runningUnits.Restart(ctx, name)
	}
	if err := u.Stop(ctx, name); err != nil {
		return err
	}
	return u.Start(ctx, name)
}

func (u webUnits) ReloadUnit(_ context.Context, name string) error {
	if err := u.note("reload", name); err != nil || name != apacheService {
		return err
	}
	return apache("graceful")
}

// portFree says that Apache, and all its processes, have ended.
func portFree() bool {
	l, err := net.Listen("tcp", ":80")
	if err != nil {
		return false
	}
	return l.Close() == nil
}

// leastApache writes the least configuration that Apache runs with.
func leastApache(t *testing.T) string {
	t.Helper()
	var modules string
	for _, m := range []string{"mpm_event", "authz_core", "mime"} {
		modules += fmt.Sprintf("LoadModule %s_module /usr/lib/apache2/modules/mod_%s.so\n", m, m)
	}
	text := "ServerRoot /etc/apache2\nServerName localhost\nListen 80\nUser www-data\nGroup www-data\nPidFile /run/apache2/pid\n" +
		"ErrorLog /var/log/apache2/error.log\n" + modules + "TypesConfig /dev/null\nDocumentRoot /var/www/html\n"
	for _, dir := range []string{"/etc/apache2", "/var/www/html", "/var/log/apache2", "/run/apache2"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(apacheConf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return text
}

// TestTheLifeOfAWebGateway installs a gateway in a real Apache in front of two
// instances, gives it servers, takes them away, and takes all of it back.
func TestTheLifeOfAWebGateway(t *testing.T) {
	for _, program := range []string{"apxs", "gcc", "/usr/sbin/apache2"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("needs %s; scripts/deps installs apache2-dev and apache2-bin", program)
		}
	}
	if scratch(t) {
		gatewayLife(t)
	}
}

// site is a node with a gateway and the instances behind it.
type site struct {
	*life
	servers []kind.GatewayServer
	install kind.Gateway
}

func (s *site) config(paths ...kind.GatewayPath) kind.GatewayConfig {
	return kind.GatewayConfig{Servers: s.servers, Paths: paths, PasswordSecret: "web"}
}

// answers expects a page to come from an instance.
func (s *site) answers(path, instance string) {
	s.t.Helper()
	page := kind.GatewayPage{Path: path, Want: "instance " + instance + " ", Seconds: 60}
	if err := s.kinds[kind.GatewayCheck].Do(s.t.Context(), s.task(kind.GatewayCheck, page)); err != nil {
		log, _ := os.ReadFile("/var/log/apache2/error.log")
		s.t.Fatalf("%v\n%s", err, log)
	}
}

// spread counts which instances answer n requests.
func (s *site) spread(path string, n int) map[string]int {
	s.t.Helper()
	got := map[string]int{}
	for range n {
		page, err := webgateway.Page(s.t.Context(), 80, path)
		if err != nil {
			s.t.Fatal(err)
		}
		got[strings.Fields(page)[1]]++
	}
	return got
}

func (s *site) newChange() { s.envs = map[string]*enginetest.Env{} }

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func newSite(t *testing.T) (*site, member, member) {
	l := newLife(t)
	l.d.Units = webUnits{l.units}
	l.kinds = Kinds(l.d)
	l.secrets["web"] = webPassword
	a, b := newMember(t, l, "A", "2023.1.1.380.0", 41001), newMember(t, l, "B", "2023.1.1.380.0", 41002)
	name := "WebGateway-2023.1.1.380.0-lnxubuntu2204x64.tar.gz"
	s := &site{life: l, install: kind.Gateway{Version: "2023.1.1.380.0",
		Kit: kind.Kit{URL: "file://" + scratchKits + "/" + name, Name: name, Platform: "lnxubuntu2204x64"}}}
	for _, m := range []member{a, b} {
		s.servers = append(s.servers, kind.GatewayServer{Name: "NODE-" + m.inst.Name, Address: "127.0.0.1", Port: m.port})
	}
	s.do(kind.KitFetch, s.install.Kit)
	s.do(kind.KitUnpack, s.install.Kit)
	return s, a, b
}

// older is the kit that is upgraded from, unpacked.
func (s *site) older() kind.Gateway {
	a := s.install
	a.Version = "2023.1.0.235.1"
	a.Kit.Name = strings.Replace(a.Kit.Name, s.install.Version, a.Version, 1)
	a.Kit.URL = strings.Replace(a.Kit.URL, s.install.Version, a.Version, 1)
	s.do(kind.KitFetch, a.Kit)
	s.do(kind.KitUnpack, a.Kit)
	return a
}

func gatewayLife(t *testing.T) {
	// Without Apache it is refused before anything is changed.
	s, a, b := newSite(t)
	if look := s.satisfied(kind.GatewayInstall, s.install); !strings.Contains(look.Refused, "no Apache") || look.Hint == "" {
		t.Errorf("without Apache: %+v", look)
	}
	before := leastApache(t)
	s.do(kind.GatewayInstall, s.install)
	s.undo(kind.GatewayInstall, s.install)
	s.isGone(before)
	s.newChange()
	s.do(kind.GatewayInstall, s.older())
	s.newChange()
	s.do(kind.GatewayInstall, s.install)
	s.undo(kind.GatewayInstall, s.install) // an upgrade, which leaves one there
	if look := s.satisfied(kind.GatewayInstall, s.install); !look.Satisfied {
		t.Errorf("after an upgrade was undone there is none: %+v", look)
	}
	if n := strings.Count(read(t, apacheConf), "BEGIN-ApacheCSP-SECTION"); n != 1 {
		t.Errorf("Apache's configuration has %d sections", n)
	}
	for _, m := range []member{a, b} {
		s.do(kind.IRISUser, kind.User{Instance: m.inst, Name: "CSPSystem", PasswordSecret: "web"})
	}
	s.serves(a, b)
	s.changesItsMind(b)
	s.speaksTLS(a)
	s.do(kind.GatewayRemove, s.install)
	s.isGone(before)
	s.staysWhenItWasThere(before)
	s.do(kind.KitRemove, s.install.Kit)
}

// serves asks for pages by each of the guide's ways to choose a server.
func (s *site) serves(a, b member) {
	t := s.t
	t.Helper()
	spread := s.config(kind.GatewayPath{Path: "/csp", Servers: []string{"NODE-A"}}, kind.GatewayPath{Path: "/Acme/", Servers: []string{"NODE-A", "NODE-B"}})
	s.do(kind.GatewayConfigure, spread)
	s.answers("/csp/user/whoami", "A")
	s.answers("/acme/user/whoami", "A")
	s.answers("/acme/user/whoami", "B")
	if got := s.spread("/acme/user/whoami", 8); got["A"] != 4 || got["B"] != 4 {
		t.Errorf("in turn they answered %v", got)
	}
	if got := s.spread("/csp/user/whoami", 4); got["A"] != 4 {
		t.Errorf("/csp is answered by %v", got)
	}
	over := s.config(kind.GatewayPath{Path: "/csp", Servers: []string{"NODE-A"}}, kind.GatewayPath{Path: "/acme", Servers: []string{"NODE-B", "NODE-A"}, Mode: kind.FailOver})
	s.do(kind.GatewayConfigure, over)
	if got := s.spread("/acme/user/whoami", 4); got["B"] != 4 {
		t.Errorf("with FailOver they answered %v", got)
	}
	stop := kind.Start{Instance: b.inst, Seconds: 60, Clean: true}
	s.do(kind.IRISStop, stop)
	s.answers("/acme/user/whoami", "A")
	s.undo(kind.IRISStop, stop)
	s.answers("/acme/user/whoami", "B")
	if st, err := os.Stat(gatewayINI); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("CSP.ini: %v, %v", st.Mode(), err)
	}
	noPasswordOnNode(t, webPassword, "/opt/webgateway", "/etc", "/var/lib/icm-agent", a.inst.Dir, b.inst.Dir)
}

// changesItsMind takes a server away, takes that back, and changes the password.
func (s *site) changesItsMind(b member) {
	t := s.t
	t.Helper()
	two := s.servers
	alone := s.config(kind.GatewayPath{Path: "/other", Servers: []string{"NODE-B"}})
	alone.Servers = two[1:]
	had, conf := read(t, gatewayINI), read(t, apacheConf)
	s.do(kind.GatewayConfigure, alone)
	s.answers("/other/user/whoami", "B")
	s.answers("/csp/user/whoami", "B") // "/" has what no other path has
	for _, gone := range []string{"NODE-A", "/acme"} {
		if strings.Contains(read(t, gatewayINI)+read(t, apacheConf), gone) {
			t.Errorf("%s is left over:\n%s", gone, read(t, gatewayINI))
		}
	}
	s.undo(kind.GatewayConfigure, alone)
	s.answers("/acme/user/whoami", "B")
	if got := strings.ReplaceAll(read(t, gatewayINI), "RELOAD=1\n", ""); got != had || read(t, apacheConf) != conf {
		t.Errorf("after the undo CSP.ini is\n%s\nnot\n%s\nand Apache has\n%s", got, had, read(t, apacheConf))
	}
	s.newChange()
	s.secrets["web"] = "canary-web-new"
	alone.Mark = "2"
	s.do(kind.IRISUser, kind.User{Instance: b.inst, Name: "CSPSystem", PasswordSecret: "web", Mark: "2"})
	s.do(kind.GatewayConfigure, alone)
	s.answers("/other/user/whoami", "B")
	// Being told the same again, as after an upgrade, needs no password.
	s.newChange()
	delete(s.secrets, "web")
	if err := s.kinds[kind.GatewayConfigure].Do(t.Context(), s.task(kind.GatewayConfigure, alone)); err != nil {
		t.Errorf("the same again: %v", err)
	}
	s.undo(kind.GatewayConfigure, alone) // nothing was done
	s.secrets["web"] = "canary-web-new"
}

// speaksTLS puts TLS between the gateway and a server, which is another one once
// the gateway trusts another authority.
func (s *site) speaksTLS(a member) {
	t := s.t
	t.Helper()
	const dir = "/etc/icm-agent/tls-test"
	s.newChange()
	files := kind.TLS{Dir: dir, Owner: "irisowner", Group: "irisusr"}
	s.secrets["ca"], s.secrets["cert"], s.secrets["key"] = certificates(t)
	for name, f := range map[string]*kind.SecretFile{"ca": &files.CA, "cert": &files.Certificate, "key": &files.Key} {
		*f = kind.SecretFile{Secret: name, SHA256: fmt.Sprintf("%x", sha256.Sum256([]byte(s.secrets[name])))}
	}
	s.do(kind.TLSInstall, files)
	serve := kind.SuperServer{Instance: a.inst, Dir: dir}
	s.do(kind.IRISTLS, serve)
	s.undo(kind.IRISTLS, serve)
	if look := s.satisfied(kind.IRISTLS, serve); look.Satisfied || look.Diffs[0].Before != "without TLS" {
		t.Errorf("after the undo: %+v", look)
	}
	s.newChange()
	s.do(kind.IRISTLS, serve)
	s.do(kind.IRISUser, kind.User{Instance: a.inst, Name: "CSPSystem", PasswordSecret: "web", Mark: "3"})
	secure := s.config(kind.GatewayPath{Path: "/tls", Servers: []string{"NODE-A"}})
	secure.TLSDir, secure.Mark = dir, "3"
	s.do(kind.GatewayConfigure, secure)
	s.answers("/tls/user/whoami", "A")
	other, _, _ := certificates(t)
	if err := os.WriteFile(dir+"/CAFile.pem", []byte(other), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := apache("stop"); err != nil || !poll(t.Context(), 20*time.Millisecond, time.Minute, portFree) {
		t.Fatal(err)
	}
	s.units.active[apacheService] = false
	if err := s.d.Units.Start(t.Context(), apacheService); err != nil {
		t.Fatal(err)
	}
	if page, err := webgateway.Page(t.Context(), 80, "/tls/user/whoami"); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("a server of another authority answered: %q, %v", page, err)
	}
}

// certificates makes an authority and a certificate of it.
func certificates(t *testing.T) (ca, cert, key string) {
	t.Helper()
	block := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	template := func(name string, authority bool) *x509.Certificate {
		return &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
			IsCA: authority, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ownKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	authority, leaf := template("authority", true), template("node", false)
	caDER, err := x509.CreateCertificate(rand.Reader, authority, authority, &caKey.PublicKey, caKey)
	if err != nil {
		t.Fatal(err)
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, authority, &ownKey.PublicKey, caKey)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(ownKey)
	if err != nil {
		t.Fatal(err)
	}
	return block("CERTIFICATE", caDER), block("CERTIFICATE", leafDER), block("PRIVATE KEY", keyDER)
}

// staysWhenItWasThere: of a gateway that came otherwise only what icm wrote is
// taken away.
func (s *site) staysWhenItWasThere(before string) {
	t := s.t
	t.Helper()
	s.newChange()
	s.do(kind.GatewayInstall, s.install)
	if err := os.Remove(webgateway.RecordPath(s.d.Home)); err != nil {
		t.Fatal(err)
	}
	ini, conf := read(t, gatewayINI), read(t, apacheConf)
	s.newChange()
	s.do(kind.GatewayConfigure, s.config(kind.GatewayPath{Path: "/acme", Servers: []string{"NODE-A", "NODE-B"}}))
	s.do(kind.GatewayRemove, s.install)
	if read(t, apacheConf) != conf || conf == before {
		t.Errorf("Apache has\n%s\nnot\n%s", read(t, apacheConf), conf)
	}
	if got := read(t, gatewayINI); strings.Contains(got, "NODE-") || !strings.Contains(got, strings.TrimSpace(strings.Split(ini, "[SYSTEM_INDEX]")[0])) {
		t.Errorf("CSP.ini is\n%s\nand was\n%s", got, ini)
	}
	if err := apache("stop"); err != nil {
		t.Error(err)
	}
}

// isGone expects the node to be as it was before the gateway came.
func (s *site) isGone(before string) {
	s.t.Helper()
	if got := read(s.t, apacheConf); got != before {
		s.t.Errorf("Apache's configuration is\n%s\nnot\n%s", got, before)
	}
	for _, path := range []string{"/opt/webgateway", webgateway.RecordPath(s.d.Home), filepath.Join(s.d.Home, "gateway")} {
		if exists(path) {
			s.t.Errorf("%s is left over", path)
		}
	}
	if s.units.active[apacheService] || s.units.enabled[apacheService] {
		s.t.Error("Apache runs still")
	}
}
