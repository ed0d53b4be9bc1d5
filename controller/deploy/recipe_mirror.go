package deploy

import (
	"net"
	"strconv"

	"icm/controller/topology"
	"icm/internal/kind"
)

// Keys of drafted tasks of mirrors that others refer to.
const (
	keyJoin     = "join"
	keyTakeover = "takeover"
)

// hostPort joins an address and a port.
func joinPort(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }

// arbiter is where the mirrors find theirs, "" when there is none.
func (c cluster) arbiter() string {
	n, ok := c.topo.Arbiter()
	if !ok || c.all[n.MachineName].Machine == "" {
		return ""
	}
	m := c.all[n.MachineName]
	return joinPort(m.Peer, m.agentPort)
}

func (m member) mirror() kind.Mirror { return kind.Mirror{Instance: m.Instance, Mirror: m.Mirror} }

func (c cluster) mirrorMember(m member) kind.MirrorMember {
	return kind.MirrorMember{
		Mirror: m.mirror(), Member: m.memberName(), Address: m.Peer,
		Arbiter: c.arbiter(), TLSDir: m.tlsDir(), AgentPort: m.agentPort,
	}
}

// installArbiter brings the ISCAgent of its own kit onto a node.
func installArbiter(_ cluster, m member) []draft { return arbiterFrom(m, keyInstall, "Install") }

// upgradeArbiter replaces it. Mirrors do without their arbiter meanwhile.
func upgradeArbiter(_ cluster, m member) []draft {
	return append(arbiterFrom(m, keyUpgrade, "Upgrade to"), runAgent(m, keyUpgrade)...)
}

func arbiterFrom(m member, key, doing string) []draft {
	return []draft{{
		key: key, kind: kind.AgentInstall, summary: doing + " ISCAgent " + m.KitInfo.Version,
		args: kind.ISCAgent{Kit: m.Kit, Version: m.KitInfo.Version},
	}}
}

// startArbiter is the service that mirrors ask.
func startArbiter(_ cluster, m member) []draft { return runAgent(m, keyInstall) }

func runAgent(m member, with string) []draft {
	return []draft{{
		key: "agent", kind: kind.AgentRun, summary: "Run the ISCAgent on port " + strconv.Itoa(m.agentPort),
		args: kind.AgentService{Port: m.agentPort}, need: ifEither, with: []string{with},
	}}
}

// prepareMember is what must be there before a mirror can be configured: the
// node's own ISCAgent, and the keys.
func prepareMember(_ cluster, m member) []draft {
	if m.Mirror == "" {
		return nil
	}
	tasks := runAgent(m, keyInstall)
	if m.TLS != nil {
		tasks = append(tasks, draft{key: "tls", kind: kind.TLSInstall, summary: "Bring the TLS keys", args: *m.TLS})
	}
	return tasks
}

// createMirror makes a mirror of one, and lets the others in.
func createMirror(c cluster, m member) []draft {
	if m.Mirror == "" {
		return nil
	}
	tasks := []draft{
		{key: "mirror", kind: kind.MirrorCreate, summary: "Create mirror " + m.Mirror, args: c.mirrorMember(m)},
		{key: "arbiter", kind: kind.MirrorArbiter, summary: "Tell mirror " + m.Mirror + " its arbiter", args: kind.Arbiter{Mirror: m.mirror(), Arbiter: c.arbiter()}},
	}
	if admit := c.admission(m); len(admit.Members) > 0 {
		tasks = append(tasks, draft{key: "admit", kind: kind.MirrorAdmit, summary: "Let the other members into mirror " + m.Mirror, args: admit})
	}
	return tasks
}

// admission is who may come into a mirror with TLS.
func (c cluster) admission(first member) kind.Admission {
	a := kind.Admission{Mirror: first.mirror()}
	if first.TLS == nil {
		return a
	}
	for _, other := range c.mirrorMembers(first.Mirror) {
		if other.Machine != first.Machine {
			a.Members = append(a.Members, kind.NewMember{
				Member: other.memberName(), Type: memberType(other), Address: other.Peer, DN: other.tlsSubject,
			})
		}
	}
	return a
}

func memberType(m member) string {
	if m.node.Member == topology.Async {
		return kind.DRAsync
	}
	return kind.Failover
}

// joinMirror makes a member of an instance that runs.
func joinMirror(c cluster, m member) []draft {
	first := c.first(m.Mirror)
	summary := "Join mirror " + m.Mirror + " as failover member"
	if memberType(m) == kind.DRAsync {
		summary = "Join mirror " + m.Mirror + " as async member"
	}
	return []draft{{
		key: keyJoin, kind: kind.MirrorJoin, summary: summary,
		args: kind.JoiningMember{MirrorMember: c.mirrorMember(m), Type: memberType(m), First: kind.FirstMember{
			Member: first.memberName(), Instance: first.Instance.Name, Address: first.Peer, AgentPort: first.agentPort,
		}},
	}}
}

// settleMember waits until a member that joined has found its place.
func settleMember(_ cluster, m member) []draft {
	want := kind.WantBackup
	if memberType(m) == kind.DRAsync {
		want = kind.WantAsync
	}
	return []draft{waitFor(m, want, keyJoin)}
}

func waitFor(m member, want string, with ...string) draft {
	words := map[string]string{
		kind.WantMember: "has its place in mirror ", kind.WantBackup: "could take over in mirror ",
		kind.WantAsync: "has caught up with mirror ", kind.WantPrimary: "is primary of mirror ",
	}
	return draft{
		key: "wait-" + want, kind: kind.MirrorWait, summary: "Wait until " + m.Machine + " " + words[want] + m.Mirror,
		args: kind.MirrorPlace{Mirror: m.mirror(), Want: want, Seconds: defaultStartSeconds}, need: ifWith, with: with,
	}
}

// mirrorNamespace makes the namespace on a database of the mirror.
func mirrorNamespace(m member) []draft {
	return []draft{{
		key: "namespace", kind: kind.MirrorDatabase, summary: "Make namespace " + m.Namespace + " in mirror " + m.Mirror,
		args: kind.MirroredDatabase{Mirror: m.mirror(), Name: m.Namespace, Dir: m.databaseDir()},
	}}
}

// leaveMirror takes an instance out of a mirror that goes on without it.
func leaveMirror(_ cluster, m member) []draft {
	return []draft{{key: "leave", kind: kind.MirrorLeave, summary: "Leave mirror " + m.Mirror, args: m.mirror(), need: ifWithAndUnsatisfied, with: []string{keyRemove}}}
}
