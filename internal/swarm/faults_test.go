package swarm_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"icm/internal/swarm"
	"icm/internal/swarm/authority"
)

// gate is a store that gives nothing away before it is opened, beyond so many
// bytes: the middle of a transfer.
type gate struct {
	io.ReaderAt
	free int64
	open chan struct{}
}

func (g *gate) ReadAt(p []byte, at int64) (int, error) {
	if at >= g.free {
		<-g.open
	}
	return g.ReaderAt.ReadAt(p, at)
}

// gated is a controller that stops in the middle of the file until the test
// opens the gate.
func (s *site) gated() (*swarm.Transfer, *gate) {
	s.t.Helper()
	g := &gate{ReaderAt: bytes.NewReader(s.data), free: int64(len(s.data) / 2), open: make(chan struct{})}
	src, err := swarm.Offer(swarm.Options{Identity: s.identity(swarm.ControllerName)}.Unhurried(), s.manifest, g)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(src.Close)
	return src, g
}

// half waits until a node has what a gated controller gives away.
func (s *site) half(n *node) {
	s.t.Helper()
	s.until(n.name+" has half of it", func() bool { return n.Stats().Have >= int64(len(s.data)/2)-1<<20 })
}

func TestAKilledPeerCostsTheOthersNothingButItsPlace(t *testing.T) {
	s := newSite(t, 8<<20)
	src, g := s.gated()
	nodes := s.chain(5)
	s.feed(src, nodes...)
	s.half(nodes[4])
	nodes[0].hub.CloseAll()
	nodes[2].hub.CloseAll()
	close(g.open)
	s.complete(nodes[1], nodes[3], nodes[4])
	if sent := src.Stats().Sent; sent > 2*int64(len(s.data)) {
		t.Errorf("the controller sent %d bytes of a file of %d", sent, len(s.data))
	}
}

func TestAKilledControllerGoesOnWithWhatIsMissing(t *testing.T) {
	s := newSite(t, 8<<20)
	src, g := s.gated()
	nodes := s.chain(3)
	stop := s.feed(src, nodes...)
	s.half(nodes[2])
	close(g.open) // so that nothing hangs in it
	src.Close()
	stop()
	before := src.Stats().Sent
	again := s.offer()
	s.feed(again, nodes...)
	s.complete(nodes...)
	if sent := before + again.Stats().Sent; sent > int64(len(s.data)+s.manifest.ChunkSize) {
		t.Errorf("both controllers sent %d bytes of a file of %d", sent, len(s.data))
	}
}

func TestAKilledNodeGoesOnWithWhatIsMissing(t *testing.T) {
	s := newSite(t, 8<<20)
	src, g := s.gated()
	nodes := s.chain(2)
	s.feed(src, nodes...)
	s.half(nodes[1])
	nodes[1].hub.CloseAll()
	kept := nodes[1].Stats().Have
	reborn := s.join("NODE-2", nodes[1].disk, nodes[0].peer())
	close(g.open)
	s.feed(src, nodes[0], reborn)
	s.complete(nodes[0], reborn)
	if got := reborn.Stats().Received; got != int64(len(s.data))-kept {
		t.Errorf("%d bytes came again, of %d that were missing", got, int64(len(s.data))-kept)
	}
}

func TestANodeThatHasTheFileIsASource(t *testing.T) {
	s := newSite(t, 4<<20)
	has := s.join("NODE-1", &disk{data: bytes.Clone(s.data)})
	s.feed(s.source, has) // tells it what the file is made of
	s.complete(has)
	other := s.join("NODE-2", nil, has.peer())
	s.feed(s.source, other)
	s.complete(has, other)
	if has.disk.writes != 0 || s.source.Stats().Sent != 0 {
		t.Errorf("%d bytes were written where all was there, %d came from the controller", has.disk.writes, s.source.Stats().Sent)
	}
}

func TestANodeThatComesLateTakesPart(t *testing.T) {
	s := newSite(t, 4<<20)
	src, g := s.gated()
	nodes := s.chain(2)
	s.feed(src, nodes...)
	s.half(nodes[1])
	late := s.join("NODE-3", nil, nodes[1].peer(), nodes[0].peer())
	close(g.open)
	s.feed(src, late)
	s.complete(append(nodes, late)...)
}

func TestANodeThatNoPeerReachesTakesFromTheController(t *testing.T) {
	s := newSite(t, 4<<20)
	nodes := s.chain(2)
	alone := s.join("NODE-3", nil, swarm.Peer{Name: "NODE-9", Addr: "127.0.0.1:1"}) // nobody listens there
	alone.hub.CloseAll()
	alone.alter = func(o swarm.Options) swarm.Options { return o.Impatient() }
	alone.begin(swarm.Peer{Name: "NODE-9", Addr: "127.0.0.1:1"})
	s.feed(s.source, append(nodes, alone)...)
	s.complete(append(nodes, alone)...)
}

func TestAFullDiskStopsOneNodeAndSaysSo(t *testing.T) {
	s := newSite(t, 4<<20)
	first := s.join("NODE-1", nil)
	full := s.join("NODE-2", &disk{data: make([]byte, len(s.data)), full: 2 << 20}, first.peer())
	third := s.join("NODE-3", nil, full.peer(), first.peer())
	s.feed(s.source, first, full, third)
	s.complete(first, third)
	err := full.Wait(t.Context(), patience, nil)
	if err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("the full node says %v", err)
	}
}

func TestASlowNodeDoesNotHoldUpThoseBehindIt(t *testing.T) {
	s := newSite(t, 16<<20)
	first := s.join("NODE-1", nil)
	slow := s.join("NODE-2", nil)
	slow.hub.CloseAll()
	slow.alter = func(o swarm.Options) swarm.Options { o.Rate = 1; return o } // passes nothing on
	slow.begin(first.peer())
	third := s.join("NODE-3", nil)
	third.hub.CloseAll()
	third.alter = func(o swarm.Options) swarm.Options { return o.Hurried() }
	third.begin(slow.peer(), first.peer())
	s.feed(s.source, first, slow, third)
	s.complete(first, third)
}

