package iris

import (
	"fmt"
	"time"

	"icm/internal/wire"
)

// diedAfter is how long an instance that was started may be down, or crashed,
// until it is given up. One that starts is not down; one that systemd starts at boot may be
// for a moment.
const diedAfter = 15 * time.Second

// watch notices an instance that died while something else is waited for.
type watch struct {
	n     *Node
	since time.Time // down since then; zero while it is not
}

// died is an error once the instance has been down for too long.
func (w *watch) died(in wire.Instance) error {
	if !Down(in) && !Crashed(in) {
		w.since = time.Time{}
		return nil
	}
	if w.since.IsZero() {
		w.since = time.Now()
	}
	if down := time.Since(w.since); down >= w.n.DiedAfter {
		return fmt.Errorf("it was started and is %q now, for %s", in.Status, down.Round(time.Second))
	}
	return nil
}
