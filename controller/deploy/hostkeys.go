package deploy

import (
	"io/fs"
	"os"
	"sync"

	"golang.org/x/crypto/ssh"

	"icm/controller/state"
)

// hostKeyStores makes one store per state directory, so that keys of many
// nodes can be pinned at once.
type hostKeyStores struct {
	mu     sync.Mutex
	stores map[string]*hostKeyStore
}

func (h *hostKeyStores) of(dir *state.Dir) *hostKeyStore {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stores == nil {
		h.stores = map[string]*hostKeyStore{}
	}
	if h.stores[dir.Path] == nil {
		h.stores[dir.Path] = &hostKeyStore{dir: dir}
	}
	return h.stores[dir.Path]
}

// hostKeyStore is a state directory's known_hosts as the dialer sees it. The
// file has a line for every node and is asked for every node: it is read
// again only when it was replaced, also by another icm.
type hostKeyStore struct {
	mu   sync.Mutex
	dir  *state.Dir
	keys map[string][]ssh.PublicKey
	file fs.FileInfo // that keys were read from; nil before, and without a file
}

// check reports whether the pinned keys can be read.
func (s *hostKeyStore) check() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refresh()
}

// refresh reads the file when it is not the one that was read. Files of the
// state directory are replaced, never written to; an editor that writes in
// place changes time or size.
func (s *hostKeyStore) refresh() error {
	now, err := os.Stat(s.dir.KnownHostsPath())
	if err == nil && s.file != nil && os.SameFile(now, s.file) && now.Size() == s.file.Size() && now.ModTime().Equal(s.file.ModTime()) {
		return nil
	}
	s.keys, s.file = nil, nil
	keys, readErr := s.dir.AllHostKeys()
	if readErr != nil {
		return readErr
	}
	s.keys = keys
	if err == nil {
		s.file = now // taken before reading: at worst it is read once more
	}
	return nil
}

// Lookup implements remote.HostKeyStore.
func (s *hostKeyStore) Lookup(machine string) ([]ssh.PublicKey, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.refresh(); err != nil {
		return nil, false
	}
	keys := s.keys[machine]
	return keys, len(keys) > 0
}

// Pin implements remote.HostKeyStore.
func (s *hostKeyStore) Pin(machine, addr string, key ssh.PublicKey) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.file = nil // the next question reads what was written
	return s.dir.Pin(machine, addr, key)
}
