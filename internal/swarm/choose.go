package swarm

import "time"

// enough is how many chunks of news there must be before two sources are
// compared.
const enough = 16

// times are how patient one who takes part is. Tests on slow machines take
// longer ones.
type times struct {
	// compared is how long the news must have come in before two sources are
	// compared.
	compared time.Duration
	// catchUp is how long a source may be behind that has begun late.
	catchUp time.Duration
	// stalled is how long nothing may be gained while somebody else has what is
	// missing. When that is the controller alone, the source must have been
	// silent for so long: it says something much more often.
	stalled, silent time.Duration
	// penalty is how long a source that did not keep up is avoided, the first
	// time; it doubles.
	penalty time.Duration
	// atFirst is how long peers are waited for at the start before everything
	// is asked of the controller; afterLoss is the same when the last peer has
	// gone.
	atFirst, afterLoss time.Duration
	// settle is how long the first peer is waited for when another one answers
	// earlier.
	settle time.Duration
	// dead is how long nothing may come over a link.
	dead time.Duration
	// dial bounds making a link: connection, handshakes and hellos.
	dial time.Duration
}

var usualTimes = times{
	compared: time.Second, catchUp: 3 * time.Second, stalled: 10 * time.Second, silent: 2 * time.Second,
	penalty: 8 * time.Second, atFirst: 5 * time.Second, afterLoss: 500 * time.Millisecond,
	settle: time.Second, dead: 5 * time.Second, dial: 5 * time.Second,
}

// window is the time over which sources are compared.
type window struct{ since time.Time }

func (t *Transfer) restartWindowLocked(from time.Time) {
	t.window.since = from
	for _, l := range t.links {
		l.got, l.news = 0, 0
	}
}

// hasPeerLocked reports whether there is anybody but the controller to take
// from.
func (t *Transfer) hasPeerLocked() bool {
	for _, l := range t.links {
		if l.source && l.rank != controllerRank {
			return true
		}
	}
	return false
}

// aloneLocked reports whether it is time to take from the controller.
func (t *Transfer) aloneLocked(now time.Time) bool {
	if t.hasPeerLocked() {
		return false
	}
	patience := t.opts.times.atFirst
	if t.lost {
		patience = t.opts.times.afterLoss
	}
	return t.usableLocked() == 0 || now.Sub(t.lonely) >= patience
}

// usableLocked counts the peers that have not been found out.
func (t *Transfer) usableLocked() int {
	n := 0
	for _, p := range t.peers {
		if !p.banned {
			n++
		}
	}
	return n
}

// earlyLocked reports whether a better source than this one may answer in a
// moment: nodes begin at about the same time, and who switches a moment later
// gets some chunks twice.
func (t *Transfer) earlyLocked(l *link, now time.Time) bool {
	if t.lost || len(t.peers) == 0 || l.rank == 0 || now.Sub(t.began) >= t.opts.times.settle {
		return false
	}
	first := t.peers[0]
	return !first.banned && first.err == nil
}

// judgeLocked looks whether the primary keeps up with what others have.
func (t *Transfer) judgeLocked(now time.Time) {
	p := t.primary
	if p == nil || now.Before(t.window.since) {
		return
	}
	news, other, only := 0, false, true
	for _, l := range t.links {
		if l == p || !l.source || !l.answers {
			continue
		}
		news = max(news, l.news)
		if t.lacksLocked(l) {
			other = true
			only = only && l.rank == controllerRank
		}
	}
	switch {
	case other && only && p.silence(now) >= t.opts.times.silent:
		t.blameLocked(p, now)
	case other && !only && now.Sub(t.gained) >= t.opts.times.stalled:
		t.blameLocked(p, now)
	case news >= enough && now.Sub(t.window.since) >= t.opts.times.compared:
		if 2*p.got < news {
			t.blameLocked(p, now)
		} else {
			t.restartWindowLocked(now)
		}
	}
}

// lacksLocked reports whether a source has something that is missing here.
func (t *Transfer) lacksLocked(l *link) bool { return l.has.minus(t.have) > 0 }

func (t *Transfer) blameLocked(l *link, now time.Time) {
	l.penalty = max(t.opts.times.penalty, 2*l.penalty)
	l.blamed = now.Add(l.penalty)
	t.gained = now // the next one gets its time
}

// chooseLocked asks the best source for everything that is missing.
func (t *Transfer) chooseLocked(now time.Time) {
	if t.manifest == nil || t.over {
		return
	}
	best := t.bestLocked(now)
	if best == nil || best == t.primary || t.primary == nil && t.earlyLocked(best, now) {
		return
	}
	missing := newSet(len(t.manifest.Chunks))
	for i := range t.manifest.Chunks {
		if !t.have.has(i) {
			missing.add(i)
		}
	}
	spans := missing.spans(len(t.manifest.Chunks))
	if t.primary != nil {
		t.primary.tellLocked(spanFrames(kindDrop, spans)...)
	}
	best.tellLocked(spanFrames(kindGet, spans)...)
	t.primary = best
	from := now
	if t.have.minus(best.has) > enough {
		from = now.Add(t.opts.times.catchUp)
	}
	t.restartWindowLocked(from)
}

// bestLocked is the source to take from: the first of those that are not
// blamed, or else the one whose blame ends first.
func (t *Transfer) bestLocked(now time.Time) *link {
	var best *link
	for _, l := range t.links {
		if !l.source || !l.answers {
			continue
		}
		if l.rank == controllerRank && !t.aloneLocked(now) && !t.blamedAllLocked(now) {
			continue
		}
		if best == nil || l.better(best, now) {
			best = l
		}
	}
	p := t.primary
	if best == nil || p == nil || best == p || p.blamed.After(now) {
		return best
	}
	// Going back to one that was away: only when it catches up soon.
	if lag := t.have.minus(best.has); best.rank < p.rank && 2*lag >= t.missing && lag > 0 {
		return p
	}
	return best
}

func (l *link) better(than *link, now time.Time) bool {
	a, b := l.blamed.After(now), than.blamed.After(now)
	switch {
	case a != b:
		return b
	case a:
		return l.blamed.Before(than.blamed)
	default:
		return l.rank < than.rank
	}
}

// blamedAllLocked reports whether there are peers to take from, and all of them
// are blamed at this time.
func (t *Transfer) blamedAllLocked(now time.Time) bool {
	blamed := false
	for _, l := range t.links {
		if !l.source || l.rank == controllerRank {
			continue
		}
		if !l.blamed.After(now) {
			return false
		}
		blamed = true
	}
	return blamed
}
