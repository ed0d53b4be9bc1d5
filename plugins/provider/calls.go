package provider

import "sync"

// calls counts the calls that are open. Unlike a sync.WaitGroup it may be
// waited for while new ones begin.
type calls struct {
	mu   sync.Mutex
	open int
	none chan struct{} // closed when open falls to 0; nil when nobody waits
}

func (c *calls) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open++
}

func (c *calls) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open--
	if c.open == 0 && c.none != nil {
		close(c.none)
		c.none = nil
	}
}

// wait returns when there is a moment without an open call.
func (c *calls) wait() {
	c.mu.Lock()
	if c.open == 0 {
		c.mu.Unlock()
		return
	}
	if c.none == nil {
		c.none = make(chan struct{})
	}
	none := c.none
	c.mu.Unlock()
	<-none
}
