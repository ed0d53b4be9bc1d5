package cli

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"icm/controller/deploy"
	"icm/internal/wire"
)

// screen is a terminal: rows that wrap, a cursor, and the two sequences that
// live lines use.
type screen struct {
	columns int
	rows    []string // all that ever were, those scrolled away too
	row     int
}

func (s *screen) Write(p []byte) (int, error) {
	text := string(p)
	for text != "" {
		var up int
		if n, err := fmt.Sscanf(text, "\x1b[%dA", &up); n == 1 && err == nil {
			s.row -= up
			text = text[strings.IndexByte(text, 'A')+1:]
			continue
		}
		if rest, ok := strings.CutPrefix(text, "\x1b[J"); ok {
			s.rows = s.rows[:min(s.row, len(s.rows))]
			text = rest
			continue
		}
		line, rest, _ := strings.Cut(text, "\n")
		text = rest
		r := []rune(line)
		for first := true; first || len(r) > 0; first = false {
			n := min(len(r), s.columns)
			s.rows = append(s.rows[:s.row], string(r[:n]))
			s.row++
			r = r[n:]
		}
	}
	return len(p), nil
}

func TestLiveLinesNeverBreakWhatWasPrinted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		columns, rows := rapid.IntRange(10, 60).Draw(t, "columns"), rapid.IntRange(0, 20).Draw(t, "rows")
		s := &screen{columns: 1000} // permanent lines may be long, live ones must not
		c := &console{out: s, log: slog.New(slog.DiscardHandler), live: &liveLines{w: s, size: func() (int, int) { return columns, rows }}}
		var printed []string
		for i := range rapid.IntRange(1, 40).Draw(t, "events") {
			node := fmt.Sprint("node", rapid.IntRange(0, 15).Draw(t, "node"))
			ev := deploy.Event{Subject: node, Preposition: "on", Text: fmt.Sprint("work ", i, strings.Repeat(" more\t\x1b[2J", i%7))}
			ev.Kind = rapid.SampledFrom([]deploy.EventKind{deploy.Starting, deploy.Finished, deploy.Failed, deploy.Moved, deploy.Waiting, deploy.Said}).Draw(t, "kind")
			if ev.Kind == deploy.Moved {
				ev.Progress = wire.Progress{Done: int64(i), Total: 40, Unit: "files"}
			} else {
				ev.Text = fmt.Sprint("work ", i)
				ev.Err = errors.New("no")
				printed = append(printed, sentence(ev))
			}
			c.Report(ev)
			checkScreen(t, s, printed, columns, rows)
		}
		c.close()
		if len(s.rows) != len(printed) {
			t.Fatalf("live lines were left: %q", s.rows[len(printed):])
		}
	})
}

func checkScreen(t *rapid.T, s *screen, printed []string, columns, rows int) {
	for i, want := range printed {
		if s.rows[i] != want {
			t.Fatalf("line %d is %q, was printed as %q", i, s.rows[i], want)
		}
	}
	live := s.rows[len(printed):]
	if rows > 2 && len(live) > rows-1 || len(live) > maxLive+1 {
		t.Fatalf("%d live lines on %d rows", len(live), rows)
	}
	for _, l := range live {
		if len([]rune(l)) >= columns || strings.ContainsAny(l, "\x1b\t") {
			t.Fatalf("a live line of %d columns: %q", columns, l)
		}
	}
}

func TestALiveLineShowsHowFarANodeIs(t *testing.T) {
	s := &screen{columns: 80}
	l := &liveLines{w: s}
	l.move(deploy.Event{Subject: "a", Text: "Fetch", Progress: wire.Progress{Done: 5 << 20, Total: 10 << 20, Unit: "bytes"}})
	l.move(deploy.Event{Subject: "b", Text: "Wait", Progress: wire.Progress{Done: 7, Unit: "seconds", Note: "starting"}})
	same(t, "the screen", strings.Join(s.rows, "\n"), "  a  Fetch [##########..........] 5.0 MiB of 10.0 MiB\n  b  Wait 7 seconds starting")
}

func TestAWaitIsALineForGoodAndTheNodesLiveLine(t *testing.T) {
	s := &screen{columns: 200}
	c := &console{out: s, log: slog.New(slog.DiscardHandler), live: &liveLines{w: s}}
	text := "until the agent answers again; last seen: no answer; for 12s now, until 12:15:12 at the latest; bring the node up"
	c.Report(deploy.Event{Kind: deploy.Waiting, Subject: "a", Text: text})
	same(t, "the screen", strings.Join(s.rows, "\n"), "a: waiting: "+text+"\n  a  waiting "+text)
	c.close()
	same(t, "what stays", strings.Join(s.rows, "\n"), "a: waiting: "+text)
}
