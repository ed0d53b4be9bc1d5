package topology

import (
	"fmt"
	"slices"
	"strings"

	"icm/controller/spec"
)

// Mirror is a set of nodes that keep copies of databases.
type Mirror struct {
	Name    string
	Members []Node // primary, backup, asyncs
}

// mirrors gives the DM nodes, each pair of DS nodes, and each group of DATA
// nodes, their mirror. The rules have been checked.
func (t *Topology) mirrors() {
	dm, ds, data := 0, 0, 0
	mirrorMap := t.mirrorMap()
	for i := range t.Nodes {
		n := &t.Nodes[i]
		switch {
		case !n.Fields.Bool("Mirror"):
		case n.Role == "DM":
			n.Mirror, n.Member = "MIRROR", mirrorMap[dm]
			dm++
		case n.Role == "DS":
			n.Mirror, n.Member = fmt.Sprintf("SHARD%d", ds/2+1), []Member{Primary, Backup}[ds%2]
			ds++
		case n.Role == "DATA":
			n.Mirror, n.Member = fmt.Sprintf("DATA%d", data/len(mirrorMap)+1), mirrorMap[data%len(mirrorMap)]
			data++
		}
	}
}

// Mirrors are all mirrors, that of the DM nodes first.
func (t *Topology) Mirrors() []Mirror {
	var all []Mirror
	for _, n := range slices.Concat(t.DataServers(), t.ShardServers(), t.DataNodes()) {
		if n.Mirror == "" {
			continue
		}
		if len(all) == 0 || all[len(all)-1].Name != n.Mirror {
			all = append(all, Mirror{Name: n.Mirror})
		}
		last := &all[len(all)-1]
		last.Members = append(last.Members, n)
	}
	return all
}

// mirrorMap is what the DM nodes, or the DATA nodes of one mirror, become, in
// their order.
func (t *Topology) mirrorMap() []Member {
	servers := append(t.DataServers(), t.DataNodes()...)
	if len(servers) == 0 {
		return nil
	}
	return parseMirrorMap(servers[0].Fields)
}

func parseMirrorMap(f spec.Fields) []Member {
	var members []Member
	for _, word := range f.List("MirrorMap") {
		members = append(members, Member(strings.ToLower(word)))
	}
	return members
}
