package monitor

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"icm/internal/wire"
)

// view is one round: what it looks with, and what it found.
type view struct {
	*Monitor
	mem memory
	now time.Time

	pending   []wire.Task     // see Settled
	instances []wire.Instance // that icm answers for
	listErr   error           // why they are not known
	found     []finding
	failed    map[string]bool // checks that could not look
}

// finding is something that a check found.
type finding struct {
	Check    string
	Key      string // tells findings of one check apart
	Severity string
	Text     string
	Hint     string
}

func (f finding) id() string { return f.Check + "|" + f.Key }

// add takes a finding down. The hint is the one of the table, with parts in
// place of its %s.
func (v *view) add(check, key, severity, text string, parts ...string) {
	hint := table[check].Hint
	for _, p := range parts {
		hint = strings.Replace(hint, "%s", p, 1)
	}
	v.found = append(v.found, finding{Check: check, Key: key, Severity: severity, Text: shorten(text), Hint: shorten(hint)})
}

// maxText bounds what one finding says, in bytes: a round of many nodes must
// stay small.
const maxText = 400

func shorten(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "") + "…"
	}
	return s
}

// prepare finds out what several checks need.
func (v *view) prepare(ctx context.Context) {
	v.failed = map[string]bool{}
	v.guarded(ctx, CheckDrift, func(ctx context.Context) error {
		err := v.mem.keep(ctx, v.Engine)
		for _, t := range v.pending {
			v.mem.settled(t)
		}
		return err
	})
	v.guarded(ctx, CheckInstance, func(ctx context.Context) error {
		all, err := v.IRIS.List(ctx)
		if err != nil {
			v.listErr = err
			return nil // checkInstance tells it
		}
		names := v.managed()
		for _, in := range all {
			if slices.Contains(names, strings.ToUpper(in.Name)) {
				v.instances = append(v.instances, in)
			}
		}
		return nil
	})
}

// managed are the names, in capitals, of the instances that icm answers for:
// the one that the node was told of, and those that tasks installed.
func (v *view) managed() []string {
	var names []string
	if m, err := v.Engine.Membership(); err == nil && m != nil {
		for field, value := range m.Fields {
			if strings.EqualFold(field, "ISCInstance") && value != "" {
				names = append(names, strings.ToUpper(value))
			}
		}
	}
	for _, k := range v.mem.Kept {
		if k.Instance != "" && !slices.Contains(names, strings.ToUpper(k.Instance)) {
			names = append(names, strings.ToUpper(k.Instance))
		}
	}
	return names
}

// run makes one check.
func (v *view) run(ctx context.Context, c check) {
	v.guarded(ctx, c.name, func(ctx context.Context) error { return c.run(ctx, v) })
}

// guarded runs f with a limit. That it failed is a finding, and what its check
// found before stands.
func (v *view) guarded(ctx context.Context, name string, f func(context.Context) error) {
	ctx, cancel := context.WithTimeoutCause(ctx, checkLimit, fmt.Errorf("no answer within %s", checkLimit))
	defer cancel()
	err := func() (err error) {
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("the agent made a mistake (please report it): %v", p)
			}
		}()
		return f(ctx)
	}()
	if err == nil {
		return
	}
	if cause := context.Cause(ctx); cause != nil && errors.Is(err, context.DeadlineExceeded) {
		err = cause
	}
	v.failed[name] = true
	v.add(CheckLook, name, wire.SeverityWarn, fmt.Sprintf("cannot look at %s: %v", name, err))
}

// settle compares what was found with what was known.
func (v *view) settle() {
	var now []known
	for _, f := range v.found {
		k := known{ID: f.id(), HealthFinding: wire.HealthFinding{Check: f.Check, Severity: f.Severity, Text: f.Text, Hint: f.Hint, Since: v.now}}
		if i := slices.IndexFunc(v.mem.Open, func(o known) bool { return o.ID == k.ID }); i >= 0 {
			k.Since = v.mem.Open[i].Since
		}
		if !slices.ContainsFunc(now, func(o known) bool { return o.ID == k.ID }) {
			now = append(now, k)
		}
	}
	for _, old := range v.mem.Open {
		switch {
		case slices.ContainsFunc(now, func(o known) bool { return o.ID == old.ID }):
		case v.failed[old.Check]:
			now = append(now, old)
		default:
			old.Until = v.now
			v.mem.Past = append(v.mem.Past, old.HealthFinding)
		}
	}
	if over := len(v.mem.Past) - maxPast; over > 0 {
		v.mem.Past = slices.Clone(v.mem.Past[over:])
	}
	slices.SortStableFunc(now, func(a, b known) int { return strings.Compare(a.Severity, b.Severity) }) // alert before warn
	v.mem.Open, v.mem.At = now, v.now
}

func (m *Monitor) path(p string) string { return filepath.Join(m.Root, p) }
