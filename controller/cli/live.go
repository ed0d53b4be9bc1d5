package cli

import (
	"fmt"
	"io"
	"strings"
	"sync"

	"icm/controller/deploy"
)

// maxLive bounds the live lines, so that they fit on a small terminal; the
// last line counts the others.
const maxLive = 12

// liveLines draws one line per node that is at work, below everything that was
// printed for good.
type liveLines struct {
	w     io.Writer
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
	case deploy.Starting, deploy.Waiting:
		l.set(ev.Subject, ev.Text)
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
	for i, s := range l.order {
		if i == maxLive {
			fmt.Fprintf(l.w, "  and %d more\n", len(l.order)-maxLive)
			l.drawn++
			break
		}
		fmt.Fprintf(l.w, "  %s  %s\n", s, l.text[s])
		l.drawn++
	}
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
