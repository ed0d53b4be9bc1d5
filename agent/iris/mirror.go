package iris

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"icm/internal/cpf"
	"icm/internal/hint"
	"icm/internal/kind"
	"icm/internal/wire"
)

// AgentPort is where an ISCAgent listens unless it is told otherwise.
const AgentPort = 2188

// Membership is what the configuration of an instance says of its mirror. It
// tells whether it is a member, running or not; what it is just now, only the
// instance itself can tell (MirrorState).
type Membership struct {
	Mirror string // "" when it is in none
	Member string // its system name
}

// MembershipOf reads it. A configuration that cannot be read has none.
func MembershipOf(in wire.Instance) Membership {
	f, err := ReadCPF(in)
	if err != nil {
		return Membership{}
	}
	member, _ := f.Get("MirrorMember", "SystemName")
	names := f.Keys("Mirrors")
	if join, _ := f.Get("MirrorMember", "JoinMirror"); len(names) == 0 || join == "0" && !mirrorType(in.MirrorType) {
		return Membership{}
	}
	return Membership{Mirror: strings.ToUpper(names[0]), Member: member}
}

// mirrorType reports whether a type that qlist tells is one of a member.
func mirrorType(t string) bool { return t != "" && t != "Not Member" && t != "Indeterminate" }

// MirroredDatabase returns where a database of a mirror lies on this member, by
// its name in the mirror; "" when it is not there.
func MirroredDatabase(in wire.Instance, mirror, name string) string {
	f, err := ReadCPF(in)
	if err != nil {
		f = cpf.Parse(nil)
	}
	v, _ := f.Get("MapMirrors."+mirror, name)
	return trimDir(firstOf(v))
}

// MirrorState asks a running member what it is to its mirror. Fields that its
// release does not tell are empty.
func (n *Node) MirrorState(ctx context.Context, in wire.Instance) (wire.MirrorState, error) {
	m := MembershipOf(in)
	s := wire.MirrorState{Name: m.Mirror, Member: m.Member, Type: in.MirrorType, Status: in.MirrorStatus}
	reply, err := n.objectScript(ctx, in, wire.SessionRequest{Namespace: "%SYS", Code: mirrorState})
	if err != nil {
		return s, fmt.Errorf("cannot ask %s about its mirror: %w", in.Name, err)
	}
	for line := range strings.Lines(reply.Out) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch key {
		case "icm-name":
			s.Name = first(value, s.Name)
		case "icm-status":
			s.Status = first(value, s.Status)
		case "icm-transfer":
			s.Transfer = lag(value)
		case "icm-dejournal":
			s.Dejournal = lag(value)
		case "icm-arbiter":
			s.Arbiter = strings.ReplaceAll(value, "|", ":")
		}
	}
	s.CaughtUp = caughtUp(s)
	return s, nil
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// lag leaves out the words for "does not apply".
func lag(words string) string {
	if strings.EqualFold(words, "N/A") {
		return ""
	}
	return words
}

func caughtUp(s wire.MirrorState) bool {
	caught := func(words string) bool {
		return words == "" || strings.EqualFold(words, "Active") || strings.EqualFold(words, "Caught up")
	}
	switch s.Status {
	case "Primary":
		return true
	case "Backup", "Connected":
		return caught(s.Transfer) && caught(s.Dejournal)
	}
	return false
}

// Tell adds to a list of instances what only the instances themselves can
// tell. One that does not answer tells nothing.
func (n *Node) Tell(ctx context.Context, list []wire.Instance) []wire.Instance {
	for i, in := range list {
		if !Running(in) {
			continue
		}
		list[i].Sharding = n.Sharding(in)
		if !mirrorType(in.MirrorType) {
			continue
		}
		ctx, cancel := context.WithTimeoutCause(ctx, queryLimit, errors.New("a session does not answer"))
		if s, err := n.MirrorState(ctx, in); err == nil {
			list[i].Mirror = &s
		}
		cancel()
	}
	return list
}

