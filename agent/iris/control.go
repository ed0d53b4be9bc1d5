package iris

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"icm/agent/host"
	"icm/internal/wire"
)

// Stop words of the iris command, mildest first.
const (
	StopQuiet  = "quietly"
	StopBypass = "bypass" // for an instance that lets nobody in
	// StopNoFailover keeps the backup from taking over.
	StopNoFailover = "nofailover"
)

// StartCommand builds the command that starts an instance by hand; the unit
// runs the same. merge names a configuration merge file, or is empty.
func (n *Node) StartCommand(in wire.Instance, merge string) host.Command {
	c := host.Command{Path: n.Program(), Args: []string{"start", in.Name, "quietly"}}
	if merge != "" {
		c.Env = append(c.Env, "ISC_CPF_MERGE_FILE="+merge)
	}
	return n.asOwnerOf(in.Dir, c)
}

// StopCommand builds the command that stops an instance by hand. "quietly" is
// the last word or the command asks questions.
func (n *Node) StopCommand(in wire.Instance, words ...string) host.Command {
	args := append([]string{"stop", in.Name}, words...)
	return n.asOwnerOf(in.Dir, host.Command{Path: n.Program(), Args: append(args, StopQuiet)})
}

// StartByHand starts an instance outside its unit.
func (n *Node) StartByHand(ctx context.Context, in wire.Instance, merge string) error {
	out, err := n.run(ctx, n.StartCommand(in, merge))
	if err != nil && !strings.Contains(out.Stdout, "already up") {
		return fmt.Errorf("cannot start %s: %w%s", in.Name, err, because(LastAlerts(in, 0, 1)))
	}
	return nil
}

// StopByHand stops an instance outside its unit and waits until it is down.
func (n *Node) StopByHand(ctx context.Context, in wire.Instance, words ...string) error {
	out, err := n.run(ctx, n.StopCommand(in, words...))
	now, findErr := n.Find(ctx, in.Name)
	if findErr != nil {
		return findErr
	}
	if Down(now) {
		return nil
	}
	if err == nil {
		err = fmt.Errorf("it is %q still; iris stop said %q", now.Status, lastLine(out.Stdout+"\n"+out.Stderr))
	}
	return fmt.Errorf("cannot stop %s: %w", in.Name, err)
}

// Force kills an instance. What it had in memory is recovered from the journal
// at the next start. Only for one that is hung, and only when asked for.
func (n *Node) Force(ctx context.Context, in wire.Instance) error {
	if _, err := n.run(ctx, host.Command{Path: n.Program(), Args: []string{"force", in.Name, StopQuiet}}); err != nil {
		return fmt.Errorf("cannot force %s down: %w", in.Name, err)
	}
	return nil
}

// Wait is one wait for an instance: until when, and who is told how it goes.
type Wait struct {
	Deadline time.Time
	// Tell gets the wait as it stands at every look. nil tells nobody.
	Tell func(w wire.Waiting)
}

// UntilReady waits until an instance serves: it runs, is not hung, a failover
// member has found its place in the mirror, and sessions are let in. The words
// are those that the kits' own waiting script uses.
// One that was started and died is not waited for any longer.
func (n *Node) UntilReady(ctx context.Context, name string, w Wait) error {
	life := watch{n: n}
	return n.until(ctx, w, name+" to be ready", func(ctx context.Context) (bool, string, error) {
		in, err := n.Find(ctx, name)
		if err != nil {
			return false, err.Error(), permanent(err)
		}
		if ok, seen := serving(in); !ok && (in.MirrorStatus != catchingUp || !Running(in) || in.Health == "hung") {
			return false, seen, life.died(in)
		}
		ok, seen := n.signOn(ctx, in)
		return ok, seen, nil
	})
}

// A failover member that catches up lets sessions in; how long that takes
// depends on its data, and is waited for by UntilMirror, with a deadline of its
// own.
const catchingUp = "Synchronizing"

// permanent keeps the errors that waiting cannot mend.
func permanent(err error) error {
	if errors.Is(err, ErrNoInstance) {
		return err
	}
	return nil
}

// serving decides by what qlist says. warn and alert do not count: a freshly
// started instance often has either for half an hour.
func serving(in wire.Instance) (bool, string) {
	seen := fmt.Sprintf("status %q, health %q", in.Status, in.Health)
	if !Running(in) || in.Health == "hung" {
		return false, seen
	}
	if in.MirrorType == "Failover" {
		switch in.MirrorStatus {
		case "Primary", "Backup", "Connected", "Waiting":
		default:
			return false, fmt.Sprintf("%s, mirror status %q", seen, in.MirrorStatus)
		}
	}
	return true, seen
}

// signOn finds out whether sessions are let in. An instance that asks for a
// password lets them in.
func (n *Node) signOn(ctx context.Context, in wire.Instance) (bool, string) {
	ctx, cancel := context.WithTimeoutCause(ctx, queryLimit, errors.New("a session does not answer"))
	defer cancel()
	_, err := n.objectScript(ctx, in, wire.SessionRequest{Namespace: "%SYS"})
	if err == nil || errors.Is(err, ErrLogin) {
		return true, ""
	}
	return false, err.Error()
}

// UntilDown waits until an instance is down.
func (n *Node) UntilDown(ctx context.Context, name string, w Wait) error {
	return n.until(ctx, w, name+" to be down", func(ctx context.Context) (bool, string, error) {
		in, err := n.Find(ctx, name)
		if err != nil {
			return false, err.Error(), permanent(err)
		}
		return Down(in), fmt.Sprintf("status %q", in.Status), nil
	})
}

func (n *Node) until(ctx context.Context, w Wait, what string, look func(context.Context) (bool, string, error)) error {
	ctx, cancel := context.WithDeadline(ctx, w.Deadline)
	defer cancel()
	begun, seen := time.Now(), "nothing"
	for {
		ok, now, err := look(ctx)
		if err != nil {
			return fmt.Errorf("cannot wait for %s: %w", what, err)
		}
		if ok {
			return nil
		}
		if ctx.Err() == nil {
			seen = now
		}
		if w.Tell != nil {
			w.Tell(wire.Waiting{For: "for " + what, Last: seen, Lasted: time.Since(begun), Left: time.Until(w.Deadline),
				Clears: "it ends by itself; messages.log of the instance says what it is at"})
		}
		if err := n.pause(ctx); err != nil {
			return fmt.Errorf("waited %s for %s, last seen: %s: %w", time.Since(begun).Round(time.Second), what, seen, err)
		}
	}
}

func because(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return ": " + strings.Join(lines, " | ")
}

// Healthy reports whether an instance serves and has no alert, and what was seen.
func (n *Node) Healthy(ctx context.Context, in wire.Instance) (bool, string) {
	ok, seen := serving(in)
	if !ok || in.Health == "alert" {
		return false, seen
	}
	if ok, why := n.signOn(ctx, in); !ok {
		return false, why
	}
	return true, seen
}

// UntilHealthy waits until an instance is healthy.
func (n *Node) UntilHealthy(ctx context.Context, name string, w Wait) error {
	life := watch{n: n}
	return n.until(ctx, w, name+" to be healthy", func(ctx context.Context) (bool, string, error) {
		in, err := n.Find(ctx, name)
		if err != nil {
			return false, err.Error(), permanent(err)
		}
		ok, seen := n.Healthy(ctx, in)
		return ok, seen, life.died(in)
	})
}
