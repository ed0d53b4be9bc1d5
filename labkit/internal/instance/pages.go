package instance

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"icm/labkit/internal/control"
	"icm/labkit/internal/passhash"
	"icm/labkit/internal/store"
)

// Page is one request for a page, from a web server or a gateway.
type Page struct {
	User, Password string // of a gateway
	// Primary refuses an answer by anybody but the primary of a mirror.
	Primary           bool
	Method, Path      string
	Query, Body, From string
}

// PageReply is the page.
type PageReply struct {
	Status int
	Type   string
	Body   string
	// By is who answered, Wrote who acknowledged a write.
	By, Wrote control.Receipt
	// Elsewhere are addresses of other members of the mirror. With the status
	// "misdirected request" a primary was wanted, and this instance is not it.
	Elsewhere []string
}

func textReply(status int, format string, args ...any) PageReply {
	return PageReply{Status: status, Type: "text/plain; charset=utf-8", Body: fmt.Sprintf(format, args...)}
}

// Headers tell clients of a web server who answered and who acknowledged.
func (r PageReply) Headers() map[string]string {
	out := map[string]string{"Content-Type": r.Type}
	for name, receipt := range map[string]control.Receipt{control.ByHeader: r.By, control.WroteHeader: r.Wrote} {
		if receipt.Server != "" {
			out[name] = receipt.String()
		}
	}
	return out
}

// page answers what a program of the application would.
func (i *Instance) page(p Page) PageReply {
	reply := i.program(p)
	reply.By = i.receipt(i.mirror.reign())
	return reply
}

func (i *Instance) program(p Page) PageReply {
	p.Path = i.withoutInstance(p.Path)
	switch path.Base(p.Path) {
	case "whoami":
		s := control.LoadState(i.mgr())
		return textReply(200, "instance %s node %s version %s port %s mirror %q\n", i.reg.Name, hostname(), i.rel.Version, i.get("Startup", "DefaultPort"), s.MirrorStatus)
	case "records":
		return i.recordsPage(p)
	case "isc_status.cxw":
		return textReply(200, "SUCCESS\n")
	case "mirror_status.cxw":
		if !i.mirror.isPrimary() {
			return textReply(http.StatusServiceUnavailable, "FAILED\n")
		}
		return textReply(200, "SUCCESS\n")
	case "UtilHome.csp":
		return PageReply{Status: 200, Type: "text/html; charset=utf-8",
			Body: fmt.Sprintf("<html><head><title>Management Portal (stand-in)</title></head><body><h1>%s on %s</h1><p>%s</p></body></html>\n", i.reg.Name, hostname(), i.rel.ZVersion())}
	}
	return textReply(http.StatusNotFound, "CSP error 5004: no page %s on %s\n", p.Path, i.reg.Name)
}

// withoutInstance takes the instance's name off a path such as /iris/csp/sys.
func (i *Instance) withoutInstance(p string) string {
	if rest, ok := strings.CutPrefix(strings.ToUpper(p), "/"+i.reg.Name+"/CSP"); ok {
		return p[len(p)-len(rest)-len("/csp"):]
	}
	return p
}

// recordsPage reads and writes ^records(key) of a namespace: the one asked
// for, or that of the application's path, such as USER for /csp/user.
func (i *Instance) recordsPage(p Page) PageReply {
	query, err := url.ParseQuery(p.Query)
	if err != nil {
		return textReply(http.StatusBadRequest, "cannot read the query: %v\n", err)
	}
	ns := query.Get("ns")
	if ns == "" {
		ns = path.Base(path.Dir(p.Path))
		if _, known := i.Namespace(ns); !known {
			ns = "USER"
		}
	}
	ns, known := i.Namespace(ns)
	if known && query.Has("all") {
		return i.allRecords(ns)
	}
	if !known || query.Get("key") == "" {
		return textReply(http.StatusBadRequest, "a namespace that exists and a key are needed\n")
	}
	key := store.Key("records", query.Get("key"))
	if p.Method == http.MethodPost || p.Method == http.MethodPut {
		wrote, err := i.write(ns, key, p.Body)
		if err != nil {
			return textReply(http.StatusInternalServerError, "cannot write: %v\n", err)
		}
		reply := textReply(200, "written by %s on %s\n", i.reg.Name, hostname())
		reply.Wrote = wrote
		return reply
	}
	value, found, err := i.Get(ns, key)
	switch {
	case err != nil:
		return textReply(http.StatusInternalServerError, "cannot read: %v\n", err)
	case !found:
		return textReply(http.StatusNotFound, "no such record\n")
	}
	return PageReply{Status: 200, Type: "text/plain; charset=utf-8", Body: value}
}

