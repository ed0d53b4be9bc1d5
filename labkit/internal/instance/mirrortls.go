package instance

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Names of the TLS configurations that mirroring uses, as scripts know them.
const (
	mirrorClient = "%MirrorClient"
	mirrorServer = "%MirrorServer"
	superServer  = "%SuperServer"
)

// sslNames are the properties of an SSL configuration that matter here.
var sslNames = []string{"CAFile", "CertificateFile", "PrivateKeyFile"}

// sslDir is the form the merge action has: three files of fixed names.
func sslDir(dir string) map[string]string {
	return map[string]string{"CAFile": filepath.Join(dir, "CAFile.pem"), "CertificateFile": filepath.Join(dir, "CertificateFile.pem"),
		"PrivateKeyFile": filepath.Join(dir, "PrivateKeyFile.pem")}
}

// prepareTLS makes the two configurations of mirroring from what a script
// gave, or checks those that are there.
func (m *mirror) prepareTLS(wanted bool, given map[string]string) (bool, error) {
	if given["CertificateFile"] != "" {
		err := m.i.withSecurity(func(s *security) error {
			if s.SSL == nil {
				s.SSL = map[string]map[string]string{}
			}
			for _, name := range []string{mirrorClient, mirrorServer} {
				s.SSL[name] = map[string]string{"Name": name}
				for _, p := range sslNames {
					s.SSL[name][p] = given[p]
				}
			}
			return nil
		})
		if err != nil {
			return false, err
		}
		wanted = true
	}
	if !wanted {
		return false, nil
	}
	for _, name := range []string{mirrorClient, mirrorServer} {
		if _, _, err := m.i.tlsFiles(name); err != nil {
			return false, fmt.Errorf("ERROR #2086: Mirroring with TLS needs the SSL configuration %s: %w", name, err)
		}
	}
	return true, nil
}

// tlsFiles reads certificate and authority of an SSL configuration, and
// checks that they belong together.
func (i *Instance) tlsFiles(name string) (tls.Certificate, *x509.CertPool, error) {
	i.mu.Lock()
	conf := i.security.SSL[name]
	i.mu.Unlock()
	if conf == nil {
		return tls.Certificate{}, nil, errors.New("it does not exist")
	}
	ca, err := os.ReadFile(conf["CAFile"])
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return tls.Certificate{}, nil, fmt.Errorf("%s has no certificate", conf["CAFile"])
	}
	if conf["CertificateFile"] == "" {
		return tls.Certificate{}, pool, nil // a client without one
	}
	cert, err := tls.LoadX509KeyPair(conf["CertificateFile"], conf["PrivateKeyFile"])
	if err != nil {
		return cert, nil, err
	}
	_, err = cert.Leaf.Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	return cert, pool, err
}

// ownDN is the subject of our own certificate, empty without one.
func (m *mirror) ownDN() string {
	cert, _, err := m.i.tlsFiles(mirrorClient)
	if err != nil || cert.Leaf == nil {
		return ""
	}
	return cert.Leaf.Subject.String()
}

// clientTLS trusts whoever has a certificate of the authority. Names in it
// do not count: they are authorised one by one.
func (i *Instance) clientTLS(name string) (*tls.Config, error) {
	cert, pool, err := i.tlsFiles(name)
	if err != nil {
		return nil, fmt.Errorf("cannot use SSL configuration %s: %w", name, err)
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true, VerifyConnection: func(s tls.ConnectionState) error {
		between := x509.NewCertPool()
		for _, c := range s.PeerCertificates[1:] {
			between.AddCert(c)
		}
		_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: pool, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
		return err
	}}
	if cert.Leaf != nil {
		conf.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil }
	}
	return conf, nil
}

// serverTLS is the super-server's side: a client's certificate is checked
// when it shows one.
func (i *Instance) serverTLS() (*tls.Config, error) {
	var last error
	for _, name := range []string{superServer, mirrorServer} {
		cert, pool, err := i.tlsFiles(name)
		if err == nil && cert.Leaf != nil {
			return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}, ClientCAs: pool, ClientAuth: tls.VerifyClientCertIfGiven}, nil
		}
		last = err
	}
	return nil, fmt.Errorf("cannot answer by TLS: %w", last)
}

// connect opens a connection to another member, by TLS in mirrors that have it.
func (m *mirror) connect(addr string) (*link, error) {
	m.mu.Lock()
	secure := m.conf.TLS
	m.mu.Unlock()
	l, err := m.connectAs(addr, secure)
	if err == nil {
		l.limit = min(linkTimeout, m.qos())
	}
	return l, err
}

func (m *mirror) connectAs(addr string, secure bool) (*link, error) {
	if !secure {
		return m.i.dialLink(addr)
	}
	conf, err := m.i.clientTLS(mirrorClient)
	if err != nil {
		return nil, err
	}
	return m.i.dialTLS(addr, conf)
}

func (i *Instance) dialTLS(addr string, conf *tls.Config) (*link, error) {
	raw, err := i.dial(addr, 2*time.Second)
	if err != nil {
		return nil, err
	}
	c := tls.Client(raw, conf)
	c.SetDeadline(time.Now().Add(linkTimeout))
	if err := c.Handshake(); err != nil {
		raw.Close()
		return nil, err
	}
	return newLink(c), nil
}

// peeked is a connection whose first byte was looked at.
type peeked struct {
	net.Conn
	r *bufio.Reader
}

func (p peeked) Read(b []byte) (int, error) { return p.r.Read(b) }

// welcome finds out whether the other side speaks TLS, and its name if so.
func (i *Instance) welcome(raw net.Conn) (*link, error) {
	c := peeked{raw, bufio.NewReader(raw)}
	raw.SetReadDeadline(time.Now().Add(time.Minute))
	first, err := c.r.Peek(1)
	if err != nil {
		return nil, err
	}
	raw.SetReadDeadline(time.Time{})
	const handshake = 0x16
	if first[0] != handshake {
		return newLink(c), nil
	}
	conf, err := i.serverTLS()
	if err != nil {
		return nil, err
	}
	secure := tls.Server(c, conf)
	secure.SetDeadline(time.Now().Add(linkTimeout))
	if err := secure.Handshake(); err != nil {
		i.log.write(1, "SuperServer.Event", "TLS handshake with "+raw.RemoteAddr().String()+" failed: "+err.Error())
		return nil, err
	}
	secure.SetDeadline(time.Time{})
	l := newLink(secure)
	if certs := secure.ConnectionState().PeerCertificates; len(certs) > 0 {
		l.peer = certs[0].Subject.String()
	}
	return l, nil
}