func TestARateIsKept(t *testing.T) {
	s := newSite(t, 2<<20)
	src, err := swarm.Offer(swarm.Options{Identity: s.identity(swarm.ControllerName), Rate: 8 << 20}, s.manifest, bytes.NewReader(s.data))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(src.Close)
	n := s.join("NODE-1", nil)
	start := time.Now()
	s.feed(src, n)
	s.complete(n)
	// All but the last chunk have to be paid for before the last one goes.
	if least := time.Second * 7 / 32; time.Since(start) < least {
		t.Errorf("2 MiB at 8 MiB/s took %s", time.Since(start))
	}
}

// liar sends chunks of its own making to whoever asks.
func (s *site) liar(name string) (peer swarm.Peer, asked *atomic.Int64) {
	s.t.Helper()
	l := s.listen(s.identity(name))
	asked = &atomic.Int64{}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go s.lie(conn, asked)
		}
	}()
	return swarm.Peer{Name: name, Addr: l.Addr().String()}, asked
}

func (s *site) listen(id swarm.Identity) net.Listener {
	s.t.Helper()
	key, err := x509.ParsePKCS8PrivateKey(id.Key)
	if err != nil {
		s.t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{id.Certificate}, PrivateKey: key}}, ClientAuth: tls.RequireAnyClientCert,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = l.Close() })
	return l
}

func (s *site) lie(conn net.Conn, asked *atomic.Int64) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for {
		k, body, err := swarm.ReadFrame(in)
		if err != nil {
			return
		}
		switch k {
		case swarm.KindHello:
			_, err = conn.Write(swarm.Frame(k, body))
		case swarm.KindWatch:
			all := binary.BigEndian.AppendUint32(make([]byte, 4), uint32(len(s.manifest.Chunks)))
			_, err = conn.Write(append(swarm.Frame(swarm.KindManifest, s.manifest.Encode()), swarm.Frame(swarm.KindHave, all)...))
		case swarm.KindGet:
			asked.Add(1)
			_, err = conn.Write(swarm.Frame(swarm.KindChunk, make([]byte, 4+s.manifest.ChunkSize)))
		}
		if err != nil {
			return
		}
	}
}

func TestANodeThatSendsWrongBytesIsNamedAndLeftOut(t *testing.T) {
	s := newSite(t, 4<<20)
	liar, asked := s.liar("NODE-1")
	honest := s.join("NODE-2", nil)
	victim := s.join("NODE-3", nil, liar, honest.peer())
	s.feed(s.source, honest, victim)
	s.complete(honest, victim)
	if said := victim.said(); asked.Load() != 1 || !strings.Contains(said, "NODE-1 is left out: it sent wrong bytes: chunk 0") {
		t.Errorf("asked %d times, and said %q", asked.Load(), said)
	}
}

func TestAWrongManifestIsRefused(t *testing.T) {
	s := newSite(t, 1<<20)
	other := newSite(t, 2<<20)
	other.authority = s.authority
	s.manifest, other.manifest = other.manifest, s.manifest // the liar speaks of the wrong file
	liar, _ := s.liar("NODE-1")
	s.manifest, other.manifest = other.manifest, s.manifest
	victim := s.join("NODE-2", nil, liar)
	s.until("it is named", func() bool { return strings.Contains(victim.said(), "NODE-1 is left out") })
	s.feed(s.source, victim)
	s.complete(victim)
}

// refused tries to talk to a node with an identity, and says what came of it.
func (s *site) refused(n *node, id swarm.Identity, as string) error {
	src, err := swarm.Offer(swarm.Options{Identity: id}.Unhurried(), s.manifest, bytes.NewReader(s.data))
	if err != nil {
		s.t.Fatal(err)
	}
	defer src.Close()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", n.addr())
	if err != nil {
		s.t.Fatal(err)
	}
	return src.Feed(ctx, conn, as)
}

func TestWhoHasNoCertificateOfTheDeploymentIsRefused(t *testing.T) {
	s := newSite(t, 1<<20)
	n := s.join("NODE-1", nil)
	stranger, err := authority.New("ICM-2", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := stranger.Issue(swarm.ControllerName, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	old, err := s.authority.Issue(swarm.ControllerName, time.Now().Add(-72*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	mixed := old
	mixed.Authority = s.identity("x").Authority
	for name, c := range map[string]struct {
		id   swarm.Identity
		as   string
		want string
	}{
		"another deployment":          {foreign, "NODE-1", "its certificate is not of this deployment"},
		"a certificate that is over":  {mixed, "NODE-1", "does not accept our certificate"},
		"a node under another's name": {s.identity(swarm.ControllerName), "NODE-2", "another machine answers there"},
	} {
		if err := s.refused(n, c.id, c.as); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if n.Stats().Have != 0 {
		t.Error("bytes of a stranger were taken")
	}
}

func TestANodeWhoseCertificateIsOverIsNotTakenFrom(t *testing.T) {
	s := newSite(t, 1<<20)
	old, err := s.authority.Issue("NODE-1", time.Now().Add(-72*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	l := s.listen(old)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, conn)
			_ = conn.Close()
		}
	}()
	n := s.join("NODE-2", nil, swarm.Peer{Name: "NODE-1", Addr: l.Addr().String()})
	s.until("it says why", func() bool {
		err := n.Wait(t.Context(), time.Second, nil)
		return err != nil && strings.Contains(err.Error(), "NODE-1: its certificate is not valid at this time")
	})
}
