package keygen

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"

	"github.com/pavlo-v-chernykh/keystore-go/v4"
	"software.sslmate.com/src/go-pkcs12"
)

// TLSOptions say what the certificates are for.
type TLSOptions struct {
	// Name stands in the certificates' subject: the deployment's label.
	Name string
	// Hosts are names and addresses that the servers' certificate is good for.
	Hosts []string
	// Days until the certificates end.
	Days int
	// KeepCA keeps the authority's private key, in ca-key.pem: whoever has it
	// can make certificates that the deployment trusts.
	KeepCA bool
	// Now is the time from which the certificates are good.
	Now time.Time
}

// TLS makes the files of TLSKeyDir in dir: an authority, a certificate for
// clients and one for servers, signed by it, and the stores for JDBC. The
// names of the files come back.
func TLS(dir string, o TLSOptions) ([]string, error) {
	ca, err := newPair(o, "authority", nil)
	if err != nil {
		return nil, err
	}
	client, err := newPair(o, "client", ca)
	if err != nil {
		return nil, err
	}
	server, err := newPair(o, "server", ca)
	if err != nil {
		return nil, err
	}
	files := map[string]file{
		"ca.pem":          {ca.certPEM(), public},
		"cert.pem":        {client.certPEM(), public},
		"key.pem":         {client.keyPEM, private},
		"keycert.pem":     {append(append([]byte{}, client.keyPEM...), client.certPEM()...), private},
		"server-cert.pem": {server.certPEM(), public},
		"server-key.pem":  {server.keyPEM, private},
	}
	if o.KeepCA {
		files["ca-key.pem"] = file{ca.keyPEM, private}
	}
	if err := stores(files, ca, client, o.Now); err != nil {
		return nil, err
	}
	return write(dir, files)
}

// pair is a certificate and its key.
type pair struct {
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
	keyPEM []byte
}

func (p *pair) certPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.cert.Raw})
}

// newPair makes a pair for a use; without a signer it is the authority.
// P-256 is what all of Docker, Apache, Java and OpenSSL of today take.
func newPair(o TLSOptions, use string, signer *pair) (*pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	t := template(o, use, serial)
	parent, by := t, key
	if signer != nil {
		parent, by = signer.cert, signer.key
	}
	der, err := x509.CreateCertificate(rand.Reader, t, parent, &key.PublicKey, by)
	if err != nil {
		return nil, fmt.Errorf("cannot make the certificate of the %s: %v", use, err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return &pair{cert, key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})}, nil
}

func template(o TLSOptions, use string, serial *big.Int) *x509.Certificate {
	t := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: o.Name + " " + use, Organization: []string{o.Name}},
		// Clocks differ: a node that is an hour behind must not refuse it.
		NotBefore:             o.Now.Add(-24 * time.Hour),
		NotAfter:              o.Now.Add(time.Duration(o.Days) * 24 * time.Hour),
		BasicConstraintsValid: true,
	}
	if use == "authority" {
		t.IsCA, t.MaxPathLenZero = true, true
		t.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
		return t
	}
	t.KeyUsage = x509.KeyUsageDigitalSignature
	// Members of a mirror are each other's servers and clients.
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if use == "server" {
		t.ExtKeyUsage = append(t.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
		for _, h := range o.Hosts {
			if ip := net.ParseIP(h); ip != nil {
				t.IPAddresses = append(t.IPAddresses, ip)
			} else {
				t.DNSNames = append(t.DNSNames, h)
			}
		}
	}
	return t
}

// stores adds what Java reads: the client's key, whom it trusts, and the
// properties that name both. Their password protects nothing that the mode of
// the files does not; Java wants one.
func stores(files map[string]file, ca, client *pair, now time.Time) error {
	random := make([]byte, 16)
	if _, err := rand.Read(random); err != nil {
		return err
	}
	password := hex.EncodeToString(random)
	p12, err := pkcs12.Modern.Encode(client.key, client.cert, []*x509.Certificate{ca.cert}, password)
	if err != nil {
		return fmt.Errorf("cannot make keystore.p12: %v", err)
	}
	jks := keystore.New(keystore.WithOrderedAliases())
	entry := keystore.TrustedCertificateEntry{CreationTime: now, Certificate: keystore.Certificate{Type: "X509", Content: ca.cert.Raw}}
	if err := jks.SetTrustedCertificateEntry("ca", entry); err != nil {
		return fmt.Errorf("cannot make truststore.jks: %v", err)
	}
	var trust bytes.Buffer
	if err := jks.Store(&trust, []byte(password)); err != nil {
		return fmt.Errorf("cannot make truststore.jks: %v", err)
	}
	files["keystore.p12"] = file{p12, private}
	files["truststore.jks"] = file{trust.Bytes(), private}
	files["SSLConfig.properties"] = file{[]byte("debug=false\nprotocol=TLS\n" +
		"keyStore=keystore.p12\nkeyStoreType=pkcs12\nkeyStorePassword=" + password + "\n" +
		"trustStore=truststore.jks\ntrustStoreType=JKS\ntrustStorePassword=" + password + "\n"), private}
	return nil
}
