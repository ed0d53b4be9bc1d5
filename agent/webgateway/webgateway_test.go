package webgateway

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"icm/internal/cpf"
	"icm/internal/kind"
	"icm/internal/secret"
)

func server(name string) kind.GatewayServer {
	return kind.GatewayServer{Name: name, Address: "10.0.0.1", Port: 1972}
}

func three() kind.GatewayConfig {
	return kind.GatewayConfig{Servers: []kind.GatewayServer{server("AM-1"), server("AM-2"), server("AM-3")}, PasswordSecret: "p"}
}

// apply writes a configuration and expects nothing to be missing afterwards.
func apply(t *testing.T, text string, c kind.GatewayConfig, r Record) (string, Record) {
	t.Helper()
	f := cpf.Parse([]byte(text))
	if err := Check(c); err != nil {
		t.Fatal(err)
	}
	if len(Missing(f, c, r)) == 0 {
		t.Error("nothing is missing before")
	}
	r, err := Apply(f, c, r, secret.New("s3cret"))
	if err != nil {
		t.Fatal(err)
	}
	if left := Missing(f, c, r); len(left) > 0 {
		t.Errorf("missing afterwards: %v", left)
	}
	again := string(f.Bytes())
	if r, err = Apply(f, c, r, secret.New("s3cret")); err != nil || string(f.Bytes()) != again {
		t.Errorf("a second time changes it: %v\n%s", err, f.Bytes())
	}
	return again, r
}

// TestServersAreAsTheTableOfTheGuideHasThem is section 4.2.7: each gateway has
// another default server, and the others are its alternatives.
func TestServersAreAsTheTableOfTheGuideHasThem(t *testing.T) {
	for _, row := range [][]string{{"AM-1", "AM-2", "AM-3"}, {"AM-2", "AM-1", "AM-3"}, {"AM-3", "AM-1", "AM-2"}} {
		c := three()
		c.Paths = []kind.GatewayPath{{Path: "/acme/", Servers: row}}
		text, _ := apply(t, "", c, Record{})
		f := cpf.Parse([]byte(text))
		for key, want := range map[string]string{"Default_Server": row[0], "Alternative_Servers": "LoadBalancing",
			"Alternative_Server_0": "1~~~~~~" + row[0], "Alternative_Server_1": "1~~~~~~" + row[1], "Alternative_Server_2": "1~~~~~~" + row[2]} {
			if got, _ := f.Get("APP_PATH:/acme", key); got != want {
				t.Errorf("%v: %s is %q, want %q", row, key, got, want)
			}
		}
		if got, _ := f.Get("APP_PATH:/", "Default_Server"); got != row[0] {
			t.Errorf("the path / has %q", got)
		}
	}
}

func TestWhatOthersWroteStays(t *testing.T) {
	const theirs = "; by hand\n[SYSTEM]\nSystem_Manager=127.0.0.1\n[SYSTEM_INDEX]\nLOCAL=Enabled\n[LOCAL]\nIp_Address=127.0.0.1\nPassword=]]]U1lT\n\n[APP_PATH_INDEX]\n/hand=Enabled\n[APP_PATH:/hand]\nDefault_Server=LOCAL\n"
	c := three()
	c.Paths = []kind.GatewayPath{{Path: "/acme", Servers: []string{"AM-1", "AM-2", "AM-3"}}, {Path: "/csp", Servers: []string{"AM-1"}}}
	text, rec := apply(t, theirs, c, Record{})
	c.Servers, c.Paths = c.Servers[:2], []kind.GatewayPath{{Path: "/acme", Servers: []string{"AM-2", "AM-1"}, Mode: kind.FailOver}}
	text, rec = apply(t, text, c, rec)
	for _, gone := range []string{"AM-3", "/csp", "Alternative_Server_2"} {
		if strings.Contains(text, gone) {
			t.Errorf("%s is left over:\n%s", gone, text)
		}
	}
	f := cpf.Parse([]byte(text))
	TakeOut(f, rec)
	if got := string(f.Bytes()); got != theirs {
		t.Errorf("after all of ours was taken out:\n%s\nnot\n%s", got, theirs)
	}
}

