package swarm

import (
	"context"
	"errors"
	"time"
)

// Times of a transfer.
const (
	beat       = 200 * time.Millisecond // between two looks at the whole while something is missing
	slowBeat   = 500 * time.Millisecond // the same for one who only serves
	lifeSign   = 500 * time.Millisecond // a link says something at least about that often
	redialMost = 3 * time.Second        // between two tries to reach a peer
	// atATime is how many peers a node is linked to: one to take from, and
	// others to tell whether that one keeps up.
	atATime = 3
)

// candidate is a peer that may be dialed.
type candidate struct {
	Peer
	rank   int
	linked bool // there is a link, or one is being made
	banned bool // it sent wrong bytes
	pause  time.Duration
	again  time.Time // not before
	err    error     // of the last try
}

func (t *Transfer) candidateLocked(name string) *candidate {
	for _, p := range t.peers {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// tend looks at the whole again and again: whether links are alive, who keeps
// up, whom to dial. It rests while there is nothing to tend.
func (t *Transfer) tend() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-t.ctx.Done():
			return
		case <-t.nudge:
		case <-timer.C:
		}
		if pause := t.round(time.Now()); pause > 0 {
			timer.Reset(pause)
		}
	}
}

// round returns after which time the next one is due, 0 when only a nudge
// makes one necessary.
func (t *Transfer) round(now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range t.links {
		t.tendLinkLocked(l, now)
	}
	if !t.over {
		t.judgeLocked(now)
		t.chooseLocked(now)
		t.dialLocked(now)
		return beat
	}
	if len(t.links) > 0 {
		return slowBeat
	}
	return 0
}

func (t *Transfer) tendLinkLocked(l *link, now time.Time) {
	if l.silence(now) > t.opts.times.dead {
		l.close()
		return
	}
	if l.tell != nil && l.watches {
		if spans := l.tell.spans(len(t.manifest.Chunks)); len(spans) > 0 {
			clear(l.tell)
			l.tellLocked(spanFrames(kindHave, spans)...)
			return
		}
	}
	if now.Sub(l.told) >= lifeSign && len(l.out) == 0 {
		l.tellLocked(frame(kindAlive, nil))
	}
}

// dialLocked dials the first peers always, and further ones while there are
// not enough links.
func (t *Transfer) dialLocked(now time.Time) {
	linked := 0
	for _, l := range t.links {
		if l.source && l.rank != controllerRank {
			linked++
		}
	}
	for i, p := range t.peers {
		if p.linked || p.banned || now.Before(p.again) || i >= atATime && linked >= atATime {
			continue
		}
		p.linked = true
		linked++
		t.work.Go(func() { t.meet(p) })
	}
}

// meet dials a peer and stays on the link until it ends.
func (t *Transfer) meet(p *candidate) {
	ctx, cancel := context.WithTimeout(t.ctx, t.opts.times.dial)
	conn, in, err := dial(ctx, t.tls, p.Peer, t.opts.Digest)
	cancel()
	if err == nil {
		t.mu.Lock()
		p.pause, p.err = 0, nil
		t.mu.Unlock()
		err = t.run(&link{conn: conn, in: in, name: p.Name, source: true, rank: p.rank, peer: p})
	}
	if errors.Is(err, errComplete) {
		err = nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	p.linked = false
	if !p.banned {
		p.err = err
	}
	p.pause = min(redialMost, max(beat/2, 2*p.pause))
	p.again = time.Now().Add(p.pause)
}
