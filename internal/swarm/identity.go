package swarm

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
)

// ControllerName is what the controller's certificate calls it. No machine can
// have that name: it has a space.
const ControllerName = "the controller"

// Identity is who somebody is in the swarms of a deployment: a certificate of
// the deployment's own authority, in DER, and its key. It is a secret.
type Identity struct {
	Certificate []byte `json:"certificate"`
	Key         []byte `json:"key"`       // PKCS #8
	Authority   []byte `json:"authority"` // certificate
}

// config makes the TLS configuration of both roles. Nothing but TLS 1.3 with a
// certificate of the deployment on both sides is spoken.
func (id Identity) config() (*tls.Config, error) {
	key, err := x509.ParsePKCS8PrivateKey(id.Key)
	if err != nil {
		return nil, fmt.Errorf("cannot read the key of the certificate: %w", err)
	}
	authority, err := x509.ParseCertificate(id.Authority)
	if err != nil {
		return nil, fmt.Errorf("cannot read the deployment's own authority: %w", err)
	}
	leaf, err := x509.ParseCertificate(id.Certificate)
	if err != nil {
		return nil, fmt.Errorf("cannot read the certificate: %w", err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(authority)
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{id.Certificate}, PrivateKey: key, Leaf: leaf}},
		RootCAs:      pool, ClientCAs: pool,
		ClientAuth:             tls.RequireAndVerifyClientCert,
		MinVersion:             tls.VersionTLS13,
		SessionTicketsDisabled: true, // every link shows its certificate
		// Records of full size from the first on: this is bulk.
		DynamicRecordSizingDisabled: true,
	}, nil
}

// peerName is who the other side is, as its verified certificate says.
func peerName(c *tls.Conn) (string, error) {
	certs := c.ConnectionState().PeerCertificates
	if len(certs) == 0 || certs[0].Subject.CommonName == "" {
		return "", errors.New("its certificate has no name")
	}
	return certs[0].Subject.CommonName, nil
}

// explain says in words what a handshake failed of.
func explain(err error) error {
	var invalid x509.CertificateInvalidError
	var name x509.HostnameError
	var unknown x509.UnknownAuthorityError
	var said *net.OpError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return fmt.Errorf("its certificate is not valid at this time: %w", err)
	case errors.As(err, &name):
		return fmt.Errorf("another machine answers there: %w", err)
	case errors.As(err, &unknown):
		return fmt.Errorf("its certificate is not of this deployment: %w", err)
	case errors.As(err, &said) && said.Op == "remote error":
		return fmt.Errorf("it does not accept our certificate: %w", err)
	}
	return err
}
