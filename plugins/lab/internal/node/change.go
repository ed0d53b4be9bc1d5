package node

import "fmt"

// Change is the difference between a node and what is wanted of it.
type Change struct {
	Grow []Volume // with their new sizes
	Add  []Volume
	Rate bool
}

// Empty reports whether there is nothing to do.
func (c Change) Empty() bool { return len(c.Grow)+len(c.Add) == 0 && !c.Rate }

// Diff compares a prepared node with what is wanted. What would lose data, or
// cannot be done to a machine that exists, is an error.
func (n *Node) Diff(want Config) (Change, error) {
	change := Change{Rate: n.Rate != want.Rate}
	if n.User != want.User {
		return change, n.cannot("its user is %s and cannot become %s", n.User, want.User)
	}
	wanted := map[string]Volume{}
	for _, v := range want.Volumes {
		wanted[v.Purpose] = v
	}
	for _, have := range n.Volumes {
		v, ok := wanted[have.Purpose]
		delete(wanted, have.Purpose)
		switch {
		case !ok:
			return change, n.cannot("its %s volume would be lost", have.Purpose)
		case v.Device != have.Device:
			return change, n.cannot("its %s volume is %s and cannot become %s", have.Purpose, have.Device, v.Device)
		case v.GB < have.GB:
			return change, n.cannot("its %s volume has %d GB and cannot shrink to %d GB", have.Purpose, have.GB, v.GB)
		case v.GB > have.GB:
			change.Grow = append(change.Grow, v)
		}
	}
	for _, v := range want.Volumes {
		if _, isNew := wanted[v.Purpose]; isNew {
			change.Add = append(change.Add, v)
		}
	}
	return change, nil
}

func (n *Node) cannot(format string, args ...any) error {
	return fmt.Errorf("cannot change node %s: %s", n.Machine, fmt.Sprintf(format, args...))
}