// allRecords is ^records of a namespace as JSON.
func (i *Instance) allRecords(ns string) PageReply {
	prefix := store.Key("records")
	out := map[string]string{}
	for after := prefix; ; {
		keys, values, err := i.records(ns, prefix, after, 1000)
		if err != nil {
			return textReply(http.StatusInternalServerError, "cannot read: %v\n", err)
		}
		for n, key := range keys {
			after = key
			if sub, _, ok := store.FirstSub(key, prefix); ok {
				out[sub] = values[n]
			}
		}
		if len(keys) == 0 {
			break
		}
	}
	data, err := json.Marshal(out)
	if err != nil {
		return textReply(http.StatusInternalServerError, "cannot answer: %v\n", err)
	}
	return PageReply{Status: 200, Type: "application/json", Body: string(data)}
}

// gatewayPage answers a gateway, which has to sign on.
func (i *Instance) gatewayPage(p Page) PageReply {
	service := "%Service_WebGateway"
	i.mu.Lock()
	svc := i.security.service(service)
	auth, _ := strconv.Atoi(svc["AutheEnabled"])
	_, acct := i.security.user(p.User)
	i.mu.Unlock()
	switch {
	case svc["Enabled"] != "1":
		return textReply(http.StatusForbidden, "Access Denied: %s is not enabled\n", service)
	case auth&authNone == 0 && (acct == nil || !i.knows(acct, p.Password)):
		return textReply(http.StatusForbidden, "Access Denied: the gateway's user name or password is wrong\n")
	}
	others := addresses(i.mirror.others())
	if p.Primary && !i.mirror.isPrimary() && len(others) > 0 {
		return PageReply{Status: http.StatusMisdirectedRequest, Elsewhere: others}
	}
	reply := i.page(p)
	reply.Elsewhere = others
	return reply
}

// knows checks a password, and remembers one that was right: hashing is slow.
func (i *Instance) knows(acct *account, password string) bool {
	key := acct.Hash + "\x00" + password
	if _, ok := i.proven.Load(key); ok {
		return true
	}
	if !passhash.Matches(acct.Hash, password) {
		return false
	}
	i.proven.Store(key, true)
	return true
}

// Server is a connection of a gateway to an instance.
type Server struct{ l *link }

// DialServer connects to a super-server; a nil conf is no TLS.
func DialServer(addr string, conf *tls.Config) (*Server, error) {
	i := &Instance{dial: func(addr string, limit time.Duration) (net.Conn, error) { return net.DialTimeout("tcp", addr, limit) }}
	var l *link
	var err error
	if conf == nil {
		l, err = i.dialLink(addr)
	} else {
		l, err = i.dialTLS(addr, conf)
	}
	if err != nil {
		return nil, err
	}
	return &Server{l}, nil
}

// Ask asks for a page within limit.
func (s *Server) Ask(p Page, limit time.Duration) (PageReply, error) {
	s.l.limit = limit
	m, err := s.l.ask(message{Op: "page", Page: &p})
	if err == nil && m.Reply == nil {
		err = errors.New("the server does not know gateways: " + m.Error)
	}
	if err != nil {
		return PageReply{}, err
	}
	return *m.Reply, nil
}

// Close ends the connection.
func (s *Server) Close() { s.l.conn.Close() }
