package remote

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"icm/internal/hint"
	"icm/internal/secret"
)

// makeKey returns a private key file: "rsa" as PEM, the others as OpenSSH's.
func makeKey(t *testing.T, kind, passphrase string) string {
	t.Helper()
	var key crypto.PrivateKey
	var err error
	switch kind {
	case "rsa":
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k)}))
	case "ecdsa":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	default:
		_, key, err = ed25519.GenerateKey(rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if passphrase != "" {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(key, "", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(block))
}

func keyFile(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestEveryUsualPrivateKeyIsRead(t *testing.T) {
	for _, kind := range []string{"rsa", "ecdsa", "ed25519"} {
		if _, err := LoadPrivateKey(keyFile(t, makeKey(t, kind, "")), nil); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func TestAnEncryptedKeyAsksForItsPassphrase(t *testing.T) {
	file := keyFile(t, makeKey(t, "ed25519", "canary-2"))
	give := func(text string) Passphrase {
		return func(string) (secret.Secret, error) { return secret.New(text), nil }
	}
	if _, err := LoadPrivateKey(file, give("canary-2")); err != nil {
		t.Error(err)
	}
	for name, ask := range map[string]Passphrase{"nobody to ask": nil, "a wrong one": give("canary-3")} {
		_, err := LoadPrivateKey(file, ask)
		if !errors.Is(err, ErrKey) || hint.Of(err) == "" || strings.Contains(err.Error()+hint.Of(err), "canary") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestABadKeyFileIsExplained(t *testing.T) {
	signer, err := ssh.ParsePrivateKey([]byte(makeKey(t, "ed25519", "")))
	if err != nil {
		t.Fatal(err)
	}
	public := string(ssh.MarshalAuthorizedKey(signer.PublicKey()))
	for name, tc := range map[string]struct{ text, want string }{
		"a public key":        {public, "is a public key, SSHPrivateKey must name the private one"},
		"a PuTTY key":         {"PuTTY-User-Key-File-3: ssh-rsa\n", "is in PuTTY's format"},
		"a damaged key":       {"-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n", "is damaged"},
		"something different": {"hello", "is not a private key"},
		"something huge":      {strings.Repeat("x", maxKeyFile+1), "is too big for a key"},
	} {
		_, err := LoadPrivateKey(keyFile(t, tc.text), nil)
		if !errors.Is(err, ErrKey) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := LoadPublicKey(keyFile(t, makeKey(t, "rsa", ""))); err == nil || !strings.Contains(err.Error(), "is a private key, SSHPublicKey must name the public one") {
		t.Errorf("private for public: %v", err)
	}
}

func TestBothPublicKeyFormatsBecomeTheSameLine(t *testing.T) {
	signer, err := ssh.ParsePrivateKey([]byte(makeKey(t, "rsa", "")))
	if err != nil {
		t.Fatal(err)
	}
	want := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey())))
	body := base64.StdEncoding.EncodeToString(signer.PublicKey().Marshal())
	var folded strings.Builder
	for len(body) > 70 {
		folded.WriteString(body[:70] + "\n")
		body = body[70:]
	}
	folded.WriteString(body + "\n")
	const begin, end = "---- BEGIN SSH2 PUBLIC KEY ----\n", "---- END SSH2 PUBLIC KEY ----\n"
	for name, text := range map[string]string{
		"OpenSSH":                     want + "\n",
		"OpenSSH with a comment":      want + " me@here\n",
		"SSH2":                        begin + folded.String() + end,
		"SSH2 with headers":           begin + "Comment: \"a long \\\ncomment\"\nSubject: me\n" + folded.String() + end,
		"SSH2 as the guide prints it": begin + folded.String() + begin,
		"SSH2 from Windows":           strings.ReplaceAll(begin+folded.String()+end, "\n", "\r\n"),
	} {
		got, err := LoadPublicKey(keyFile(t, text))
		if err != nil || got != want {
			t.Errorf("%s: %v, %q", name, err, got)
		}
	}
}

func FuzzAPublicKeyNeverPanics(f *testing.F) {
	f.Add([]byte("---- BEGIN SSH2 PUBLIC KEY ----\nComment: x\\\n y\nAAAA\n---- END SSH2 PUBLIC KEY ----\n"))
	f.Add([]byte("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA== x"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if key, err := ParsePublicKey(data); err == nil && key == nil {
			t.Error("neither a key nor an error")
		}
	})
}
