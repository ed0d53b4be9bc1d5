package continuity

import (
	"fmt"
	"time"

	"icm/labkit/internal/control"
	"icm/labkit/internal/store"
)

// change is a time in which something was replaced by its successor.
type change struct {
	what     string
	from, to time.Time
}

// subject is something that is replaced now and then.
type subject struct {
	value string
	order uint64 // 0 where values have no order
	// older and last are when the last two acknowledgments under value were
	// asked for. A server that ends may serve one connection for a moment
	// longer than the others, so a change is taken to begin at the older.
	older, last time.Time
}

// changes is what acknowledgments reveal.
type changes struct {
	subjects map[string]*subject
	list     []change
	// reigns are the epochs that acknowledged, by number; ruled is when the
	// first answer of each was there.
	reigns map[uint64]store.Epoch
	ruled  map[uint64]time.Time
	split  []string
}

func newChanges() *changes {
	return &changes{subjects: map[string]*subject{}, reigns: map[uint64]store.Epoch{}, ruled: map[uint64]time.Time{}}
}

// acknowledged takes in an acknowledgment that was asked for at from and was
// there at to.
func (c *changes) acknowledged(route string, a Answer, from, to time.Time) {
	for _, r := range []control.Receipt{a.By, a.Wrote} {
		c.see(r.Server, fmt.Sprintf("start %d", r.Start), uint64(r.Start), from, to)
	}
	if a.Gateway != "" {
		c.see("the gateway of "+route, a.Gateway, 0, from, to)
	}
	if e := a.Wrote.Epoch; e != 0 {
		c.see("the mirror", fmt.Sprintf("epoch %d", e.Number()), e.Number(), from, to)
		c.judge(a.Wrote, from, to)
	}
}

func (c *changes) see(name, value string, order uint64, from, to time.Time) {
	s := c.subjects[name]
	switch {
	case s == nil:
		c.subjects[name] = &subject{value: value, order: order, older: from, last: from}
	case s.value == value:
		if from.After(s.last) {
			s.older, s.last = s.last, from
		}
	case order == 0 || order > s.order:
		c.list = append(c.list, change{fmt.Sprintf("%s: %s, then %s", name, s.value, value), s.older, to})
		*s = subject{value: value, order: order, older: from, last: from}
	}
}

// judge notices two primaries: two reigns of one number, or a reign that
// acknowledges what was asked for after a later one had acknowledged.
func (c *changes) judge(r control.Receipt, from, to time.Time) {
	number := r.Epoch.Number()
	if known, seen := c.reigns[number]; seen && known != r.Epoch {
		c.split = append(c.split, fmt.Sprintf("two primaries acknowledged in epoch %d, one of them %s", number, r.Server))
	} else if !seen {
		c.reigns[number], c.ruled[number] = r.Epoch, to
	}
	for later, since := range c.ruled {
		if later > number && from.After(since) {
			c.split = append(c.split, fmt.Sprintf("%s acknowledged in epoch %d after epoch %d had begun", r.Server, number, later))
		}
	}
}

// explains says whether something was replaced while a request failed.
func (c *changes) explains(f Failure) bool {
	for _, ch := range c.list {
		if !f.At.After(ch.to) && !f.At.Add(f.Took).Before(ch.from) {
			return true
		}
	}
	return false
}
