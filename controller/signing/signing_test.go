package signing

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"icm/internal/secret"
)

func pair(t *testing.T) (Public, Private, string) {
	t.Helper()
	dir := t.TempDir()
	public, private, err := Generate(secret.Secret{})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "site.key")
	write(t, path, private)
	write(t, path+".pub", public.File())
	key, err := LoadPrivate(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return public, key, path
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestMinisignItselfVerifiesWhatIcmSigned(t *testing.T) {
	minisign, err := exec.LookPath("minisign")
	if err != nil {
		t.Skip("there is no minisign: make deps installs it")
	}
	_, key, path := pair(t)
	message := filepath.Join(t.TempDir(), "m")
	write(t, message, []byte("hello"))
	write(t, message+".minisig", Sign(key, []byte("hello"), "what it is"))
	out, err := exec.CommandContext(t.Context(), minisign, "-Vm", message, "-p", path+".pub").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "Trusted comment: what it is") {
		t.Errorf("minisign: %v\n%s", err, out)
	}
	write(t, message, []byte("hullo"))
	if out, err := exec.CommandContext(t.Context(), minisign, "-Vm", message, "-p", path+".pub").CombinedOutput(); err == nil {
		t.Errorf("minisign takes what was altered:\n%s", out)
	}
}

func TestIcmTakesAKeyThatMinisignMade(t *testing.T) {
	minisign, err := exec.LookPath("minisign")
	if err != nil {
		t.Skip("there is no minisign: make deps installs it")
	}
	path := filepath.Join(t.TempDir(), "k")
	if out, err := exec.CommandContext(t.Context(), minisign, "-G", "-W", "-p", path+".pub", "-s", path).CombinedOutput(); err != nil {
		t.Skipf("this minisign makes no keys without a password: %s", out)
	}
	key, err := LoadPrivate(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	public, err := LoadPublic(path + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	s, err := ParseSignature(Sign(key, []byte("m"), "c"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Verify([]Public{public}, []byte("m")); err != nil {
		t.Error(err)
	}
}

func TestWhatWasAlteredOrIsOfAnotherKeyIsRefused(t *testing.T) {
	public, key, _ := pair(t)
	other, _, _ := pair(t)
	text := Sign(key, []byte("message"), "comment")
	s, err := ParseSignature(text)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.Verify([]Public{other, public}, []byte("message")); err != nil || got.ID() != key.ID() || s.Comment != "comment" {
		t.Errorf("Verify() = %v, %v; comment %q", got.ID(), err, s.Comment)
	}
	if _, err := s.Verify([]Public{public}, []byte("massage")); !errors.Is(err, ErrSignature) {
		t.Errorf("altered: %v", err)
	}
	if _, err := s.Verify([]Public{other}, []byte("message")); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("another key: %v", err)
	}
	forged, err := ParseSignature([]byte(strings.Replace(string(text), "trusted comment: comment", "trusted comment: lies", 1)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := forged.Verify([]Public{public}, []byte("message")); !errors.Is(err, ErrSignature) {
		t.Errorf("another comment: %v", err)
	}
}

func TestFilesThatAreNoKeysAreTold(t *testing.T) {
	public, _, path := pair(t)
	if again, err := LoadPublic(public.String()); err != nil || again.ID() != public.ID() {
		t.Errorf("the key on one line: %v", err)
	}
	if _, err := LoadPublic(path); err == nil || !strings.Contains(err.Error(), "is no public key") {
		t.Errorf("a private key for a public one: %v", err)
	}
	if _, err := LoadPrivate(path+".pub", nil); err == nil || !strings.Contains(err.Error(), "is no signing key") {
		t.Errorf("a public key for a private one: %v", err)
	}
	if _, err := LoadPublic(path + "x"); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("a missing file: %v", err)
	}
	big := filepath.Join(t.TempDir(), "big")
	write(t, big, make([]byte, maxKey+1))
	if _, err := LoadPublic(big); err == nil || !strings.Contains(err.Error(), "that is no key") {
		t.Errorf("a large file: %v", err)
	}
}

func FuzzSignature(f *testing.F) {
	public, private, err := Generate(secret.Secret{})
	if err != nil {
		f.Fatal(err)
	}
	path := filepath.Join(f.TempDir(), "k")
	if err := os.WriteFile(path, private, 0o600); err != nil {
		f.Fatal(err)
	}
	key, err := LoadPrivate(path, nil)
	if err != nil {
		f.Fatal(err)
	}
	good := Sign(key, []byte("m"), "c")
	f.Add(good)
	f.Add([]byte("untrusted comment: x\n\n\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := ParseSignature(text)
		if err != nil {
			return
		}
		if _, err := s.Verify([]Public{public}, []byte("another message")); err == nil {
			t.Errorf("%q signs another message", text)
		}
	})
}
