package cli

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"icm/controller/deploy"
)

// console turns events into what the operator reads, and into icm.log.
type console struct {
	mu      sync.Mutex
	out     io.Writer
	errs    io.Writer
	log     *slog.Logger
	verbose bool
	live    *liveLines // nil when not a terminal
	logFile io.Closer
}

// newConsole opens icm.log in the working directory. A directory that cannot
// be written to costs the log, not the command; it is said once.
func newConsole(env *Env, o *common) *console {
	c := &console{out: env.Out, errs: env.Err, verbose: o.verbose}
	if o.json.quiet() {
		c.out = env.Err
	}
	if env.Terminal && !o.json.quiet() {
		c.live = &liveLines{w: env.Out, size: env.Size}
	}
	f, err := os.OpenFile(filepath.Join(env.Dir, "icm.log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		fmt.Fprintf(env.Err, "icm: cannot write icm.log: %v\n", err)
		c.log = slog.New(slog.DiscardHandler)
		return c
	}
	c.logFile, c.log = f, slog.New(slog.NewTextHandler(f, nil))
	return c
}

func (c *console) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.live != nil {
		c.live.clear()
	}
	if c.logFile != nil {
		_ = c.logFile.Close() // nothing can be done about it, and nothing was lost that was synced
	}
}

// Report implements deploy.Reporter.
func (c *console) Report(ev deploy.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	text := sentence(ev)
	switch ev.Kind {
	case deploy.Moved:
		if c.live != nil {
			c.live.move(ev)
		}
		return
	case deploy.Recorded:
		c.log.Info(ev.Text, "node", ev.Subject)
		if c.verbose {
			c.print(ev.Subject + ": " + ev.Text)
		}
		return
	case deploy.Failed:
		c.log.Error(text, "node", ev.Subject, "err", ev.Err)
	case deploy.Warned:
		c.log.Warn(text, "node", ev.Subject)
	default:
		c.log.Info(text, "node", ev.Subject)
	}
	if c.live != nil {
		c.live.event(ev)
	}
	if c.live == nil && ev.Kind == deploy.Warned {
		fmt.Fprintln(c.errs, text) // trouble; the answer stays clean
		return
	}
	c.print(text)
}

func (c *console) print(line string) {
	if c.live != nil {
		c.live.above(line)
		return
	}
	fmt.Fprintln(c.out, line)
}

// line prints a line of the answer and keeps it in the log.
func (c *console) line(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	text := fmt.Sprintf(format, args...)
	c.log.Info(text)
	c.print(text)
}

// sentence is the guide's form of an event.
func sentence(ev deploy.Event) string {
	at := ""
	if ev.Subject != "" && ev.Preposition != "" {
		at = " " + ev.Preposition + " " + ev.Subject
	}
	switch ev.Kind {
	case deploy.Starting:
		return ev.Text + at + "..."
	case deploy.Finished:
		return "..." + ev.Text + at
	case deploy.Failed:
		return fmt.Sprintf("...%s%s: %v", ev.Text, at, ev.Err)
	case deploy.Warned:
		if ev.Subject != "" {
			return "warning: " + ev.Subject + ": " + ev.Text
		}
		return "warning: " + ev.Text
	case deploy.Waiting:
		return ev.Subject + ": waiting: " + ev.Text
	default:
		if ev.Subject != "" {
			return ev.Subject + ": " + ev.Text
		}
		return ev.Text
	}
}
