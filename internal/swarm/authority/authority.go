// Package authority makes the certificates of a deployment's swarms. The
// controller has the authority, its nodes get a certificate each.
package authority

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"time"

	"icm/internal/atomicfile"
	"icm/internal/swarm"
)

// How long certificates hold. A node's is made anew for every operation; clocks
// may be off by less than slack.
const (
	lifetime = 10 * 365 * 24 * time.Hour
	leafLife = 48 * time.Hour
	slack    = time.Hour
)

// Authority signs the certificates of one deployment.
type Authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// file is an authority on disk.
type file struct {
	Format      int    `json:"format"`
	Certificate []byte `json:"certificate"`
	Key         []byte `json:"key"`
}

const fileFormat = 1

// New makes an authority for a deployment.
func New(deployment string, now time.Time) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	t, err := template("icm deployment "+deployment, now, lifetime)
	if err != nil {
		return nil, err
	}
	t.IsCA, t.BasicConstraintsValid, t.MaxPathLenZero = true, true, true
	t.KeyUsage = x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return &Authority{cert, key}, err
}

// Load reads the authority of a deployment from a file, which is made when it
// is not there. Only root of this machine, or who runs icm, can read it.
func Load(path, deployment string, now time.Time) (*Authority, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return create(path, deployment, now)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the deployment's authority: %w", err)
	}
	var f file
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, fmt.Errorf("cannot read the deployment's authority in %s: %w", path, err)
	}
	if f.Format != fileFormat {
		return nil, fmt.Errorf("cannot read the deployment's authority in %s: format %d was written by a newer icm", path, f.Format)
	}
	cert, err := x509.ParseCertificate(f.Certificate)
	if err != nil {
		return nil, fmt.Errorf("cannot read the deployment's authority in %s: %w", path, err)
	}
	if now.After(cert.NotAfter) {
		return create(path, deployment, now)
	}
	key, err := x509.ParsePKCS8PrivateKey(f.Key)
	if err != nil {
		return nil, fmt.Errorf("cannot read the deployment's authority in %s: %w", path, err)
	}
	ec, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("cannot read the deployment's authority in %s: its key is a %T", path, key)
	}
	return &Authority{cert, ec}, nil
}

func create(path, deployment string, now time.Time) (*Authority, error) {
	a, err := New(deployment, now)
	if err != nil {
		return nil, fmt.Errorf("cannot make the deployment's authority: %w", err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(a.key)
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(file{fileFormat, a.cert.Raw, key})
	if err != nil {
		return nil, err
	}
	if err := atomicfile.Write(path, data, 0o600); err != nil {
		return nil, fmt.Errorf("cannot keep the deployment's authority: %w", err)
	}
	return a, nil
}

// Issue makes the certificate of a node, or of swarm.ControllerName.
func (a *Authority) Issue(name string, now time.Time) (swarm.Identity, error) {
	return a.issue(name, now, leafLife)
}

func (a *Authority) issue(name string, now time.Time, life time.Duration) (swarm.Identity, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return swarm.Identity{}, err
	}
	t, err := template(name, now, life)
	if err != nil {
		return swarm.Identity{}, err
	}
	t.KeyUsage = x509.KeyUsageDigitalSignature
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	if name != swarm.ControllerName { // nobody dials the controller
		t.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, a.cert, &key.PublicKey, a.key)
	if err != nil {
		return swarm.Identity{}, fmt.Errorf("cannot make a certificate for %s: %w", name, err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	return swarm.Identity{Certificate: der, Key: raw, Authority: a.cert.Raw}, err
}

func template(name string, now time.Time, life time.Duration) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	return &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: now.Add(-slack), NotAfter: now.Add(life),
	}, nil
}
