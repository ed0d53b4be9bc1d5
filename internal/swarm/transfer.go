package swarm

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// Store is where the chunks of a file lie.
type Store interface {
	io.ReaderAt
	io.WriterAt
}

// Peer is somebody to take from.
type Peer struct {
	Name string `json:"name"` // as its certificate says
	Addr string `json:"addr"` // host:port
}

// Options describe a transfer as one who takes part sees it.
type Options struct {
	// Digest names the manifest: it is what everybody agrees on.
	Digest   Sum
	Identity Identity
	// Peers are whom to take from, the first that keeps up.
	Peers []Peer
	// Rate bounds what is sent, in bytes per second; 0 does not.
	Rate int64
	// Open is called once, when the manifest is known. What the store has of
	// the file already is found out and kept.
	Open func(*Manifest) (Store, error)
	// Log gets lines for people; may be nil.
	Log func(format string, args ...any)

	times times
}

// Stats count what a transfer did, in bytes of chunks.
type Stats struct {
	Size     int64 // of the file; 0 while it is not known
	Have     int64 // that are here
	Received int64 // that came, checked
	Twice    int64 // that came although they were here
	Sent     int64
}

// Transfer is one's part in the distribution of one file. It is safe for use by
// many goroutines.
type Transfer struct {
	opts   Options
	tls    *tls.Config
	limit  limiter
	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup
	nudge  chan struct{} // somebody has to look at the whole again
	done   chan struct{} // closed when all is here, or err is set

	opening sync.Mutex // held while the store is opened

	mu       sync.Mutex
	over     bool // done is closed
	err      error
	manifest *Manifest
	encoded  []byte
	store    Store
	have     set
	missing  int // chunks; not known before the manifest
	links    []*link
	peers    []*candidate
	primary  *link // who was asked for everything that is missing
	window   window
	began    time.Time
	gained   time.Time // when something new came last
	lonely   time.Time // since when there is nobody to take from
	lost     bool      // there was somebody
	stats    Stats
}

// Receive begins to take part. Nobody is waited for; see Wait.
func Receive(opts Options) (*Transfer, error) {
	t, err := newTransfer(opts)
	if err != nil {
		return nil, err
	}
	for i, p := range opts.Peers {
		t.peers = append(t.peers, &candidate{Peer: p, rank: i})
	}
	t.work.Go(t.tend)
	return t, nil
}

// Offer begins to take part as one who has the file.
func Offer(opts Options, m *Manifest, r io.ReaderAt) (*Transfer, error) {
	opts.Digest = m.Digest()
	t, err := newTransfer(opts)
	if err != nil {
		return nil, err
	}
	t.manifest, t.encoded, t.store = m, m.Encode(), readOnly{r}
	t.have, t.stats.Size, t.stats.Have = fullSet(len(m.Chunks)), m.Size, m.Size
	t.over = true
	close(t.done)
	t.work.Go(t.tend)
	return t, nil
}

type readOnly struct{ io.ReaderAt }

func (readOnly) WriteAt([]byte, int64) (int, error) { return 0, errors.New("this copy is complete") }

func newTransfer(opts Options) (*Transfer, error) {
	conf, err := opts.Identity.config()
	if err != nil {
		return nil, err
	}
	if opts.times == (times{}) {
		opts.times = usualTimes
	}
	if opts.Log == nil {
		opts.Log = func(string, ...any) {}
	}
	t := &Transfer{opts: opts, tls: conf, nudge: make(chan struct{}, 1), done: make(chan struct{})}
	t.limit.rate = opts.Rate
	t.began = time.Now()
	t.gained, t.lonely = t.began, t.began
	t.ctx, t.cancel = context.WithCancel(context.Background())
	return t, nil
}

// Close ends all links and waits for their goroutines.
func (t *Transfer) Close() {
	t.fail(errors.New("the transfer was ended"))
	t.cancel()
	t.work.Wait()
}

// Done is closed when the file is complete, or never will be; Err says which.
func (t *Transfer) Done() <-chan struct{} { return t.done }