func TestThePasswordIsNotInTheClear(t *testing.T) {
	text, _ := apply(t, "", three(), Record{})
	if strings.Contains(text, "s3cret") || !strings.Contains(text, "Password=]]]czNjcmV0\n") {
		t.Error(text)
	}
	// Without a mark it is set once; with another mark it is set anew.
	c := three()
	f := cpf.Parse([]byte(text))
	if left := Missing(f, c, Record{Mark: "1"}); len(left) > 0 {
		t.Errorf("without a mark: %v", left)
	}
	c.Mark = "2"
	if left := Missing(f, c, Record{Mark: "1"}); len(left) != 1 {
		t.Errorf("with another mark: %v", left)
	}
}

func TestServersAreSpokenToOverTLSAndMirrorsFollowed(t *testing.T) {
	c := three()
	c.TLSDir, c.User = "/etc/icm-agent/tls", "Gate"
	c.Servers[0].MirrorAware = true
	text, _ := apply(t, "", c, Record{})
	f := cpf.Parse([]byte(text))
	for key, want := range map[string]string{"Connection_Security_Level": "4", "SSLCC_CA_Certificate": "/etc/icm-agent/tls/CAFile.pem",
		"SSLCC_Private_Key": "/etc/icm-agent/tls/PrivateKeyFile.pem", "SSLCC_Verify_Peer": "1", "Mirror_Aware": "1", "Username": "Gate"} {
		if got, _ := f.Get("AM-1", key); got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	if got, _ := f.Get("AM-2", "Mirror_Aware"); got != "0" {
		t.Errorf("AM-2 is mirror-aware: %q", got)
	}
}

func TestWhatCSPINICannotHoldIsRefused(t *testing.T) {
	for words, spoil := range map[string]func(*kind.GatewayConfig){
		"no server":               func(c *kind.GatewayConfig) { c.Servers = nil },
		"name of a Web Gateway's": func(c *kind.GatewayConfig) { c.Servers[0].Name = "A]\nB" },
		`use "system_index"`:      func(c *kind.GatewayConfig) { c.Servers[0].Name = "system_index" },
		"are no address":          func(c *kind.GatewayConfig) { c.Servers[0].Address = "a b" },
		"port 0 are":              func(c *kind.GatewayConfig) { c.Servers[0].Port = 0 },
		"application path":        func(c *kind.GatewayConfig) { c.Paths = []kind.GatewayPath{{Path: "/a\">", Servers: []string{"AM-1"}}} },
		"it has no server":        func(c *kind.GatewayConfig) { c.Paths = []kind.GatewayPath{{Path: "/a"}} },
		"X is no server":          func(c *kind.GatewayConfig) { c.Paths = []kind.GatewayPath{{Path: "/a", Servers: []string{"X"}}} },
		"LoadBalancing or FailOver": func(c *kind.GatewayConfig) {
			c.Paths = []kind.GatewayPath{{Path: "/a", Servers: []string{"AM-1"}, Mode: "Random"}}
		},
		`use "acme" as an application`: func(c *kind.GatewayConfig) { c.Paths = []kind.GatewayPath{{Path: "acme", Servers: []string{"AM-1"}}} },
	} {
		c := three()
		spoil(&c)
		if err := Check(c); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%v, want %q", err, words)
		}
	}
}

func TestSectionsOfApacheAreReplacedAndCut(t *testing.T) {
	const plain = "Listen 80\n\n# the end\n"
	const kits = "\n#### BEGIN-ApacheCSP-SECTION ####\nLoadModule x\n#### END-ApacheCSP-SECTION ####\n\n#### BEGIN-ApacheCSP-SECTION-IRIS1 ####\ny\n#### END-ApacheCSP-SECTION-IRIS1 ####\n"
	c := three()
	c.Paths = []kind.GatewayPath{{Path: "/acme", Servers: []string{"AM-1"}}, {Path: "/csp", Servers: []string{"AM-1"}}}
	text := plain + kits
	for _, body := range []string{Locations(c), "other\n", "other\n"} {
		var err error
		if text, err = PutSection(text, body); err != nil || Section(text) != body || strings.Count(text, "BEGIN-icm-SECTION") != 1 {
			t.Fatalf("%v\n%s", err, text)
		}
	}
	if got, err := PutSection(text, ""); err != nil || got != plain+kits {
		t.Errorf("without ours: %v\n%s", err, got)
	}
	if got, err := CutSections(text + "AddedLater on\n"); err != nil || got != plain+"\nAddedLater on\n" {
		t.Errorf("without all: %v\n%s", err, got)
	}
	if _, err := CutSections(plain + "#### BEGIN-ApacheCSP-SECTION ####\nx\n"); err == nil || !strings.Contains(err.Error(), "no end") {
		t.Errorf("a section without an end: %v", err)
	}
	if got := Locations(c); !strings.Contains(got, `<Location "/acme">`) || strings.Contains(got, `"/csp"`) {
		t.Errorf("locations: %s", got)
	}
}

