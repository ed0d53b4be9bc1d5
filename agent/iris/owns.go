package iris

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Owns reports whether a process belongs to an instance: whether its program
// lies in the instance's directory, as the database, the superserver and the
// private web server do.
func (n *Node) Owns(ctx context.Context, instance string, pid int) bool {
	all, err := n.List(ctx)
	if err != nil {
		return false
	}
	program, err := os.Readlink(filepath.Join(n.Root, "proc", fmt.Sprint(pid), "exe"))
	if err != nil {
		return false
	}
	for _, i := range all {
		if strings.EqualFold(i.Name, instance) && strings.HasPrefix(program, strings.TrimSuffix(i.Dir, "/")+"/") {
			return true
		}
	}
	return false
}
