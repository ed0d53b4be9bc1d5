package continuity

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Options is what a client does where.
type Options struct {
	Namespace string
	// Routes are used all the time.
	Routes []Route
	// Servers are all instances on whose restarts there is a budget. They are
	// asked for their names when the client begins and when it ends.
	Servers []Route
	// Copies are the members of the mirror, each of which must hold all that
	// was acknowledged in the end.
	Copies []Route
	// Pause is what each route waits after a write and a read, 50 ms if 0.
	Pause time.Duration
	// Limit is how long one request may take, 30 s if 0. A request that
	// succeeds late is no failure, but a gap.
	Limit time.Duration
}

// Client uses a service until it is stopped.
type Client struct {
	o       Options
	stop    chan struct{}
	users   sync.WaitGroup
	servers map[string]standing // by name of the route, when the client began

	mu      sync.Mutex // guards what follows
	acked   map[string]acknowledgment
	newest  string // of all keys acknowledged
	changes *changes
	routes  map[string]*RouteReport
	order   []string
	stale   []Loss
}

type acknowledgment struct{ value, route string }

// Start begins to use the service, every part of which must answer. When it
// returns, every route was written through once.
func Start(ctx context.Context, o Options) (*Client, error) {
	if o.Pause == 0 {
		o.Pause = 50 * time.Millisecond
	}
	if o.Limit == 0 {
		o.Limit = 30 * time.Second
	}
	c := &Client{o: o, stop: make(chan struct{}), acked: map[string]acknowledgment{}, changes: newChanges(), routes: map[string]*RouteReport{}}
	var err error
	if c.servers, err = c.stand(ctx); err != nil {
		return nil, err
	}
	for _, r := range o.Routes {
		if c.routes[r.Name()] != nil {
			return nil, fmt.Errorf("two routes have the name %s", r.Name())
		}
		c.routes[r.Name()] = &RouteReport{Name: r.Name()}
		c.order = append(c.order, r.Name())
		if _, err := c.once(ctx, r, Who); err != nil {
			return nil, fmt.Errorf("cannot use %s: %w", r.Name(), err)
		}
	}
	// What serves at the beginning has to be known before anything is replaced.
	for _, r := range o.Routes {
		c.write(r, fmt.Sprintf("%s-%06d", r.Name(), 0))
	}
	for _, r := range o.Routes {
		c.users.Go(func() { c.use(r) })
	}
	return c, nil
}

// use is what one user does until the client is stopped.
func (c *Client) use(r Route) {
	report := c.routes[r.Name()]
	last := time.Now() // of the last success
	for n := 1; ; n++ {
		key := fmt.Sprintf("%s-%06d", r.Name(), n)
		for _, request := range []func() bool{func() bool { return c.write(r, key) }, func() bool { return c.read(r) }} {
			if request() {
				now := time.Now()
				report.gap(last, now)
				last = now
			}
		}
		select {
		case <-c.stop:
			report.gap(last, time.Now())
			return
		case <-time.After(c.o.Pause):
		}
	}
}

// ask asks within the limit and notes failures. What is under way when the
// client is stopped comes to its end.
func (c *Client) ask(r Route, q Request) (a Answer, from, to time.Time, ok bool) {
	ctx, cancel := context.WithTimeout(context.Background(), c.o.Limit)
	defer cancel()
	q.Namespace = c.o.Namespace
	from = time.Now()
	a, err := r.Ask(ctx, q)
	to = time.Now()
	if err != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		report := c.routes[r.Name()]
		report.Failed = append(report.Failed, Failure{Route: r.Name(), Op: q.Op, At: from, Took: to.Sub(from), Err: err})
	}
	return a, from, to, err == nil
}

func (c *Client) write(r Route, key string) bool {
	value := "value of " + key
	a, from, to, ok := c.ask(r, Request{Op: Write, Key: key, Value: value})
	if !ok {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.acked[key], c.newest = acknowledgment{value, r.Name()}, key
	c.routes[r.Name()].Writes++
	c.changes.acknowledged(r.Name(), a, from, to)
	return true
}

// read looks for the newest record that was acknowledged.
func (c *Client) read(r Route) bool {
	c.mu.Lock()
	key := c.newest
	want := c.acked[key]
	c.mu.Unlock()
	if key == "" {
		return true
	}
	a, _, _, ok := c.ask(r, Request{Op: Read, Key: key})
	if !ok {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.routes[r.Name()].Reads++
	if !a.Found || a.Value != want.value {
		c.stale = append(c.stale, Loss{Key: key, Acknowledged: want.route, Where: r.Name() + " (" + a.By.Server + ")", Have: a.Value})
	}
	return true
}

// Acknowledged is how many writes of a route were acknowledged so far.
func (c *Client) Acknowledged(route string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.routes[route].Writes
}
