package gateway

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"icm/labkit/internal/control"
	"icm/labkit/internal/instance"
)

// Gateway answers the requests of one web server.
type Gateway struct {
	path string // of CSP.ini
	id   string // of this process, for clients that want to notice restarts
	turn atomic.Uint64

	mu      sync.Mutex
	conf    ini
	lastErr error
	idle    map[string][]*instance.Server // by address
	members map[string][]string           // addresses of a mirror by server name, the last primary first
}

// New reads CSP.ini in dir. A file that cannot be read is told in pages.
func New(dir string) *Gateway {
	g := &Gateway{path: filepath.Join(dir, "CSP.ini"), id: rand.Text(), idle: map[string][]*instance.Server{}, members: map[string][]string{}}
	g.conf, g.lastErr = load(g.path)
	return g
}

// Serve answers on l until ctx is cancelled.
func (g *Gateway) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{Handler: g, ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	err := server.Serve(l)
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// current is the configuration in force: the file is looked at again only
// when it asks for that.
func (g *Gateway) current() (ini, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	data, err := os.ReadFile(g.path)
	if err == nil && (g.conf == nil || parseINI(string(data)).reloadAsked()) {
		g.conf, g.lastErr = load(g.path)
		g.members = map[string][]string{}
	}
	if g.conf == nil {
		return nil, errors.Join(g.lastErr, err)
	}
	return g.conf, nil
}

func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	conf, err := g.current()
	if err != nil {
		http.Error(w, "Web Gateway (stand-in): cannot read CSP.ini: "+err.Error(), http.StatusInternalServerError)
		return
	}
	if strings.HasPrefix(strings.ToLower(r.URL.Path), "/csp/bin/") {
		g.management(w, r, conf)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	p := instance.Page{Method: r.Method, Path: path.Clean(r.URL.Path), Query: r.URL.RawQuery, Body: string(body), From: r.Header.Get("X-Forwarded-For")}
	way, err := conf.route(p.Path, g.turn.Add(1)-1)
	if err != nil {
		http.Error(w, "Web Gateway (stand-in): "+err.Error(), http.StatusNotFound)
		return
	}
	var problems []error
	for _, name := range way.servers {
		reply, err := g.ask(conf, name, p)
		if err == nil {
			for name, value := range reply.Headers() {
				w.Header().Set(name, value)
			}
			w.Header().Set(control.GatewayHeader, g.id)
			w.Header().Set("X-Standin-Server", name)
			w.WriteHeader(reply.Status)
			io.WriteString(w, reply.Body)
			return
		}
		problems = append(problems, fmt.Errorf("%s: %w", name, err))
	}
	http.Error(w, "Web Gateway (stand-in): Server Availability Error\n"+errors.Join(problems...).Error(), http.StatusServiceUnavailable)
}

// management is the systems page, for those whom System_Manager lets in.
func (g *Gateway) management(w http.ResponseWriter, r *http.Request, conf ini) {
	from, allowed := r.Header.Get("X-Forwarded-For"), conf.get("SYSTEM", "System_Manager")
	local := from == "" || from == "127.0.0.1" || from == "::1"
	if !local && allowed != "*.*.*.*" && !strings.Contains(","+allowed+",", ","+from+",") {
		http.Error(w, "You are not authorized to use this facility", http.StatusForbidden)
		return
	}
	fmt.Fprintln(w, "Web Gateway Management (stand-in)")
	for name := range conf["SYSTEM_INDEX"] {
		fmt.Fprintf(w, "server %s %s:%s\n", name, conf.get(name, "Ip_Address"), conf.get(name, "TCP_Port"))
	}
}

// ask asks one server; with Mirror_Aware, the primary of its mirror.
func (g *Gateway) ask(conf ini, name string, p instance.Page) (instance.PageReply, error) {
	limit := 60 * time.Second
	if n, err := strconv.Atoi(conf.get("SYSTEM", "Server_Response_Timeout")); err == nil && n > 0 {
		limit = time.Duration(n) * time.Second
	}
	p.User, p.Password = conf.get(name, "Username"), password(conf.get(name, "Password"))
	p.Primary = conf.get(name, "Mirror_Aware") == "1"
	secure, err := tlsConfig(conf, name)
	if err != nil {
		return instance.PageReply{}, err
	}
	configured := net.JoinHostPort(conf.get(name, "Ip_Address"), conf.get(name, "TCP_Port"))
	addrs := []string{configured}
	if p.Primary {
		g.mu.Lock()
		addrs = append(slices.Clone(g.members[name]), configured)
		g.mu.Unlock()
	}
	var last error
	tried := map[string]bool{}
	for len(addrs) > 0 {
		addr := addrs[0]
		addrs = addrs[1:]
		if tried[addr] {
			continue
		}
		tried[addr] = true
		reply, err := g.askAt(addr, secure, p, limit)
		switch {
		case err != nil:
			last = err
		case reply.Status == http.StatusMisdirectedRequest:
			addrs = append(addrs, reply.Elsewhere...)
			last = errors.New("no member of the mirror is primary")
		default:
			g.mu.Lock()
			g.members[name] = append([]string{addr}, reply.Elsewhere...)
			g.mu.Unlock()
			return reply, nil
		}
	}
	return instance.PageReply{}, last
}

// askAt uses an idle connection when there is one. One that proves dead is
// replaced, unless the request may have changed something already.
func (g *Gateway) askAt(addr string, secure *tls.Config, p instance.Page, limit time.Duration) (instance.PageReply, error) {
	for {
		g.mu.Lock()
		var s *instance.Server
		if list := g.idle[addr]; len(list) > 0 {
			s, g.idle[addr] = list[len(list)-1], list[:len(list)-1]
		}
		g.mu.Unlock()
		fresh := s == nil
		if fresh {
			var err error
			if s, err = instance.DialServer(addr, secure); err != nil {
				return instance.PageReply{}, err
			}
		}
		reply, err := s.Ask(p, limit)
		if err != nil {
			s.Close()
			if fresh {
				return reply, err
			}
			continue
		}
		g.mu.Lock()
		g.idle[addr] = append(g.idle[addr], s)
		g.mu.Unlock()
		return reply, nil
	}
}

// tlsLevel is the Connection_Security_Level from which servers are spoken to
// by TLS.
const tlsLevel = 4

func tlsConfig(conf ini, name string) (*tls.Config, error) {
	if level, _ := strconv.Atoi(conf.get(name, "Connection_Security_Level")); level < tlsLevel {
		return nil, nil
	}
	ca, err := os.ReadFile(conf.get(name, "SSLCC_CA_Certificate"))
	if err != nil {
		return nil, fmt.Errorf("cannot use TLS: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return nil, errors.New("cannot use TLS: SSLCC_CA_Certificate has no certificate")
	}
	out := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true, VerifyConnection: func(s tls.ConnectionState) error {
		_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
		return err
	}}
	if file := conf.get(name, "SSLCC_Certificate"); file != "" {
		cert, err := tls.LoadX509KeyPair(file, conf.get(name, "SSLCC_Private_Key"))
		if err != nil {
			return nil, fmt.Errorf("cannot use TLS: %w", err)
		}
		out.Certificates = []tls.Certificate{cert}
	}
	return out, nil
}
