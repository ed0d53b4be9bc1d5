package unit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"

	"icm/agent/host"
)

// logLines is how many of a unit's last log lines a failed job tells.
const logLines = 10

// connectionCheck is how often a waiting job makes sure that somebody is there.
const connectionCheck = 5 * time.Second

// JobError is a job that systemd ended otherwise than "done".
type JobError struct {
	Verb   string // "start", "stop", …
	Unit   string
	Result string   // "failed", "timeout", "dependency", "canceled", "skipped"
	Log    []string // last lines of the unit's log, oldest first; may be empty
}

func (e *JobError) Error() string {
	s := fmt.Sprintf("cannot %s %s: systemd says %q", e.Verb, e.Unit, e.Result)
	if len(e.Log) > 0 {
		s += ": " + strings.Join(e.Log, " | ")
	}
	return s
}

// submit is one of the job methods of dbus.Conn.
type submit func(c *dbus.Conn, ctx context.Context, name, mode string, done chan<- string) (int, error)

func (m *Manager) job(ctx context.Context, verb, name string, f submit) error {
	ctx, cancel := context.WithTimeoutCause(ctx, jobLimit, fmt.Errorf("the job did not end within %s", jobLimit))
	defer cancel()
	c, err := m.dial(ctx)
	if err != nil {
		return fmt.Errorf("cannot %s %s: systemd cannot be reached: %w", verb, name, cause(ctx, err))
	}
	defer c.Close()
	begun := time.Now()
	done := make(chan string, 1)
	if _, err := f(c, ctx, name, "replace", done); err != nil {
		return fmt.Errorf("cannot %s %s: %w", verb, name, cause(ctx, err))
	}
	result, err := await(ctx, c, done)
	switch {
	case err != nil:
		return fmt.Errorf("cannot %s %s: %w", verb, name, err)
	case result != "done":
		return &JobError{Verb: verb, Unit: name, Result: result, Log: lastLines(ctx, name, begun)}
	}
	return nil
}

// await waits for a job's result. When systemd re-executes itself the
// connection ends without one.
func await(ctx context.Context, c *dbus.Conn, done <-chan string) (string, error) {
	tick := time.NewTicker(connectionCheck)
	defer tick.Stop()
	for {
		select {
		case result := <-done:
			return result, nil
		case <-ctx.Done():
			return "", cause(ctx, ctx.Err())
		case <-tick.C:
			if !c.Connected() {
				return "", errors.New("systemd closed the connection before the job ended; its outcome is not known")
			}
		}
	}
}

// lastLines asks the journal what the unit said since the job began. That is
// help for people; without a journal there is none.
func lastLines(ctx context.Context, name string, since time.Time) []string {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	// What the unit said last may still be on its way into the journal.
	_, _ = host.Command{Path: "journalctl", Args: []string{"--sync"}}.Run(ctx)
	out, err := journalCommand(name, since).Run(ctx)
	if err != nil {
		return nil
	}
	var lines []string
	for line := range strings.Lines(out.Stdout) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "-- ") {
			lines = append(lines, line)
		}
	}
	return lines
}

func journalCommand(name string, since time.Time) host.Command {
	return host.Command{Path: "journalctl", Args: []string{
		"--no-pager", "--quiet", "--output=cat",
		fmt.Sprintf("--lines=%d", logLines),
		fmt.Sprintf("--since=@%d", since.Unix()),
		"--unit=" + name,
	}}
}