// Err is why the file will not become complete; nil while it may, or is.
func (t *Transfer) Err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// Stats is how the transfer stands.
func (t *Transfer) Stats() Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.stats
}

// Manifest is what the file is made of, nil while that is not known.
func (t *Transfer) Manifest() *Manifest {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.manifest
}

// fail ends the receiving, for the first reason given.
func (t *Transfer) fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.over {
		t.err = err
		t.endLocked()
	}
}

func (t *Transfer) endLocked() {
	t.over = true
	close(t.done)
	for _, l := range t.links {
		switch {
		case t.err != nil:
			l.close() // nobody should wait for us
		case l.source: // those we serve stay
			l.tellLocked(byeFrame(errComplete.Error()))
			l.leaving = true
		}
	}
}

func (t *Transfer) wake() {
	select {
	case t.nudge <- struct{}{}:
	default:
	}
}

// learn takes a manifest that came over a link, the first time, and finds out
// what is here already.
func (t *Transfer) learn(body []byte) error {
	t.opening.Lock()
	defer t.opening.Unlock()
	if t.Manifest() != nil {
		return nil
	}
	m, err := ParseManifest(body)
	if err != nil {
		return &poison{err.Error()}
	}
	if m.Digest() != t.opts.Digest {
		return &poison{"the manifest is another one"}
	}
	store, err := t.opts.Open(m)
	var have set
	if err == nil {
		have, err = m.present(t.ctx, store)
	}
	if err != nil {
		t.fail(err)
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.manifest, t.encoded, t.store, t.have = m, body, store, have
	t.missing = len(m.Chunks) - have.count()
	t.stats.Size = m.Size
	for _, s := range have.spans(len(m.Chunks)) {
		for i := s.from; i < s.from+s.count; i++ {
			t.stats.Have += int64(m.length(i))
		}
	}
	for _, l := range t.links {
		l.readyLocked()
	}
	t.gained = time.Now()
	t.completeLocked()
	t.wake()
	return nil
}

func (t *Transfer) completeLocked() {
	if t.missing == 0 && !t.over {
		t.endLocked()
	}
}

// keep stores a chunk that came and is right.
func (t *Transfer) keep(from *link, i int, data []byte) error {
	t.mu.Lock()
	from.has.add(i)
	known := t.have.has(i)
	if known {
		t.stats.Twice += int64(len(data))
	}
	t.mu.Unlock()
	if known {
		return nil
	}
	if _, err := t.store.WriteAt(data, t.manifest.offset(i)); err != nil {
		t.fail(fmt.Errorf("cannot store what came: %w", err))
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.have.has(i) {
		return nil // over two links at the same time
	}
	t.have.add(i)
	t.missing--
	t.stats.Have += int64(len(data))
	t.stats.Received += int64(len(data))
	t.gained = time.Now()
	from.got++
	if p := t.primary; p != nil && p != from {
		p.tellLocked(spanFrames(kindDrop, []span{{i, 1}})...)
	}
	for _, l := range t.links {
		l.gainedLocked(i)
	}
	t.completeLocked()
	return nil
}

// Wait waits until all is here. It gives up when nothing came for the patience
// given, and tells about the wait every second.
func (t *Transfer) Wait(ctx context.Context, patience time.Duration, told func(Stats, time.Duration)) error {
	const every = time.Second
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-t.done:
			return t.Err()
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		t.mu.Lock()
		stats, deadline := t.stats, t.gained.Add(patience)
		t.mu.Unlock()
		if time.Now().After(deadline) {
			return t.starved(patience)
		}
		if told != nil {
			told(stats, time.Until(deadline))
		}
	}
}

// starved says whom nothing came from.
func (t *Transfer) starved(patience time.Duration) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := "nobody answered who has it"
	for _, l := range t.links {
		if l.source {
			text = l.name + " is connected and sends nothing"
		}
	}
	for _, p := range t.peers {
		if p.err != nil {
			text += fmt.Sprintf("; %s: %v", p.Name, p.err)
		}
	}
	return fmt.Errorf("nothing came for %s: %s", patience, text)
}
