package cli

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode"

	"icm/controller/deploy"
)

// maxLive bounds the live lines, so that they fit on a small terminal; the
// last line counts the others.
const maxLive = 12

// liveLines draws one line per node that is at work, below everything that was
// printed for good.
type liveLines struct {
	w io.Writer
	// size is the terminal's, in columns and rows; 0 is unknown. It is asked
	// before every drawing, since windows are resized.
	size  func() (columns, rows int)
	mu    sync.Mutex
	order []string
	text  map[string]string
	drawn int
}

// move shows how far a node is.
func (l *liveLines) move(ev deploy.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.set(ev.Subject, ev.Text+" "+bar(ev.Progress.Done, ev.Progress.Total, ev.Progress.Unit, ev.Progress.Note))
	l.redraw()
}

// event begins and ends a node's line.
func (l *liveLines) event(ev deploy.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch ev.Kind {
	case deploy.Starting:
		l.set(ev.Subject, ev.Text)
	case deploy.Waiting:
		l.set(ev.Subject, "waiting "+ev.Text)
	case deploy.Finished, deploy.Failed:
		l.remove(ev.Subject)
	}
}

// above prints a line for good, over the live ones.
func (l *liveLines) above(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.erase()
	fmt.Fprintln(l.w, line)
	l.redraw()
}

func (l *liveLines) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.erase()
}

func (l *liveLines) set(subject, text string) {
	if l.text == nil {
		l.text = map[string]string{}
	}
	if _, ok := l.text[subject]; !ok {
		l.order = append(l.order, subject)
	}
	l.text[subject] = text
}

func (l *liveLines) remove(subject string) {
	delete(l.text, subject)
	for i, s := range l.order {
		if s == subject {
			l.order = append(l.order[:i], l.order[i+1:]...)
			return
		}
	}
}

func (l *liveLines) erase() {
	if l.drawn > 0 {
		fmt.Fprintf(l.w, "\x1b[%dA\x1b[J", l.drawn)
		l.drawn = 0
	}
}

func (l *liveLines) redraw() {
	l.erase()
	columns, most := 0, maxLive
	if l.size != nil {
		var rows int
		columns, rows = l.size()
		if rows > 0 { // one row for the count of the others, one for the cursor
			most = max(1, min(most, rows-2))
		}
	}
	for i, s := range l.order {
		line := s + "  " + l.text[s]
		if i == most {
			line = fmt.Sprintf("and %d more", len(l.order)-most)
		}
		fmt.Fprintln(l.w, fit("  "+line, columns))
		l.drawn++
		if i == most {
			break
		}
	}
}

// fit makes a text take one row of a terminal: a second one would not be erased.
func fit(text string, columns int) string {
	clean := []rune(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text))
	// The last column is left free: some terminals go to the next row there.
	if columns > 1 && len(clean) > columns-1 {
		return string(clean[:columns-2]) + "…"
	}
	return string(clean)
}

// bar draws progress: a bar when the total is known, else the number.
func bar(done, total int64, unit, note string) string {
	if note != "" {
		note = " " + note
	}
	if total <= 0 {
		return amount(done, unit) + note
	}
	const width = 20
	full := int(min(done, total) * width / total)
	return fmt.Sprintf("[%s%s] %s of %s%s", strings.Repeat("#", full), strings.Repeat(".", width-full), amount(done, unit), amount(total, unit), note)
}

func amount(n int64, unit string) string {
	if unit != "bytes" {
		return fmt.Sprintf("%d %s", n, unit)
	}
	const mib = 1 << 20
	if n >= mib {
		return fmt.Sprintf("%.1f MiB", float64(n)/mib)
	}
	return fmt.Sprintf("%d bytes", n)
}
