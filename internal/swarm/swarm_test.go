package swarm_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"icm/internal/swarm"
	"icm/internal/swarm/authority"
)

// patience is how long a test waits before it gives up: machines may be slow.
const patience = 3 * time.Minute

// file is what is distributed in tests.
func file(size int) []byte {
	data := make([]byte, size)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(data)
	return data
}

// disk is a store in memory.
type disk struct {
	mu   sync.Mutex
	data []byte
	full int64 // nothing can be written from there on; 0 for never
	// writes counts what was written, in bytes.
	writes int
}

func (d *disk) ReadAt(p []byte, at int64) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return bytes.NewReader(d.data).ReadAt(p, at)
}

func (d *disk) WriteAt(p []byte, at int64) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.full > 0 && at+int64(len(p)) > d.full {
		return 0, errors.New("no space left on device")
	}
	d.writes += len(p)
	return copy(d.data[at:], p), nil
}

// site is a deployment in one process.
type site struct {
	t         *testing.T
	data      []byte
	manifest  *swarm.Manifest
	authority *authority.Authority
	source    *swarm.Transfer
}

func newSite(t *testing.T, size int) *site {
	t.Helper()
	s := &site{t: t, data: file(size)}
	var err error
	if s.manifest, err = swarm.Describe(t.Context(), bytes.NewReader(s.data), int64(size)); err != nil {
		t.Fatal(err)
	}
	if s.authority, err = authority.New("ICM-1", time.Now()); err != nil {
		t.Fatal(err)
	}
	s.source = s.offer()
	return s
}

// offer is the controller's part.
func (s *site) offer() *swarm.Transfer {
	s.t.Helper()
	src, err := swarm.Offer(swarm.Options{Identity: s.identity(swarm.ControllerName)}.Unhurried(), s.manifest, bytes.NewReader(s.data))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(src.Close)
	return src
}

func (s *site) identity(name string) swarm.Identity {
	s.t.Helper()
	id, err := s.authority.Issue(name, time.Now())
	if err != nil {
		s.t.Fatal(err)
	}
	return id
}

// node is one who receives.
type node struct {
	site *site
	name string
	hub  *swarm.Hub
	disk *disk
	*swarm.Transfer
	alter func(swarm.Options) swarm.Options // of this node

	mu    sync.Mutex
	lines []string
}

func (n *node) log(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lines = append(n.lines, fmt.Sprintf(format, args...))
}

func (n *node) said() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return strings.Join(n.lines, "\n")
}

// addr is where a node is reached; nobody listens there when it was killed.
func (n *node) addr() string {
	at := n.hub.Addr()
	if at == nil {
		return "127.0.0.1:1"
	}
	_, port, _ := net.SplitHostPort(at.String())
	return net.JoinHostPort("127.0.0.1", port)
}

func (n *node) peer() swarm.Peer { return swarm.Peer{Name: n.name, Addr: n.addr()} }

// join makes a node that takes from others.
func (s *site) join(name string, d *disk, from ...swarm.Peer) *node {
	s.t.Helper()
	n := &node{site: s, name: name, hub: &swarm.Hub{}, disk: d}
	if n.disk == nil {
		n.disk = &disk{data: make([]byte, len(s.data))}
	}
	n.hub.Log = n.log
	n.begin(from...)
	s.t.Cleanup(n.hub.CloseAll)
	return n
}

func (n *node) begin(from ...swarm.Peer) {
	n.site.t.Helper()
	var err error
	opts := swarm.Options{
		Digest: n.site.manifest.Digest(), Identity: n.site.identity(n.name), Peers: from, Log: n.log,
		Open: func(*swarm.Manifest) (swarm.Store, error) { return n.disk, nil },
	}.Unhurried()
	if n.alter != nil {
		opts = n.alter(opts)
	}
	n.Transfer, err = n.hub.Open(0, opts)
	if err != nil {
		n.site.t.Fatal(err)
	}
}

// chain makes n nodes, each of which takes from the three before it.
func (s *site) chain(n int) []*node {
	s.t.Helper()
	var nodes []*node
	for i := range n {
		var from []swarm.Peer
		for k := i - 1; k >= 0 && k >= i-3; k-- {
			from = append(from, nodes[k].peer())
		}
		nodes = append(nodes, s.join(fmt.Sprintf("NODE-%d", i+1), nil, from...))
	}
	return nodes
}

// feed has the controller dial nodes until they are complete, or the test ends.
func (s *site) feed(src *swarm.Transfer, nodes ...*node) (stop func()) {
	ctx, cancel := context.WithCancel(s.t.Context())
	var all sync.WaitGroup
	for _, n := range nodes {
		all.Go(func() {
			for ctx.Err() == nil {
				conn, err := new(net.Dialer).DialContext(ctx, "tcp", n.addr())
				if err != nil {
					return
				}
				if src.Feed(ctx, conn, n.name) == nil {
					return
				}
			}
		})
	}
	stop = func() { cancel(); all.Wait() }
	s.t.Cleanup(stop)
	return stop
}

// complete waits for nodes and compares what they have, byte for byte.
func (s *site) complete(nodes ...*node) {
	s.t.Helper()
	for _, n := range nodes {
		if err := n.Wait(s.t.Context(), patience, nil); err != nil {
			s.t.Fatalf("%s: %v\n%s", n.name, err, n.said())
		}
		if sha256.Sum256(n.disk.data) != sha256.Sum256(s.data) {
			s.t.Fatalf("%s has other bytes", n.name)
		}
	}
}

// until waits for a condition.
func (s *site) until(what string, cond func() bool) {
	s.t.Helper()
	deadline := time.Now().Add(patience)
	for !cond() {
		if time.Now().After(deadline) {
			s.t.Fatalf("waited %s until %s", patience, what)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestAFileReachesAllNodesAndLeavesTheControllerOnce(t *testing.T) {
	s := newSite(t, 8<<20+123)
	nodes := s.chain(6)
	s.feed(s.source, nodes...)
	s.complete(nodes...)
	if sent := s.source.Stats().Sent; sent != int64(len(s.data)) {
		t.Errorf("the controller sent %d bytes of a file of %d", sent, len(s.data))
	}
	for _, n := range nodes {
		if st := n.Stats(); st.Received != int64(len(s.data)) || st.Twice != 0 {
			t.Errorf("%s: %+v", n.name, st)
		}
	}
}
