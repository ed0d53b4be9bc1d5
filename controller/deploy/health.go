package deploy

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"icm/controller/remote"
	"icm/controller/state"
	"icm/internal/wire"
)

// healthLimit bounds how long a node may take to look at itself.
const healthLimit = 2*time.Minute + answerLimit

// HealthOptions are those of `icm health`.
type HealthOptions struct {
	// MaxAge is how old an answer may be; 0 lets every node look anew.
	MaxAge time.Duration
	// Seen says that the severe lines of messages.log have been read.
	Seen bool
	// Past asks for findings that are over, too.
	Past bool
}

// HealthRow is what ails one node, and an element of the JSON form.
type HealthRow struct {
	MachineName string
	Role        string
	// At is when the node looked, by its own clock; zero when it did not.
	At time.Time
	// Busy is the id of the change that is running there; the findings are those
	// of the time before.
	Busy     string `json:"Busy,omitempty"`
	Findings []wire.HealthFinding
	Past     []wire.HealthFinding `json:"Past,omitempty"`
}

// The checks that icm itself makes, beside those of the agents.
const (
	checkNode  = "node"
	checkClock = "clock"
)

// HealthChecks are the checks that icm makes itself: what each looks at, and
// what clears it. The documentation repeats them.
var HealthChecks = map[string]struct{ What, Hint string }{
	checkNode:  {"the node and its agent answer", "icm ssh -machine NODE -command true"},
	checkClock: {"the node's clock against this machine's: 2 s are a warning, 60 s an alert", "icm ssh -machine NODE -command 'sudo chronyc makestep; sudo systemctl restart systemd-timesyncd'"},
}

// UnwellError means that something ails some of the nodes.
type UnwellError struct{ Alerts, Warnings, Nodes, Of int }

func (e *UnwellError) Error() string {
	return fmt.Sprintf("not all is well: %s, %s on %d of %d nodes", count(e.Alerts, "alert"), count(e.Warnings, "warning"), e.Nodes, e.Of)
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// Unwell is what rows come to: nil when all is well.
func Unwell(rows []HealthRow) error {
	e := &UnwellError{Of: len(rows)}
	for _, r := range rows {
		if len(r.Findings) > 0 {
			e.Nodes++
		}
		for _, f := range r.Findings {
			if f.Severity == wire.SeverityAlert {
				e.Alerts++
			} else {
				e.Warnings++
			}
		}
	}
	if e.Nodes == 0 {
		return nil
	}
	return e
}

// Health asks every selected node what ails it. A node that does not answer is a
// finding, not an error.
func (w *Watch) Health(ctx context.Context, o HealthOptions) ([]HealthRow, error) {
	var mu sync.Mutex
	rows := map[string]HealthRow{}
	p, err := w.each(ctx, healthLimit, func(ctx context.Context, _ int, n state.Instance, node Node, err error) error {
		row := HealthRow{MachineName: n.MachineName, Role: n.Role, Findings: []wire.HealthFinding{}}
		if err == nil {
			err = w.job.askHealth(ctx, node, o, &row)
		}
		if err != nil {
			row.Findings = append(row.Findings, w.job.noAnswer(err))
		}
		mu.Lock()
		defer mu.Unlock()
		rows[n.MachineName] = row
		return err
	})
	if err != nil {
		return nil, err
	}
	var out []HealthRow
	for _, n := range p.real() {
		r := rows[n.MachineName]
		r.forPeople(w.job.short(p.dir.Path))
		out = append(out, r)
	}
	return out, w.job.tellDebts(p.dir)
}

// quickly is how fast an answer has to be for its time to be compared: longer
// ones are asked for once more, from what the agent knows.
const quickly = time.Second

func (j *Job) askHealth(ctx context.Context, node Node, o HealthOptions, row *HealthRow) error {
	var reply wire.HealthReply
	req := wire.HealthRequest{MaxAge: int(o.MaxAge / time.Second), Seen: o.Seen, Past: o.Past}
	sent := j.World.Now()
	err := node.Call(ctx, wire.MethodHealth, req, &reply)
	got := j.World.Now()
	if err == nil && got.Sub(sent) > quickly {
		req.MaxAge, req.Seen = int(time.Hour/time.Second), false
		sent = j.World.Now()
		err = node.Call(ctx, wire.MethodHealth, req, &reply)
		got = j.World.Now()
	}
	if err != nil {
		return fromAgent(err)
	}
	row.At, row.Busy, row.Past = reply.At, reply.Busy, reply.Past
	row.Findings = append(skew(reply.Now, sent, got), reply.Findings...)
	return nil
}

// A clock may be clockWarn off without a word; beyond clockAlert certificates,
// journals of mirrors and logs cannot be relied on.
const (
	clockWarn  = 2 * time.Second
	clockAlert = time.Minute
)

// skew judges a clock that was read at some time between two others.
func skew(read, sent, got time.Time) []wire.HealthFinding {
	var off time.Duration
	switch {
	case read.After(got):
		off = read.Sub(got)
	case read.Before(sent):
		off = read.Sub(sent)
	}
	f := wire.HealthFinding{Check: checkClock, Severity: wire.SeverityWarn, Since: read, Hint: HealthChecks[checkClock].Hint}
	switch {
	case off.Abs() < clockWarn:
		return []wire.HealthFinding{}
	case off.Abs() >= clockAlert:
		f.Severity = wire.SeverityAlert
	}
	side := "ahead of"
	if off < 0 {
		side = "behind"
	}
	f.Text = fmt.Sprintf("its clock is %s %s this machine's", off.Abs().Round(time.Second), side)
	return []wire.HealthFinding{f}
}

// noAnswer is the finding of a node that could not be asked.
func (j *Job) noAnswer(err error) wire.HealthFinding {
	f := wire.HealthFinding{Check: checkNode, Severity: wire.SeverityAlert, Text: "does not answer: " + err.Error(), Since: j.World.Now(), Hint: HealthChecks[checkNode].Hint}
	var said *wire.Error
	switch {
	case errors.Is(err, remote.ErrUnfit), errors.Is(err, remote.ErrNoSudo):
		f.Text, f.Hint = "icm's agent cannot be brought to it: "+err.Error(), "icm provision -stateDir STATEDIR"
	case errors.As(err, &said) && said.Code == wire.CodeBadCall:
		f.Text, f.Hint = "its agent is too old to watch it: "+err.Error(), "icm ps -machine NODE"
	}
	return f
}

// forPeople puts names into the hints.
func (r *HealthRow) forPeople(stateDir string) {
	names := strings.NewReplacer("NODE", r.MachineName, "STATEDIR", stateDir)
	for _, list := range [][]wire.HealthFinding{r.Findings, r.Past} {
		for i := range list {
			list[i].Hint = names.Replace(list[i].Hint)
		}
	}
}
