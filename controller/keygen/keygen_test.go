package keygen

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pavlo-v-chernykh/keystore-go/v4"
	"golang.org/x/crypto/ssh"
	"software.sslmate.com/src/go-pkcs12"

	"icm/controller/remote"
)

// guideFiles are the files of TLSKeyDir in the ICM guide, 4.10.2.
const guideFiles = "SSLConfig.properties ca.pem cert.pem key.pem keycert.pem keystore.p12 server-cert.pem server-key.pem truststore.jks"

func options() TLSOptions {
	return TLSOptions{Name: "ACME", Hosts: []string{"node1.acme.com", "10.0.0.7"}, Days: 30, Now: time.Now()}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestSSHKeysAreWhatSSHAndICMRead(t *testing.T) {
	for _, algorithm := range Algorithms {
		t.Run(algorithm, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "ssh")
			names, err := SSH(dir, "secure", algorithm, "ACME")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{"secure", "secure-ssh2.pub", "secure.pub"}, names); diff != "" {
				t.Fatal(diff)
			}
			signer, err := ssh.ParsePrivateKey(read(t, filepath.Join(dir, "secure")))
			if err != nil {
				t.Fatal(err)
			}
			want := string(ssh.MarshalAuthorizedKey(signer.PublicKey()))
			for _, name := range []string{"secure.pub", "secure-ssh2.pub"} {
				got, err := remote.LoadPublicKey(filepath.Join(dir, name))
				if err != nil || !strings.HasPrefix(got, strings.TrimSpace(want)) {
					t.Errorf("%s is read as %q (%v), want %q", name, got, err, want)
				}
			}
			out, err := exec.Command("ssh-keygen", "-y", "-f", filepath.Join(dir, "secure")).CombinedOutput()
			if err != nil || !strings.HasPrefix(string(out), strings.TrimSpace(want)) {
				t.Errorf("ssh-keygen says %s (%v)", out, err)
			}
		})
	}
}

func TestTLSKeyDirHoldsEveryFileOfTheGuide(t *testing.T) {
	names, err := TLS(t.TempDir(), options())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Fields(guideFiles), names); diff != "" {
		t.Error(diff)
	}
}

func TestPrivateKeysAreTheirOwnersOnly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	o := options()
	o.KeepCA = true
	if _, err := TLS(dir, o); err != nil {
		t.Fatal(err)
	}
	if _, err := SSH(dir, "secure", "ed25519", "x"); err != nil {
		t.Fatal(err)
	}
	secret := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		data := read(t, path)
		holds := bytes.Contains(data, []byte("PRIVATE KEY")) || bytes.Contains(data, []byte("Password")) || strings.HasSuffix(path, ".p12")
		if holds {
			secret++
			if info.Mode() != private {
				t.Errorf("%s has mode %v", path, info.Mode())
			}
		}
		return nil
	})
	if err != nil || secret != 7 {
		t.Errorf("%d files hold secrets: %v", secret, err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory has mode %v: %v", info.Mode(), err)
	}
}

func TestTheServersCertificateIsGoodForItsHostsAndAlsoAsAClient(t *testing.T) {
	dir := t.TempDir()
	if _, err := TLS(dir, options()); err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(read(t, filepath.Join(dir, "ca.pem"))) {
		t.Fatal("ca.pem holds no certificate")
	}
	for _, row := range []struct {
		cert, key, host string
		usage           x509.ExtKeyUsage
		good            bool
	}{
		{"server-cert.pem", "server-key.pem", "node1.acme.com", x509.ExtKeyUsageServerAuth, true},
		{"server-cert.pem", "server-key.pem", "10.0.0.7", x509.ExtKeyUsageServerAuth, true},
		{"server-cert.pem", "server-key.pem", "node2.acme.com", x509.ExtKeyUsageServerAuth, false},
		{"server-cert.pem", "server-key.pem", "", x509.ExtKeyUsageClientAuth, true},
		{"cert.pem", "key.pem", "", x509.ExtKeyUsageClientAuth, true},
		{"cert.pem", "key.pem", "", x509.ExtKeyUsageServerAuth, false},
		{"keycert.pem", "keycert.pem", "", x509.ExtKeyUsageClientAuth, true},
	} {
		p, err := tls.LoadX509KeyPair(filepath.Join(dir, row.cert), filepath.Join(dir, row.key))
		if err != nil {
			t.Fatal(err)
		}
		_, err = p.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: row.host, KeyUsages: []x509.ExtKeyUsage{row.usage}})
		if (err == nil) != row.good {
			t.Errorf("%s for %q, usage %v: %v, want good %v", row.cert, row.host, row.usage, err, row.good)
		}
	}
}

func TestJavaCanOpenTheStoresWithThePasswordInTheProperties(t *testing.T) {
	dir := t.TempDir()
	if _, err := TLS(dir, options()); err != nil {
		t.Fatal(err)
	}
	properties := map[string]string{}
	for line := range strings.Lines(string(read(t, filepath.Join(dir, "SSLConfig.properties")))) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		properties[name] = value
	}
	if _, _, _, err := pkcs12.DecodeChain(read(t, filepath.Join(dir, properties["keyStore"])), properties["keyStorePassword"]); err != nil {
		t.Error(err)
	}
	trust := keystore.New()
	if err := trust.Load(bytes.NewReader(read(t, filepath.Join(dir, properties["trustStore"]))), []byte(properties["trustStorePassword"])); err != nil || len(trust.Aliases()) != 1 {
		t.Errorf("the trust store has %v: %v", trust.Aliases(), err)
	}
}

func TestNothingThatExistsIsOverwritten(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "key.pem"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := TLS(dir, options())
	if err == nil || !strings.Contains(err.Error(), "key.pem already, and keys are not overwritten") {
		t.Errorf("the error is %v", err)
	}
	entries, _ := os.ReadDir(dir)
	if len(entries) != 1 || string(read(t, filepath.Join(dir, "key.pem"))) != "mine" {
		t.Errorf("the directory holds %v", entries)
	}
}

func TestAnUnknownAlgorithmIsToldWhichThereAre(t *testing.T) {
	_, err := SSH(t.TempDir(), "secure", "dsa", "x")
	if err == nil || !strings.Contains(err.Error(), `there is no algorithm "dsa"; take one of ed25519, rsa`) {
		t.Errorf("the error is %v", err)
	}
}
