package swarm

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// controllerRank is the place of the controller among those to take from: the
// last.
const controllerRank = 1 << 20

// link is one connection to another who takes part.
type link struct {
	t      *Transfer
	conn   net.Conn
	in     *bufio.Reader
	name   string
	source bool // chunks may be taken from it
	rank   int  // among the sources; smaller is better
	wakeUp chan struct{}
	gone   chan struct{}
	once   sync.Once
	heard  atomic.Int64 // when anything came last, in Unix nanoseconds

	// The rest is guarded by the transfer's lock.
	out     [][]byte      // frames to be sent before the next chunk
	watches bool          // the peer wants to be told what is here
	answers bool          // has told what it has
	has     set           // what it told, and sent
	wanted  set           // what it asked for
	tell    set           // what it has not been told
	got     int           // chunks that came from it since the window began
	news    int           // chunks that it told of since the window began
	told    time.Time     // when something was sent last
	leaving bool          // what is queued is the last
	blamed  time.Time     // until when it is taken from only if there is nobody else
	penalty time.Duration // of the next time
	peer    *candidate    // nil when it dialed us
}

// errComplete is how a link ends whose receiver has all.
var errComplete = errors.New("complete")

// poison is wrong bytes. Whoever sent them is left out.
type poison struct{ what string }

func (p *poison) Error() string { return "it sent wrong bytes: " + p.what }

// run joins a link to its transfer until it ends, and says why it did.
func (t *Transfer) run(l *link) error {
	l.t, l.wakeUp, l.gone = t, make(chan struct{}, 1), make(chan struct{})
	if err := t.add(l); err != nil {
		if errors.Is(err, errComplete) {
			_, _ = l.conn.Write(byeFrame(errComplete.Error())) // it will find out
		}
		l.close()
		return err
	}
	stop := context.AfterFunc(t.ctx, l.close)
	defer stop()
	var sending sync.WaitGroup
	sending.Go(func() {
		l.send()
		l.close()
	})
	err := l.read()
	l.close()
	sending.Wait()
	t.remove(l, err)
	return err
}

func (t *Transfer) add(l *link) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l.source && t.over {
		return errComplete
	}
	if p := t.candidateLocked(l.name); p != nil && p.banned {
		return &poison{"earlier"}
	}
	now := time.Now()
	l.heard.Store(now.UnixNano())
	l.told = now
	t.links = append(t.links, l)
	if l.source {
		l.tellLocked(frame(kindWatch, nil))
	}
	if t.manifest != nil {
		l.setsLocked()
	}
	return nil
}