// Describe lists the instances with what they tell of themselves.
func (n *Node) Describe(ctx context.Context) ([]wire.Instance, error) {
	list, err := n.List(ctx)
	return n.Tell(ctx, list), err
}

// UntilMirror waits until a member has the wanted place in its mirror, as
// kind.WantMember and the others say.
func (n *Node) UntilMirror(ctx context.Context, name, want string, w Wait) error {
	what := map[string]string{kind.WantPrimary: "the primary", kind.WantBackup: "a backup that could take over",
		kind.WantAsync: "an async member that has caught up", kind.WantMember: "a settled member of its mirror"}[want]
	if what == "" {
		return fmt.Errorf("cannot wait for a mirror member: %q is no place in a mirror", want)
	}
	life := watch{n: n}
	return n.until(ctx, w, name+" to be "+what, func(ctx context.Context) (bool, string, error) {
		in, err := n.Find(ctx, name)
		if err != nil {
			return false, err.Error(), permanent(err)
		}
		if err := life.died(in); err != nil {
			return false, "", err
		}
		return n.inPlace(ctx, in, want)
	})
}

// UntilJoined waits until a member that has just joined has found its place. In
// a mirror with TLS one that was not admitted yet has when it waits.
func (n *Node) UntilJoined(ctx context.Context, name string, tls bool, w Wait) error {
	life := watch{n: n}
	return n.until(ctx, w, name+" to find its place in the mirror", func(ctx context.Context) (bool, string, error) {
		in, err := n.Find(ctx, name)
		if err != nil {
			return false, err.Error(), permanent(err)
		}
		if err := life.died(in); err != nil {
			return false, "", err
		}
		ok, seen, err := n.inPlace(ctx, in, kind.WantMember)
		return ok || tls && Running(in) && in.MirrorStatus == "Waiting", seen, err
	})
}

// InPlace decides whether a member has the wanted place, and says what it has.
func (n *Node) InPlace(ctx context.Context, in wire.Instance, want string) (bool, string) {
	ok, seen, _ := n.inPlace(ctx, in, want)
	return ok, seen
}

func (n *Node) inPlace(ctx context.Context, in wire.Instance, want string) (bool, string, error) {
	seen := fmt.Sprintf("status %q, mirror %s %q", in.Status, first(in.MirrorType, "Not Member"), in.MirrorStatus)
	if !Running(in) || !mirrorType(in.MirrorType) {
		return false, seen, nil
	}
	if want == kind.WantPrimary {
		return in.MirrorStatus == "Primary", seen, nil
	}
	s, err := n.MirrorState(ctx, in)
	if err != nil {
		return false, seen + ": " + err.Error(), nil
	}
	if s.Transfer+s.Dejournal != "" {
		seen += fmt.Sprintf(", transfer %q, dejournaling %q", s.Transfer, s.Dejournal)
	}
	fits := map[string]bool{kind.WantBackup: s.Status == "Backup", kind.WantAsync: s.Type != "Failover" && s.Status == "Connected",
		kind.WantMember: true}[want]
	return fits && s.CaughtUp, seen, nil
}

// CheckAgent proves that the ISCAgent answers, without which no instance can be
// a member.
func (n *Node) CheckAgent(ctx context.Context, address string, port int) error {
	if port == 0 {
		port = AgentPort
	}
	where := net.JoinHostPort(address, strconv.Itoa(port))
	d := net.Dialer{Timeout: 5 * time.Second}
	c, err := d.DialContext(ctx, "tcp", where)
	if err != nil {
		return &hint.Error{
			Err:  fmt.Errorf("cannot configure the mirror: the ISCAgent at %s does not answer: %v", where, err),
			Hint: "see `systemctl status ISCAgent` there, and the firewalls between the members: they need port " + strconv.Itoa(port),
		}
	}
	return c.Close()
}
