package check

import (
	"context"
	"fmt"
	"slices"
	"time"

	"icm/agent/host"
	"icm/agent/unit"
	"icm/internal/wire"
)

// Hooks are what the checks need from others.
type Hooks struct {
	// Root is "/" on a node; tests give a directory.
	Root string
	// Owns reports whether a process belongs to the instance: then a port that
	// it holds is not in the way. nil means that none does.
	Owns func(ctx context.Context, instance string, pid int) bool
	// Kit finds out whether the kit can be had and what space it needs; nil
	// looks at no kit.
	Kit func(ctx context.Context, req wire.CheckRequest) ([]wire.SpaceNeed, error)
	// Units is systemd; nil is the one of this node.
	Units Units
	// Now is the node's clock; nil is time.Now.
	Now func() time.Time
}

// Units is what the checks ask of systemd.
type Units interface {
	Status(ctx context.Context, name string) (unit.Status, error)
}

// node is what a check sees.
type node struct {
	Hooks
	req wire.CheckRequest
	rel wire.OSRelease
	kit error // why the kit cannot be had
}

// Results of a finding.
const (
	pass = "pass"
	warn = "warn"
	fail = "fail"
)

// one is a check: its name, what it looks at, and the code.
type one struct {
	Name  string
	Looks string
	Run   func(ctx context.Context, n node) []wire.Finding
}

// all is every check there is, in the order of the report. The table
// "Preflight checks" in docs/safety.md repeats names and looks.
func all() []one {
	return []one{
		{"clock", "the node's clock against the controller's", checkClock},
		{"systemd", "systemd is process 1 and answers", checkSystemd},
		{"platform", "the kit's platform against the node's system", checkPlatform},
		{"kit", "the kit is where KitURL says", checkKit},
		{"licence", "a licence key that is left in the installation directory has not expired", checkLicence},
		{"memory", "memory the node has", checkMemory},
		{"space", "free space where something will be written", checkSpace},
		{"port", "ports that must be free, and who holds them", checkPorts},
		{"iscagent", "the ISCAgent's port is free, or the ISCAgent's", checkAgentPort},
		{"apache", "the Web Gateway's Apache is there", checkApache},
		{"command", "programs that must be there", checkCommands},
		{"reach", "addresses that must accept a connection", checkReach},
		{"hostname", "the node's own name resolves", checkHostname},
		{"removeipc", "logind's RemoveIPC, which deletes an instance's shared memory", checkRemoveIPC},
		{"selinux", "SELinux enforcing", checkSELinux},
		{"thp", "transparent huge pages", checkTHP},
		{"swap", "swap space", checkSwap},
		{"tmp", "/tmp mounted noexec", checkTmp},
		{"nosuid", "file systems of the installation mounted nosuid or noexec", checkNosuid},
	}
}

// Run does all checks that the request asks for, and those that need no
// request.
func Run(ctx context.Context, req wire.CheckRequest, h Hooks) wire.CheckReply {
	if h.Root == "" {
		h.Root = "/"
	}
	if h.Units == nil {
		h.Units = unit.New(h.Root)
	}
	if h.Now == nil {
		h.Now = time.Now
	}
	n := node{Hooks: h, req: req}
	if req.KitURL != "" && h.Kit != nil {
		var needs []wire.SpaceNeed
		needs, n.kit = h.Kit(ctx, req)
		n.req.Space = append(slices.Clone(req.Space), needs...)
	}
	n.rel, _ = host.ReadOSRelease(h.Root) // the check that needs it says so
	var reply wire.CheckReply
	for _, c := range all() {
		for _, f := range c.Run(ctx, n) {
			f.Check = c.Name
			reply.Findings = append(reply.Findings, f)
		}
	}
	return reply
}

func finding(result, hint, format string, args ...any) []wire.Finding {
	return []wire.Finding{{Result: result, Text: fmt.Sprintf(format, args...), Hint: hint}}
}

// size writes bytes for people.
func size(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.0f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%d bytes", n)
}
