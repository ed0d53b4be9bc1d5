package iris

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"icm/agent/host"
	"icm/internal/wire"
)

// ErrNoInstance means that no instance of that name is registered.
var ErrNoInstance = errors.New("no such instance")

// List asks for the instances on the machine. A machine without an iris
// command has none.
func (n *Node) List(ctx context.Context) ([]wire.Instance, error) {
	program := n.Program()
	if program == "" {
		return nil, nil
	}
	list, err := n.qlist(ctx, host.Command{Path: program, Args: []string{"qlist"}})
	if err != nil {
		return nil, err
	}
	for i, in := range list {
		if !strings.HasPrefix(in.Status, "indeterminate") {
			continue
		}
		// The state of an instance can be hidden from another user than its
		// owner, root included.
		own, err := n.qlist(ctx, n.asOwnerOf(in.Dir, host.Command{Path: program, Args: []string{"qlist", in.Name}}))
		if err == nil && len(own) == 1 {
			list[i] = own[0]
		}
	}
	return list, nil
}

// Find asks for one instance. Names are compared without regard to case: kits
// register them in capitals. An instance that is not there is ErrNoInstance.
func (n *Node) Find(ctx context.Context, name string) (wire.Instance, error) {
	list, err := n.List(ctx)
	if err != nil {
		return wire.Instance{}, err
	}
	for _, in := range list {
		if strings.EqualFold(in.Name, name) {
			return in, nil
		}
	}
	return wire.Instance{}, fmt.Errorf("instance %s: %w", name, ErrNoInstance)
}

func (n *Node) qlist(ctx context.Context, c host.Command) ([]wire.Instance, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, queryLimit, fmt.Errorf("no answer within %s", queryLimit))
	defer cancel()
	out, err := n.run(ctx, c)
	// An unknown or broken instance can make the status bad and the list good.
	list := parseQlist(out.Stdout)
	if err == nil || len(list) > 0 {
		return list, nil
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("cannot ask for instances: %w", context.Cause(ctx))
	}
	return nil, fmt.Errorf("cannot ask for instances: %w", err)
}

// minFields is what the oldest kits print; a line with fewer is no instance.
const minFields = 8

// parseQlist reads the lines of `iris qlist` of any release: 8 to 14 fields, any of
// which may be empty.
func parseQlist(text string) []wire.Instance {
	var list []wire.Instance
	for text := range strings.Lines(text) {
		f := strings.Split(strings.TrimRight(text, "\r\n"), "^")
		if len(f) < minFields || f[0] == "" {
			continue
		}
		field := func(i int) string {
			if i < len(f) {
				return strings.TrimSpace(f[i])
			}
			return ""
		}
		status, since, _ := strings.Cut(field(3), ",")
		list = append(list, wire.Instance{
			Name: field(0), Dir: trimDir(field(1)), Version: field(2),
			Status: strings.TrimSpace(status), Since: strings.TrimSpace(since),
			CPF: field(4), SuperServer: field(5), WebServer: field(6), JDBCGateway: field(7),
			Health: field(8), Product: field(9), MirrorType: field(10), MirrorStatus: field(11),
			DataDir: trimDir(field(12)), SuperServers: field(13),
		})
	}
	return list
}

func trimDir(s string) string {
	if len(s) > 1 {
		return strings.TrimRight(s, "/")
	}
	return s
}

// Running reports whether an instance serves. Words differ: "running",
// "running on node A (…)".
func Running(in wire.Instance) bool { return strings.HasPrefix(in.Status, "running") }

// Down reports whether an instance is stopped, as opposed to starting,
// stopping, hung or crashed.
func Down(in wire.Instance) bool { return strings.HasPrefix(in.Status, "down") }

// Crashed reports whether an instance ended without being stopped. Starting it
// recovers it.
func Crashed(in wire.Instance) bool { return strings.HasPrefix(in.Status, "crashed") }

// Inhibited reports whether an instance is up and lets nobody in.
func Inhibited(in wire.Instance) bool { return strings.HasPrefix(in.Status, "sign-on inhibited") }
