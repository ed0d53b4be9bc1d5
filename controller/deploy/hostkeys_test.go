package deploy

import (
	"crypto/ed25519"
	"os"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"icm/controller/state"
)

func newHostKey(t *testing.T) ssh.PublicKey {
	t.Helper()
	public, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// twoStores are one state directory as two programs see it.
func twoStores(t *testing.T) (ours, theirs *hostKeyStore) {
	t.Helper()
	dir, err := state.Create(t.TempDir(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return &hostKeyStore{dir: dir}, &hostKeyStore{dir: dir}
}

func TestAKeyThatSomebodyPinsIsKnownToAllAtOnce(t *testing.T) {
	ours, theirs := twoStores(t)
	for i, machine := range names(20) {
		if _, pinned := ours.Lookup(machine); pinned {
			t.Fatalf("%s is known before anybody pinned it", machine)
		}
		key := newHostKey(t)
		by := []*hostKeyStore{ours, theirs}[i%2]
		if err := by.Pin(machine, "10.0.0.1:22", key); err != nil {
			t.Fatal(err)
		}
		for _, s := range []*hostKeyStore{ours, theirs} {
			keys, pinned := s.Lookup(machine)
			if !pinned || len(keys) != 1 || string(keys[0].Marshal()) != string(key.Marshal()) {
				t.Fatalf("%s, after it was pinned: %v, %v", machine, keys, pinned)
			}
		}
	}
}

func TestPinnedKeysThatCannotBeReadAreNotForgotten(t *testing.T) {
	s, _ := twoStores(t)
	if err := s.Pin("acme", "10.0.0.1:22", newHostKey(t)); err != nil {
		t.Fatal(err)
	}
	if err := s.check(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.dir.KnownHostsPath(), []byte("acme,10.0.0.1 ssh-ed25519 damaged\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.check(); err == nil {
		t.Error("a file that cannot be read looks like a first contact")
	}
}

func TestPinnedKeysThatAreGoneAreGone(t *testing.T) {
	s, _ := twoStores(t)
	if err := s.Pin("acme", "10.0.0.1:22", newHostKey(t)); err != nil {
		t.Fatal(err)
	}
	if _, pinned := s.Lookup("acme"); !pinned {
		t.Fatal("it was not pinned")
	}
	if err := os.Remove(s.dir.KnownHostsPath()); err != nil {
		t.Fatal(err)
	}
	if _, pinned := s.Lookup("acme"); pinned {
		t.Error("a key is known that no file has")
	}
}
