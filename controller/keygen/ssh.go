package keygen

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"
)

// Algorithms of SSH keys: the default first. RSA is for platforms and sites
// that take nothing else.
var Algorithms = []string{"ed25519", "rsa"}

// rsaBits is what NIST SP 800-57 asks for beyond 2030.
const rsaBits = 3072

// SSH makes a key pair in dir: NAME, the private key in OpenSSH's format,
// NAME.pub, and NAME-ssh2.pub, the same public key in the SSH2 format (RFC
// 4716) that ICM wanted for AWS. The names of the files come back.
func SSH(dir, name, algorithm, comment string) ([]string, error) {
	key, err := sshKey(algorithm)
	if err != nil {
		return nil, err
	}
	block, err := ssh.MarshalPrivateKey(key, comment)
	if err != nil {
		return nil, fmt.Errorf("cannot encode the private key: %v", err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		return nil, fmt.Errorf("cannot use the new key: %v", err)
	}
	line := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey()))) + " " + comment + "\n"
	return write(dir, map[string]file{
		name:               {pem.EncodeToMemory(block), private},
		name + ".pub":      {[]byte(line), public},
		name + "-ssh2.pub": {ssh2(signer.PublicKey(), comment), public},
	})
}

func sshKey(algorithm string) (crypto.Signer, error) {
	switch algorithm {
	case "ed25519":
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	case "rsa":
		return rsa.GenerateKey(rand.Reader, rsaBits)
	default:
		return nil, fmt.Errorf("there is no algorithm %q; take one of %s", algorithm, strings.Join(Algorithms, ", "))
	}
}

// ssh2 writes a public key as RFC 4716 says: lines of at most 72 bytes.
func ssh2(key ssh.PublicKey, comment string) []byte {
	const width = 70
	var b strings.Builder
	b.WriteString("---- BEGIN SSH2 PUBLIC KEY ----\n")
	fmt.Fprintf(&b, "Comment: \"%s\"\n", comment)
	text := base64.StdEncoding.EncodeToString(key.Marshal())
	for len(text) > width {
		b.WriteString(text[:width] + "\n")
		text = text[width:]
	}
	b.WriteString(text + "\n---- END SSH2 PUBLIC KEY ----\n")
	return []byte(b.String())
}
