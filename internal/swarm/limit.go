package swarm

import (
	"sync"
	"time"
)

// limiter bounds what is sent over all links of a transfer, in bytes per
// second; a rate of 0 does not.
type limiter struct {
	rate int64
	mu   sync.Mutex
	free time.Time // when what was let through is paid for
}

// wait waits until n more bytes may be sent, and reports false when the link
// has gone meanwhile.
func (l *limiter) wait(gone <-chan struct{}, n int) bool {
	if l.rate <= 0 {
		return true
	}
	l.mu.Lock()
	now := time.Now()
	if l.free.Before(now) {
		l.free = now
	}
	due := l.free
	l.free = l.free.Add(time.Duration(float64(n) / float64(l.rate) * float64(time.Second)))
	l.mu.Unlock()
	timer := time.NewTimer(due.Sub(now))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-gone:
		return false
	}
}
