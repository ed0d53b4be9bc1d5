package sshtest

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/crypto/ssh"
)

// Options say who may log in and what happens then.
type Options struct {
	User     string // "" is "tester"
	Password string // "" allows no password login
	// KeyboardInteractive offers the password as a question instead.
	KeyboardInteractive bool
	Keys                []ssh.PublicKey
	HostKeys            []ssh.Signer // nil makes one
	// Exec handles commands and returns their exit status; nil is Shell. Its
	// ctx ends when the client closes the session.
	Exec func(ctx context.Context, s *Session) int
	// NoSFTP leaves the sftp subsystem out.
	NoSFTP bool
	// Banner is sent before the login.
	Banner string
}

// Server is a running server. Its methods may be called at any time.
type Server struct {
	opts     Options
	listener net.Listener
	hostKeys []ssh.Signer
	wg       sync.WaitGroup

	logins  atomic.Int64
	refuse  atomic.Int64 // logins still to refuse
	silent  atomic.Bool  // accepts and says nothing
	frozen  chan struct{}
	freeze  sync.Once
	release chan struct{} // closed at the end of the test

	mu    sync.Mutex
	conns map[net.Conn]bool
}

// Start starts a server that stops with the test.
func Start(t testing.TB, opts Options) *Server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return StartOn(t, l, opts)
}

// StartOn is Start with a listener, for a server that comes back at the same
// address.
func StartOn(t testing.TB, l net.Listener, opts Options) *Server {
	t.Helper()
	if opts.User == "" {
		opts.User = "tester"
	}
	if opts.Exec == nil {
		opts.Exec = Shell
	}
	if opts.HostKeys == nil {
		opts.HostKeys = []ssh.Signer{NewKey(t)}
	}
	s := &Server{opts: opts, listener: l, hostKeys: opts.HostKeys, conns: map[net.Conn]bool{},
		frozen: make(chan struct{}), release: make(chan struct{})}
	s.wg.Go(s.accept)
	t.Cleanup(s.Stop)
	return s
}

// NewKey makes an Ed25519 key.
func NewKey(t testing.TB) ssh.Signer {
	t.Helper()
	_, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(priv)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// Host and Port are where the server listens; User is who may log in.
func (s *Server) Host() string { return s.addr().IP.String() }

// Port is where the server listens.
func (s *Server) Port() int { return s.addr().Port }

// User is who may log in.
func (s *Server) User() string { return s.opts.User }

// HostKey is the first host key.
func (s *Server) HostKey() ssh.PublicKey { return s.hostKeys[0].PublicKey() }

// Logins counts the logins that worked.
func (s *Server) Logins() int { return int(s.logins.Load()) }

// RefuseLogins refuses the next n tries to log in.
func (s *Server) RefuseLogins(n int) { s.refuse.Store(int64(n)) }

// Silent makes new connections be accepted and never answered.
func (s *Server) Silent(yes bool) { s.silent.Store(yes) }

// Freeze stops all traffic in both directions and closes nothing, as when a
// machine loses its power.
func (s *Server) Freeze() { s.freeze.Do(func() { close(s.frozen) }) }

// CloseConns closes every connection, in the middle of whatever it carries.
func (s *Server) CloseConns() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		_ = c.Close()
	}
}

// Open is the number of open connections.
func (s *Server) Open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// Stop closes everything; the address is free afterwards.
func (s *Server) Stop() {
	select {
	case <-s.release:
		return
	default:
		close(s.release)
	}
	_ = s.listener.Close()
	s.CloseConns()
	s.wg.Wait()
}

func (s *Server) addr() *net.TCPAddr { return s.listener.Addr().(*net.TCPAddr) }

func (s *Server) accept() {
	for {
		c, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns[c] = true
		s.mu.Unlock()
		s.wg.Go(func() {
			s.serve(&freezable{Conn: c, s: s})
			_ = c.Close()
			s.mu.Lock()
			delete(s.conns, c)
			s.mu.Unlock()
		})
	}
}

func (s *Server) serve(c net.Conn) {
	if s.silent.Load() {
		<-s.release
		return
	}
	conn, chans, reqs, err := ssh.NewServerConn(c, s.config())
	if err != nil {
		return
	}
	s.logins.Add(1)
	var sessions sync.WaitGroup
	sessions.Go(func() {
		for req := range reqs {
			// As sshd: it does not know the request, and answers it.
			_ = req.Reply(false, nil)
		}
	})
	for ch := range chans {
		sessions.Go(func() { s.channel(ch) })
	}
	_ = conn.Close()
	sessions.Wait()
}

var errNo = errors.New("no")

func (s *Server) refuses() bool {
	for {
		n := s.refuse.Load()
		if n <= 0 {
			return false
		}
		if s.refuse.CompareAndSwap(n, n-1) {
			return true
		}
	}
}

// freezable stands still while its server is frozen.
type freezable struct {
	net.Conn
	s *Server
}

func (f *freezable) Read(p []byte) (int, error) {
	n, err := f.Conn.Read(p)
	f.wait()
	return n, err
}

func (f *freezable) Write(p []byte) (int, error) {
	f.wait()
	return f.Conn.Write(p)
}

func (f *freezable) wait() {
	select {
	case <-f.s.frozen:
		<-f.s.release
	default:
	}
}
