package cli

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"time"

	"icm/controller/deploy"
)

var healthCommand = command{
	name:    "health",
	summary: "show what ails the nodes, and what helps",
	help: `Every node watches itself: services, instances, mirrors, ports, file systems, licences, messages.log, and whether everything that icm set still is so. This asks all of them to look now, compares their clocks with this machine's, and shows what was found, since when, and what to type against it. Nothing is changed, and a node at which a change is running is not looked at meanwhile.
Exits with 0 when all is well, with 1 when anything was found. What every finding means is in docs/health.md.`,
	setup: func(fs *flag.FlagSet) runFunc {
		var o common
		var h healthView
		var w watching
		o.register(fs)
		o.selectors(fs)
		w.register(fs)
		fs.BoolVar(&h.opt.Seen, "seen", false, "the severe lines of messages.log have been read: they are findings no longer")
		fs.BoolVar(&h.opt.Past, "past", false, "show what is over, too")
		return func(ctx context.Context, env *Env, _ []string) error {
			return o.work(ctx, env, "health", func(ctx context.Context, job *deploy.Job, con *console) error {
				nodes := job.Watch()
				defer nodes.Close()
				if !w.on {
					rows, err := nodes.Health(ctx, h.opt)
					if err != nil {
						return err
					}
					h.print(con, rows)
					return answered(o.json.write(env, rows), deploy.Unwell(rows))
				}
				var last []deploy.HealthRow
				err := w.watch(ctx, env, con, func(ctx context.Context) (view, error) {
					rows, err := nodes.Health(ctx, h.opt)
					if err != nil {
						return view{}, err
					}
					last, h.opt.Seen, h.opt.MaxAge = rows, false, w.every
					return h.screen(rows), o.json.write(env, rows)
				})
				if err != nil {
					return err
				}
				return answered(nil, deploy.Unwell(last))
			})
		}
	},
}

// healthView shows what ails nodes.
type healthView struct {
	opt  deploy.HealthOptions
	news news
}

func (h *healthView) print(con *console, rows []deploy.HealthRow) {
	header, cells := h.cells(rows)
	for _, r := range rows {
		if r.Busy != "" {
			con.line("%s is at work (%s): what it found is of %s", r.MachineName, r.Busy, clock(r.At))
		}
	}
	if len(cells) == 0 {
		con.line("%s", wellLine(rows))
		return
	}
	con.table(header, cells)
}

func wellLine(rows []deploy.HealthRow) string {
	if len(rows) == 1 {
		return "All is well on " + rows[0].MachineName + "."
	}
	return fmt.Sprintf("All is well on %d nodes.", len(rows))
}

// cells are the findings as a table, each with its hint below.
func (h *healthView) cells(rows []deploy.HealthRow) (header []string, cells [][]string) {
	for _, r := range rows {
		for _, f := range r.Findings {
			cells = append(cells, []string{r.MachineName, f.Severity, f.Check, clock(f.Since), f.Text})
			if f.Hint != "" {
				cells = append(cells, []string{"", "", "", "", "hint: " + f.Hint})
			}
		}
		for _, f := range r.Past {
			cells = append(cells, []string{r.MachineName, "over", f.Check, clock(f.Since), f.Text + ", until " + clock(f.Until)})
		}
	}
	return []string{"Machine", "Severity", "Check", "Since", "Finding"}, cells
}

func (h *healthView) screen(rows []deploy.HealthRow) view {
	var now []string
	for _, r := range rows {
		for _, f := range r.Findings {
			now = append(now, fmt.Sprintf("%s %s %s: %s", r.MachineName, f.Severity, f.Check, f.Text))
		}
	}
	first := h.news.was == nil
	come, gone := h.news.of(now)
	lines := append(stamped("", come), stamped("over: ", gone)...)
	if len(now) == 0 && (first || len(gone) > 0) {
		lines = append(lines, stamped("", []string{wellLine(rows)})...)
	}
	return view{lines: lines, table: func(b *bytes.Buffer) { h.draw(b, rows) }}
}

func (h *healthView) draw(w io.Writer, rows []deploy.HealthRow) {
	header, cells := h.cells(rows)
	if len(cells) == 0 {
		fmt.Fprintln(w, wellLine(rows))
		return
	}
	table(w, header, cells)
}

// clock writes a time for people who look at it today.
func clock(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.Local().Format("2006-01-02 15:04")
}
