package sshtest

import (
	"sync"

	"golang.org/x/crypto/ssh"
)

// Store keeps host keys in memory, as a state directory would in files. The
// zero value knows none.
type Store struct {
	mu     sync.Mutex
	told   map[string][]ssh.PublicKey
	pinned map[string][]ssh.PublicKey
}

// Tell adds a key as a provider would: known, not pinned yet.
func (s *Store) Tell(machine string, key ssh.PublicKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told = add(s.told, machine, key)
}

// Lookup implements remote.HostKeyStore.
func (s *Store) Lookup(machine string) (keys []ssh.PublicKey, pinned bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if keys := s.pinned[machine]; len(keys) > 0 {
		return keys, true
	}
	return s.told[machine], false
}

// Pin implements remote.HostKeyStore.
func (s *Store) Pin(machine, _ string, key ssh.PublicKey) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pinned = add(s.pinned, machine, key)
	return nil
}

func add(m map[string][]ssh.PublicKey, machine string, key ssh.PublicKey) map[string][]ssh.PublicKey {
	if m == nil {
		m = map[string][]ssh.PublicKey{}
	}
	m[machine] = append(m[machine], key)
	return m
}
