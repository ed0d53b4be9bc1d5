package deploy

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"os"
	"path"
	"path/filepath"

	"icm/controller/spec"
	"icm/controller/topology"
	"icm/internal/hint"
	"icm/internal/kind"
)

// Files of TLSKeyDir that instances and gateways get, with the secrets by which
// tasks ask for them. One pair serves both ends of a connection.
var tlsFiles = []struct{ name, secret string }{
	{"ca.pem", secretTLSCA},
	{"server-cert.pem", secretTLSCertificate},
	{"server-key.pem", secretTLSKey},
}

// tlsKeys are the files of TLSKeyDir, and what their certificate says.
type tlsKeys struct {
	files   map[string][]byte // by name of the secret
	subject string
}

// tlsKeys reads the keys of a deployment; nil when it has none.
func (j *Job) tlsKeys(f spec.Fields) (*tlsKeys, error) {
	dir := f.Get("TLSKeyDir")
	if dir == "" {
		return nil, nil
	}
	keys := &tlsKeys{files: map[string][]byte{}}
	for _, file := range tlsFiles {
		data, err := os.ReadFile(filepath.Join(j.path(dir), file.name))
		if err != nil {
			return nil, hint.New(fmt.Errorf("cannot read the TLS keys: %v", rootCause(err)), "TLSKeyDir needs "+tlsFiles[0].name+", "+tlsFiles[1].name+" and "+tlsFiles[2].name)
		}
		keys.files[file.secret] = data
	}
	block, _ := pem.Decode(keys.files[secretTLSCertificate])
	if block == nil {
		return nil, fmt.Errorf("cannot read the TLS keys: %s in %s holds no certificate", tlsFiles[1].name, dir)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("cannot read the TLS keys: %s in %s: %v", tlsFiles[1].name, dir, err)
	}
	keys.subject = cert.Subject.String()
	return keys, nil
}

// install is the argument of tls.install.
func (k *tlsKeys) install(dir, owner, group string) *kind.TLS {
	file := func(secret string) kind.SecretFile {
		sum := sha256.Sum256(k.files[secret])
		return kind.SecretFile{Secret: secret, SHA256: hex.EncodeToString(sum[:])}
	}
	return &kind.TLS{Dir: dir, Owner: owner, Group: group, CA: file(secretTLSCA), Certificate: file(secretTLSCertificate), Key: file(secretTLSKey)}
}

// instanceTLS is where an instance keeps them.
func (s settings) instanceTLS() string { return path.Join(s.Instance.Dir, "mgr", "icm-tls") }

// tlsDir is what mirrors are told; "" for a mirror without TLS.
func (s settings) tlsDir() string {
	if s.TLS == nil {
		return ""
	}
	return s.TLS.Dir
}

// mirrorSettings fills in what a node needs to be in a mirror.
func (s *settings) mirrorSettings(n topology.Node, keys *tlsKeys) {
	s.agentPort = n.Fields.Int("ISCAgentPort")
	s.Mirror = n.Mirror
	if n.Mirror == "" || keys == nil {
		return
	}
	s.TLS, s.tlsSubject = keys.install(s.instanceTLS(), s.Account.Owner, s.Account.Group), keys.subject
}

// longestMember is how long IRIS lets the name of a member be.
const longestMember = 32

// memberName is the node's name in its mirror. The end of a machine name is
// what tells it from the others.
func (s settings) memberName() string {
	return s.Machine[max(0, len(s.Machine)-longestMember):]
}
