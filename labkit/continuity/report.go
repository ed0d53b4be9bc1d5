package continuity

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Failure is a request that did not succeed.
type Failure struct {
	Route string
	Op    Op
	At    time.Time
	Took  time.Duration
	Err   error
}

func (f Failure) String() string {
	return fmt.Sprintf("%s %s: %s failed after %s: %v", f.At.Format("15:04:05.000"), f.Route, f.Op, f.Took.Round(time.Millisecond), f.Err)
}

// Loss is a record that was acknowledged and not found.
type Loss struct {
	Key          string
	Acknowledged string // the route
	Where        string // it is not found
	Have         string // what is found in its place
}

func (l Loss) String() string {
	return fmt.Sprintf("%s, acknowledged to %s, is %q in the eyes of %s", l.Key, l.Acknowledged, l.Have, l.Where)
}

// RouteReport is what the user of one route saw.
type RouteReport struct {
	Name          string
	Writes, Reads int // that succeeded
	Failed        []Failure
	Longest       time.Duration // gap between two successes
	Since         time.Time     // its beginning
}

func (r *RouteReport) gap(from, to time.Time) {
	if d := to.Sub(from); d > r.Longest {
		r.Longest, r.Since = d, from
	}
}

// Report is all that was seen.
type Report struct {
	Routes       []RouteReport
	Acknowledged int
	Lost         []Loss // at any time, also if it was found again
	SplitBrain   []string
	// Unexplained are failures while nothing was replaced.
	Unexplained []Failure
	Changes     []string
	Restarts    map[string]int // by server
	Failovers   int
}

// Budget is what an operation may cost.
type Budget struct{ Restarts, Failovers int } // restarts of each server

// Violations are sentences on what went beyond the budget. Nothing may be
// lost, and nothing may fail without a reason, whatever the budget is.
func (r *Report) Violations(b Budget) []string {
	var out []string
	if r.Acknowledged == 0 {
		out = append(out, "no write was acknowledged at all")
	}
	for _, route := range r.Routes {
		if route.Writes == 0 || route.Reads == 0 {
			out = append(out, fmt.Sprintf("%s had %d writes and %d reads: it was never in use", route.Name, route.Writes, route.Reads))
		}
	}
	for _, l := range r.Lost {
		out = append(out, "lost: "+l.String())
	}
	for _, s := range r.SplitBrain {
		out = append(out, "split brain: "+s)
	}
	for _, f := range r.Unexplained {
		out = append(out, "nothing was replaced: "+f.String())
	}
	for _, name := range slices.Sorted(maps.Keys(r.Restarts)) {
		if n := r.Restarts[name]; n > b.Restarts {
			out = append(out, fmt.Sprintf("%s was started %d times, the budget is %d", name, n, b.Restarts))
		}
	}
	if r.Failovers > b.Failovers {
		out = append(out, fmt.Sprintf("the mirror failed over %d times, the budget is %d", r.Failovers, b.Failovers))
	}
	return out
}

// String is the report for people: a line for each route, then everything
// that happened.
func (r *Report) String() string {
	var b strings.Builder
	for _, route := range r.Routes {
		fmt.Fprintf(&b, "%-24s %5d writes %5d reads %4d failed, longest gap %s from %s\n", route.Name, route.Writes, route.Reads, len(route.Failed),
			route.Longest.Round(time.Millisecond), route.Since.Format("15:04:05.000"))
	}
	for _, name := range slices.Sorted(maps.Keys(r.Restarts)) {
		fmt.Fprintf(&b, "%-24s %5d restarts\n", name, r.Restarts[name])
	}
	fmt.Fprintf(&b, "%d writes acknowledged, %d lost; %d failovers\n", r.Acknowledged, len(r.Lost), r.Failovers)
	for _, ch := range r.Changes {
		fmt.Fprintln(&b, ch)
	}
	for _, route := range r.Routes {
		for _, line := range grouped(route.Failed) {
			fmt.Fprintln(&b, line)
		}
	}
	return b.String()
}

// cause is the error without what was to be done, as a write and the read after
// it mostly fail for the same reason.
func (f Failure) cause() string {
	return strings.NewReplacer("cannot read: ", "", "cannot write: ", "").Replace(f.Err.Error())
}

// grouped is a line for each failure, or for several in a row that say the
// same.
func grouped(list []Failure) []string {
	var out []string
	for n := 0; n < len(list); {
		end := n + 1
		for end < len(list) && list[end].cause() == list[n].cause() {
			end++
		}
		line := list[n].String()
		if more := end - n - 1; more > 0 {
			line += fmt.Sprintf(" (and %d more until %s)", more, list[end-1].At.Format("15:04:05.000"))
		}
		out = append(out, line)
		n = end
	}
	return out
}
