package topology

// stage numbers; a lower one is earlier. Nodes of one stage may be worked on at
// the same time. Roles without a stage are not installed on: VM and CN.
type rank func(Node) (stage int, ok bool)

// InstallOrder is the order in which nodes are installed: what others need
// comes first. A mirror needs its arbiter, a backup its primary, an
// application server its data server, a web server them all.
func (t *Topology) InstallOrder() [][]Node { return t.stages(installRank) }

// UpgradeOrder is the order in which nodes are upgraded: application servers
// before their data server, since an ECP client may be newer than its server;
// in a mirror asyncs, then backups, and the primary last, after a failover.
// The members are those of the start: who is primary now must be asked.
func (t *Topology) UpgradeOrder() [][]Node { return t.stages(upgradeRank) }

func installRank(n Node) (int, bool) {
	switch n.Role {
	case "AR":
		return 0, true
	case "DM", "DS", "DATA":
		return 1 + memberRank(n.Member), true
	case "AM", "QS", "COMPUTE":
		return 4, true
	case "WS":
		return 5, true
	default:
		return 0, false
	}
}

func upgradeRank(n Node) (int, bool) {
	switch n.Role {
	case "AR":
		return 0, true
	case "WS":
		return 1, true
	case "AM", "QS", "COMPUTE":
		return 2, true
	case "DM", "DS", "DATA":
		return 5 - memberRank(n.Member), true
	default:
		return 0, false
	}
}

func memberRank(m Member) int {
	switch m {
	case Backup:
		return 1
	case Async:
		return 2
	default:
		return 0
	}
}

func (t *Topology) stages(of rank) [][]Node {
	const ranks = 6
	byRank := make([][]Node, ranks)
	for _, n := range t.Nodes {
		if r, ok := of(n); ok {
			byRank[r] = append(byRank[r], n)
		}
	}
	var stages [][]Node
	for _, nodes := range byRank {
		if len(nodes) > 0 {
			stages = append(stages, nodes)
		}
	}
	return stages
}