func (t *Transfer) remove(l *link, err error) {
	var bad *poison
	if errors.As(err, &bad) {
		t.opts.Log("%s is left out: %v", l.name, err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, other := range t.links {
		if other == l {
			t.links = append(t.links[:i], t.links[i+1:]...)
			break
		}
	}
	if p := t.candidateLocked(l.name); p != nil && bad != nil {
		p.banned, p.err = true, err
	}
	if t.primary == l {
		t.primary = nil
	}
	if l.source && l.rank != controllerRank && !t.hasPeerLocked() {
		t.lonely, t.lost = time.Now(), true
	}
	t.wake()
}

func (l *link) close() {
	l.once.Do(func() {
		close(l.gone)
		_ = l.conn.Close() // the reason is known already
	})
}

func (l *link) wake() {
	select {
	case l.wakeUp <- struct{}{}:
	default:
	}
}

// tellLocked queues frames.
func (l *link) tellLocked(frames ...[]byte) {
	l.out = append(l.out, frames...)
	l.wake()
}

// setsLocked makes room for what concerns single chunks, when it is known how
// many there are.
func (l *link) setsLocked() {
	if n := len(l.t.manifest.Chunks); l.has == nil {
		l.has, l.wanted, l.tell = newSet(n), newSet(n), newSet(n)
	}
}

// readyLocked answers a watch, once there is a manifest.
func (l *link) readyLocked() {
	t := l.t
	if t.manifest == nil {
		return
	}
	l.setsLocked()
	if l.watches {
		l.tellLocked(frame(kindManifest, t.encoded))
		l.tellLocked(spanFrames(kindHave, t.have.spans(len(t.manifest.Chunks)))...)
	}
}

// gainedLocked passes a new chunk on, or the news of it.
func (l *link) gainedLocked(i int) {
	if l.has == nil {
		return
	}
	if l.wanted.has(i) {
		l.wake()
	} else if l.watches {
		l.tell.add(i)
	}
}

// last, in the place of a chunk, says that nothing follows.
const last = -2

// next is what has to be sent now: frames, or a chunk, or nothing.
func (l *link) next() (frames [][]byte, chunk int) {
	t := l.t
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(l.out) > 0 {
		frames, l.out = l.out, nil
		l.told = time.Now()
		if l.leaving {
			return frames, last
		}
		return frames, -1
	}
	if l.wanted == nil {
		return nil, -1
	}
	if chunk = l.wanted.firstIn(t.have); chunk >= 0 {
		l.wanted.remove(chunk)
		l.tell.remove(chunk)
	}
	return nil, chunk
}

// send writes until the link ends. An error ends the reading too, which tells
// why.
func (l *link) send() {
	var buf []byte
	for {
		frames, chunk := l.next()
		for _, f := range frames {
			if _, err := l.conn.Write(f); err != nil {
				return
			}
		}
		switch {
		case chunk == last:
			return
		case chunk >= 0:
			if buf == nil {
				buf = make([]byte, frameHead+chunkHead+l.t.manifest.ChunkSize)
			}
			if !l.sendChunk(buf, chunk) {
				return
			}
		case len(frames) == 0:
			select {
			case <-l.wakeUp:
			case <-l.gone:
				return
			}
		}
	}
}

// sendChunk reads a chunk from the store and sends it. The store is ours: an
// error there ends our part, not the peer's.
func (l *link) sendChunk(buf []byte, i int) bool {
	t := l.t
	n := t.manifest.length(i)
	if !t.limit.wait(l.gone, n) {
		return false
	}
	if err := readFull(t.store, buf[frameHead+chunkHead:][:n], t.manifest.offset(i)); err != nil {
		t.opts.Log("cannot read what is here of the kit: %v", err)
		return false
	}
	putHead(buf, kindChunk, chunkHead+n)
	binary.BigEndian.PutUint32(buf[frameHead:], uint32(i))
	if _, err := l.conn.Write(buf[:frameHead+chunkHead+n]); err != nil {
		return false
	}
	t.mu.Lock()
	t.stats.Sent += int64(n)
	t.mu.Unlock()
	return true
}

// read takes frames until the link ends.
func (l *link) read() error {
	var buf []byte
	for {
		k, n, err := readHead(l.in)
		l.heard.Store(time.Now().UnixNano())
		if err != nil {
			return err
		}
		if cap(buf) < n {
			buf = make([]byte, n)
		}
		body := buf[:n]
		if _, err := io.ReadFull(heard{l.in, &l.heard}, body); err != nil {
			return err
		}
		if k == kindChunk {
			err = l.takeChunk(body)
		} else {
			err = l.take(k, body)
		}
		if err != nil {
			return err
		}
	}
}

func (l *link) takeChunk(body []byte) error {
	m := l.t.Manifest()
	if m == nil || !l.source || len(body) < chunkHead {
		return errors.New("it sent a chunk that nobody asked for")
	}
	i, data := int(binary.BigEndian.Uint32(body)), body[chunkHead:]
	if i >= len(m.Chunks) || len(data) != m.length(i) {
		return &poison{fmt.Sprintf("chunk %d with %d bytes", i, len(data))}
	}
	if sha256.Sum256(data) != m.Chunks[i] {
		return &poison{fmt.Sprintf("chunk %d has another hash", i)}
	}
	return l.t.keep(l, i, data)
}

// take handles every other frame.
func (l *link) take(k kind, body []byte) error {
	t := l.t
	if k == kindManifest {
		if !l.source {
			return errors.New("it sent a manifest that nobody asked for")
		}
		return t.learn(append([]byte(nil), body...))
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch k {
	case kindWatch:
		if !l.watches {
			l.watches = true
			l.readyLocked()
		}
		return nil
	case kindAlive:
		return nil
	case kindBye:
		if string(body) == errComplete.Error() {
			return errComplete
		}
		return fmt.Errorf("it says: %q", body)
	case kindHave, kindGet, kindDrop:
		if t.manifest == nil {
			return errors.New("it spoke of chunks before there was a manifest")
		}
		spans, err := parseSpans(body, len(t.manifest.Chunks))
		if err != nil {
			return err
		}
		l.chunksLocked(k, spans)
		return nil
	default:
		return fmt.Errorf("it sent a frame of kind %d", k)
	}
}

func (l *link) chunksLocked(k kind, spans []span) {
	for _, s := range spans {
		for i := s.from; i < s.from+s.count; i++ {
			switch k {
			case kindGet:
				l.wanted.add(i)
			case kindDrop:
				l.wanted.remove(i)
			default:
				if l.answers && !l.has.has(i) {
					l.news++
				}
				l.has.add(i)
			}
		}
	}
	if k == kindGet {
		l.wake()
	}
	if k == kindHave && !l.answers {
		l.answers = true
		l.t.wake()
	}
}

// heard notes that bytes came, also in the middle of a frame: on a slow line
// one takes long.
type heard struct {
	in io.Reader
	at *atomic.Int64
}

func (h heard) Read(p []byte) (int, error) {
	n, err := h.in.Read(p)
	h.at.Store(time.Now().UnixNano())
	return n, err
}

// silence is how long nothing has come.
func (l *link) silence(now time.Time) time.Duration {
	return now.Sub(time.Unix(0, l.heard.Load()))
}