func TestApacheIsFoundWhereDistributionsHaveIt(t *testing.T) {
	for conf, want := range map[string]string{"etc/apache2/apache2.conf": "www-data", "etc/httpd/conf/httpd.conf": "apache", "etc/apache2/httpd.conf": "wwwrun"} {
		root := t.TempDir()
		put(t, filepath.Join(root, conf))
		if got, ok := FindApache(root); ok {
			t.Errorf("%s without a program is %+v", conf, got)
		}
		put(t, filepath.Join(root, "usr/sbin/apache2"))
		put(t, filepath.Join(root, "usr/sbin/httpd"))
		if got, ok := FindApache(root); !ok || got.User != want {
			t.Errorf("%s is %+v, %v", conf, got, ok)
		}
	}
}

func put(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestAPageIsReadOrItsTroubleTold(t *testing.T) {
	for answer, words := range map[string]string{
		"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\ninstance A is here\n": "",
		"HTTP/1.1 200 OK\n\ninstance B\n":                                         "does not say",
		"HTTP/1.1 503 No\r\n\r\nServer Availability Error\r\n":                    "status 503: Server Availability Error",
		"SSH-2.0-OpenSSH\r\n":                                                     "does not speak HTTP",
		"HTTP/1.0 OK\r\n\r\n":                                                     "does not speak HTTP",
		"":                                                                        "without an answer",
		"HTTP/1.0 200 OK\r\nContent":                                              "too early",
	} {
		err := Answers(t.Context(), kind.GatewayPage{Port: says(t, answer), Path: "/csp/x", Want: "instance A "})
		if words == "" && err != nil || words != "" && (err == nil || !strings.Contains(err.Error(), words)) {
			t.Errorf("%q: %v, want %q", answer, err, words)
		}
	}
	if _, err := Page(t.Context(), 80, "/a b"); err == nil || !strings.Contains(err.Error(), "no path") {
		t.Errorf("a path with a blank: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Page(ctx, 80, "/"); err == nil {
		t.Error("a cancelled question was answered")
	}
}

// says is the port of a server that answers everything with a text.
func says(t *testing.T, text string) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 1024))
			_, _ = fmt.Fprint(c, text)
			_ = c.Close()
		}
	}()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	n, _ := strconv.Atoi(port)
	return n
}

func TestARecordOfANewerAgentIsRefused(t *testing.T) {
	home := t.TempDir()
	if _, known, err := ReadRecord(home); known || err != nil {
		t.Errorf("no record: %v, %v", known, err)
	}
	want := Record{Dir: "/opt/webgateway", Servers: []string{"A"}}
	if err := want.Write(home); err != nil {
		t.Fatal(err)
	}
	if got, known, err := ReadRecord(home); !known || err != nil || got.Dir != want.Dir {
		t.Errorf("%+v, %v, %v", got, known, err)
	}
	if err := os.WriteFile(RecordPath(home), []byte(`{"format":99}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := ReadRecord(home); err == nil || !strings.Contains(err.Error(), "newer") {
		t.Errorf("a newer record: %v", err)
	}
}

// FuzzAnswer: whatever a web server says, it is read or refused.
func FuzzAnswer(f *testing.F) {
	f.Add("HTTP/1.1 200 OK\r\nA: b\r\n\r\nbody")
	f.Add("HTTP/1.1 200")
	f.Fuzz(func(t *testing.T, text string) {
		if _, body, err := readAnswer(strings.NewReader(text)); err == nil && !strings.HasSuffix(text, body) && len(text) <= maxPage {
			t.Errorf("the body %q is not the end of %q", body, text)
		}
	})
}
