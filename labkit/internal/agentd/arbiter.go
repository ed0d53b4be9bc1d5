package agentd

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"icm/labkit/internal/store"
)

// Answers of an arbiter.
const (
	Granted = "granted" // the beat is noted, the claim is allowed
	Refused = "refused" // the claim is not
	Deposed = "deposed" // somebody else is primary by now
)

// reign is what an arbiter knows of a mirror. It forgets when it restarts,
// and then refuses all claims until a primary has spoken again.
type reign struct {
	epoch   store.Epoch
	primary string
	active  []string
	heard   time.Time
	quiet   time.Duration
}

// arbiter decides, one question at a time, who is primary of a mirror whose
// members have lost each other.
type arbiter struct {
	mu     sync.Mutex
	reigns map[string]*reign
}

// beat notes who is primary and who may follow. A primary that drops a member
// from Active and is granted it can be sure that the member will not lead.
func (a *arbiter) beat(q Question, out *Answer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.reigns[q.Mirror]
	if r != nil && (r.epoch.Number() > q.Epoch.Number() || r.epoch.Number() == q.Epoch.Number() && r.primary != q.System) {
		out.Status, out.Epoch, out.Primary = Deposed, r.epoch, r.primary
		return
	}
	if a.reigns == nil {
		a.reigns = map[string]*reign{}
	}
	a.reigns[q.Mirror] = &reign{epoch: q.Epoch, primary: q.System, active: q.Active, heard: time.Now(), quiet: q.Quiet}
	out.Status, out.Epoch, out.Primary = Granted, q.Epoch, q.System
}

// claim lets an active member, or the last primary itself, begin a new reign
// when the primary has been silent for too long.
func (a *arbiter) claim(q Question, out *Answer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.reigns[q.Mirror]
	out.Status = Refused
	switch {
	case r == nil:
		out.Why = "the arbiter has not heard of this mirror since it started"
	case r.epoch != q.Epoch:
		out.Why = fmt.Sprintf("the arbiter knows epoch %d of %s", r.epoch.Number(), r.primary)
	case r.primary != q.System && !slices.Contains(r.active, q.System):
		out.Why = "the member was not active"
	case r.primary != q.System && time.Since(r.heard) < r.quiet:
		out.Why = "the arbiter hears the primary"
	default:
		r.epoch, r.primary, r.active, r.heard = q.Next, q.System, nil, time.Now()
		out.Status = Granted
	}
	out.Epoch, out.Primary = 0, ""
	if r != nil {
		out.Epoch, out.Primary = r.epoch, r.primary
	}
}
