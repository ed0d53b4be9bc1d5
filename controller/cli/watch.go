package cli

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"
	"time"
)

// watching are the options of commands that can look again and again.
type watching struct {
	on    bool
	every time.Duration
}

func (w *watching) register(fs *flag.FlagSet) {
	fs.BoolVar(&w.on, "watch", false, "look again and again, until Ctrl-C; a terminal is redrawn, elsewhere each change is a line")
	fs.DurationVar(&w.every, "every", 5*time.Second, "with -watch: how often, such as 10s; a `duration`")
}

// view shows what a look found: table is all of it for a terminal, lines what
// is news elsewhere.
type view struct {
	table func(*bytes.Buffer)
	lines []string
}

// watch looks until ctx ends, which is how watching is meant to end. The first
// look that fails ends it, too.
func (w *watching) watch(ctx context.Context, env *Env, con *console, look func(ctx context.Context) (view, error)) error {
	if w.every <= 0 {
		return &usageError{"-every must be more than 0", "-every 10s"}
	}
	tick := time.NewTicker(w.every)
	defer tick.Stop()
	for {
		s, err := look(ctx)
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, context.Canceled) {
				return nil
			}
			return err
		}
		w.show(env, con, s)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (w *watching) show(env *Env, con *console, s view) {
	if con.live == nil {
		for _, l := range s.lines {
			con.line("%s", l)
		}
		return
	}
	var b bytes.Buffer
	b.WriteString("\x1b[H\x1b[J") // to the top, and clear
	s.table(&b)
	fmt.Fprintf(&b, "\n%s, every %s; Ctrl-C ends it\n", time.Now().Format(time.TimeOnly), w.every)
	con.mu.Lock()
	defer con.mu.Unlock()
	_, _ = env.Out.Write(b.Bytes()) // a terminal that is gone ends the program otherwise
}

// news tells what is new and what is gone since the last time, in that order of
// things.
type news struct {
	was   map[string]bool
	order []string
}

func (n *news) of(now []string) (come, gone []string) {
	is := map[string]bool{}
	for _, line := range now {
		is[line] = true
		if !n.was[line] {
			come = append(come, line)
		}
	}
	for _, line := range n.order {
		if !is[line] {
			gone = append(gone, line)
		}
	}
	n.was, n.order = is, now
	return come, gone
}

// stamped puts the time before lines.
func stamped(prefix string, lines []string) []string {
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = strings.TrimSpace(time.Now().Format(time.RFC3339) + " " + prefix + l)
	}
	return out
}
