package continuity

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"icm/labkit/internal/control"
)

// standing is how often a server was started and which reign it knows.
type standing struct {
	server string
	start  int
	epoch  uint64
}

// stand asks all servers for their names.
func (c *Client) stand(ctx context.Context) (map[string]standing, error) {
	out := map[string]standing{}
	for _, s := range c.o.Servers {
		a, err := persist(ctx, func() (Answer, error) { return c.once(ctx, s, Who) })
		if err != nil {
			return nil, fmt.Errorf("cannot ask %s: %w", s.Name(), err)
		}
		out[s.Name()] = standing{a.By.Server, a.By.Start, a.By.Epoch.Number()}
	}
	return out, nil
}

// retry is the pause between two tries when the client has ended.
const retry = 100 * time.Millisecond

// persist tries until it works or ctx is done.
func persist[T any](ctx context.Context, try func() (T, error)) (T, error) {
	for {
		out, err := try()
		if err == nil {
			return out, nil
		}
		select {
		case <-ctx.Done():
			return out, errors.Join(err, ctx.Err())
		case <-time.After(retry):
		}
	}
}

// Stop ends the use of the service, waits until all of it answers, and looks
// on every route and in every copy for what was acknowledged. Until ctx is
// done copies may catch up.
func (c *Client) Stop(ctx context.Context) (*Report, error) {
	close(c.stop)
	c.users.Wait()
	rep := &Report{Acknowledged: len(c.acked), Lost: c.stale, SplitBrain: c.changes.split, Restarts: map[string]int{}}
	for _, name := range c.order {
		r := c.routes[name]
		rep.Routes = append(rep.Routes, *r)
		for _, f := range r.Failed {
			if !c.changes.explains(f) {
				rep.Unexplained = append(rep.Unexplained, f)
			}
		}
	}
	for _, ch := range c.changes.list {
		rep.Changes = append(rep.Changes, ch.what)
	}
	for _, r := range c.o.Routes {
		values, err := persist(ctx, func() (map[string]string, error) { return c.all(ctx, r) })
		if err != nil {
			return nil, fmt.Errorf("cannot look for the records through %s: %w", r.Name(), err)
		}
		rep.Lost = append(rep.Lost, c.missing(r.Name(), values)...)
	}
	for _, r := range c.o.Copies {
		lost, err := c.copied(ctx, r)
		if err != nil {
			return nil, err
		}
		rep.Lost = append(rep.Lost, lost...)
	}
	return rep, c.count(ctx, rep)
}

func (c *Client) all(ctx context.Context, r Route) (map[string]string, error) {
	a, err := c.once(ctx, r, All)
	return a.Values, err
}

// once asks once, also when ctx leaves no time for trying again.
func (c *Client) once(ctx context.Context, r Route, op Op) (Answer, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.o.Limit)
	defer cancel()
	return r.Ask(ctx, Request{Op: op, Namespace: c.o.Namespace})
}

// missing compares what is there with what was acknowledged.
func (c *Client) missing(where string, have map[string]string) []Loss {
	var out []Loss
	for _, key := range slices.Sorted(maps.Keys(c.acked)) {
		if want := c.acked[key]; have[key] != want.value {
			out = append(out, Loss{Key: key, Acknowledged: want.route, Where: where, Have: have[key]})
		}
	}
	return out
}

// copied waits until a copy has everything; what it lacks when ctx is done is
// lost.
func (c *Client) copied(ctx context.Context, r Route) ([]Loss, error) {
	var lost []Loss
	errLacks := errors.New("it lacks records")
	_, err := persist(ctx, func() (struct{}, error) {
		values, err := c.all(ctx, r)
		if err != nil {
			return struct{}{}, err
		}
		if lost = c.missing(r.Name(), values); len(lost) > 0 {
			return struct{}{}, errLacks
		}
		return struct{}{}, nil
	})
	if err != nil && !errors.Is(err, errLacks) && len(lost) == 0 {
		return nil, fmt.Errorf("cannot look for the records in the copy of %s: %w", r.Name(), err)
	}
	return lost, nil
}

// count compares the servers with what they were when the client began.
func (c *Client) count(ctx context.Context, rep *Report) error {
	now, err := c.stand(ctx)
	if err != nil {
		return err
	}
	var before, after uint64
	for name, was := range c.servers {
		is := now[name]
		if is.start < was.start {
			return fmt.Errorf("%s was started %d times, and now %d: it is not the same instance", name, was.start, is.start)
		}
		rep.Restarts[name] = is.start - was.start
		before, after = max(before, was.epoch), max(after, is.epoch)
	}
	rep.Failovers = int(after - before)
	return nil
}

// SplitBrains compares what the members of a mirror wrote down in their
// mgr/standin.reigns: every epoch that two of them began, and every record
// that was acknowledged and taken back.
func SplitBrains(files ...string) []string { return control.SplitBrains(files...) }
