package continuity

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"icm/labkit/internal/control"
	"icm/labkit/internal/store"
)

// service is a server in memory that can be told to go wrong.
type service struct {
	mu     sync.Mutex
	values map[string]string
	start  int
	epoch  store.Epoch
	down   bool
	hiding bool // finds nothing
	asked  int
}

func newService() *service {
	return &service{values: map[string]string{}, start: 1, epoch: store.Epoch(0).Next()}
}

func (s *service) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// after waits until the service was asked for a few more requests.
func (s *service) after(t *testing.T, requests int) {
	t.Helper()
	var until int
	s.set(func() { until = s.asked + requests })
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		reached := false
		s.set(func() { reached = s.asked >= until })
		if reached {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the client asks nothing")
		}
	}
}

type fake struct {
	*service
	name string
}

func (f fake) Name() string { return f.name }

func (f fake) Ask(_ context.Context, r Request) (Answer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	if f.down {
		return Answer{}, errors.New("nobody listens")
	}
	a := Answer{By: control.Receipt{Server: "one/IRIS", Start: f.start, Epoch: f.epoch}}
	switch r.Op {
	case Write:
		f.values[r.Key], a.Wrote = r.Value, a.By
	case Read:
		if !f.hiding {
			a.Value, a.Found = f.values[r.Key]
		}
	case All:
		a.Values = map[string]string{}
		for k, v := range f.values {
			a.Values[k] = v
		}
	}
	return a, nil
}

// violations of a budget after something was done to a service in use.
func violations(t *testing.T, b Budget, do func(s *service)) string {
	t.Helper()
	s := newService()
	r := fake{s, "R"}
	c, err := Start(t.Context(), Options{Routes: []Route{r}, Servers: []Route{r}, Copies: []Route{r}, Pause: time.Millisecond, Limit: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	s.after(t, 10)
	do(s)
	s.after(t, 10)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	rep, err := c.Stop(ctx)
	if err != nil {
		return err.Error()
	}
	t.Logf("%s", rep)
	return strings.Join(rep.Violations(b), "\n")
}

func TestWhatIsBeyondTheBudget(t *testing.T) {
	t.Parallel()
	outage := func(t *testing.T, change func(s *service)) func(s *service) {
		return func(s *service) {
			s.set(func() { s.down = true })
			s.after(t, 5)
			s.set(func() { s.down = false; change(s) })
		}
	}
	restart := func(s *service) { s.start++ }
	failover := func(s *service) { s.epoch = s.epoch.Next() }
	for _, c := range []struct {
		what string
		do   func(t *testing.T) func(s *service)
		want string // "" when nothing is
	}{
		{"nothing happens", func(*testing.T) func(*service) { return func(*service) {} }, ""},
		{"one restart", func(t *testing.T) func(*service) { return outage(t, restart) }, ""},
		{"one failover", func(t *testing.T) func(*service) { return outage(t, failover) }, ""},
		{"an outage without a reason", func(t *testing.T) func(*service) { return outage(t, func(*service) {}) }, "nothing was replaced"},
		{"two restarts", func(t *testing.T) func(*service) { return outage(t, func(s *service) { restart(s); restart(s) }) }, "R was started 2 times, the budget is 1"},
		{"two failovers", func(t *testing.T) func(*service) { return outage(t, func(s *service) { failover(s); failover(s) }) }, "the mirror failed over 2 times"},
		{"another instance in its place", func(t *testing.T) func(*service) { return outage(t, func(s *service) { s.start = 0 }) }, "it is not the same instance"},
		{"a write is lost", func(*testing.T) func(*service) {
			return func(s *service) { s.set(func() { delete(s.values, "R-000002") }) }
		}, "lost: R-000002, acknowledged to R, is \"\" in the eyes of R"},
		{"another primary of the same epoch", func(t *testing.T) func(*service) {
			return func(s *service) { s.set(func() { s.epoch++ }) }
		}, "split brain: two primaries acknowledged in epoch 1"},
		{"a primary of an epoch that was over", func(t *testing.T) func(*service) {
			return func(s *service) {
				old := s.epoch
				s.set(func() { failover(s) })
				s.after(t, 5)
				s.set(func() { s.epoch = old })
			}
		}, "split brain: one/IRIS acknowledged in epoch 1 after epoch 2 had begun"},
		{"it stays down", func(*testing.T) func(*service) { return func(s *service) { s.set(func() { s.down = true }) } }, "cannot look for the records through R: nobody listens"},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			got := violations(t, Budget{Restarts: 1, Failovers: 1}, c.do(t))
			if c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("it says %q, want %q", got, c.want)
			}
		})
	}
}

// A record that is gone for a moment was lost to whoever looked for it then.
func TestARecordThatComesBackWasLost(t *testing.T) {
	t.Parallel()
	got := violations(t, Budget{}, func(s *service) {
		s.set(func() { s.hiding = true })
		s.after(t, 4)
		s.set(func() { s.hiding = false })
	})
	if !strings.Contains(got, `is "" in the eyes of R (one/IRIS)`) {
		t.Errorf("it says %q", got)
	}
}

// What is replaced at once, before a user has come back, is known all the same.
func TestARestartRightAtTheBeginningExplainsWhatFails(t *testing.T) {
	t.Parallel()
	c, err := Start(t.Context(), Options{Routes: []Route{fake{newService(), "R"}}})
	if err != nil {
		t.Fatal(err)
	}
	close(c.stop)
	c.mu.Lock()
	defer c.mu.Unlock()
	if known := c.changes.subjects["one/IRIS"]; known == nil || known.value != "start 1" {
		t.Errorf("after the start it knows %v", known)
	}
}

func TestFailuresThatSayTheSameAreToldOnce(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var list []Failure
	for n := range 3 {
		list = append(list, Failure{Route: "AM", Op: Write, At: at.Add(time.Duration(n) * time.Second), Err: errors.New("refused")})
	}
	list = append(list, Failure{Route: "AM", Op: Read, At: at.Add(3 * time.Second), Err: errors.New("no route")})
	want := "[03:04:05.000 AM: write failed after 0s: refused (and 2 more until 03:04:07.000) 03:04:08.000 AM: read failed after 0s: no route]"
	if got := fmt.Sprint(grouped(list)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestAServiceThatDoesNotAnswerIsNotUsed(t *testing.T) {
	t.Parallel()
	s := newService()
	s.down = true
	if _, err := Start(t.Context(), Options{Routes: []Route{fake{s, "R"}}}); err == nil || !strings.Contains(err.Error(), "cannot use R: nobody listens") {
		t.Errorf("it says %v", err)
	}
}
