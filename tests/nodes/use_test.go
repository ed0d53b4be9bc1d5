//go:build nodes

package nodes

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"icm/labkit/continuity"
	"icm/labkit/superserver"
)

// settled is how long instances have after an operation to answer again and
// to catch up.
const settled = 90 * time.Second

// use reads and writes in a namespace through every way into a site until its
// result is called: each application server, each node of a cluster, each Web
// Gateway, and the primary of the data servers' mirror, or the data server. The result fails the
// scenario when that cost users more than the budget, when something that was
// acknowledged is lost, or when two members were primary at the same time.
func (s *site) use(namespace string, b continuity.Budget) (done func(s *site)) {
	s.t.Helper()
	o, members := s.ways(namespace)
	client, err := continuity.Start(s.t.Context(), o)
	if err != nil {
		s.t.Fatal(err)
	}
	return func(s *site) {
		s.t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), settled)
		defer cancel()
		report, err := client.Stop(ctx)
		if err != nil {
			s.t.Fatal(err)
		}
		s.t.Logf("what users saw:\n%s", report)
		for _, v := range report.Violations(b) {
			s.t.Error(v)
		}
		s.noSplitBrain(members...)
	}
}

// ways are the routes into a site, and its data servers.
func (s *site) ways(namespace string) (o continuity.Options, members []string) {
	s.t.Helper()
	o.Namespace = namespace
	login := superserver.Login{User: "_SYSTEM", Password: password}
	var addrs []string
	for _, row := range s.answer("inventory").([]any) {
		node := row.(map[string]any)
		name, ip, role := node["MachineName"].(string), node["IPAddress"].(string), node["Role"].(string)
		if role == "WS" {
			o.Routes = append(o.Routes, continuity.Web(name, "http://"+ip+"/csp/"+strings.ToLower(namespace)))
		}
		if !slices.Contains([]string{"DM", "AM", "DS", "QS", "DATA", "COMPUTE"}, role) {
			continue
		}
		addr := net.JoinHostPort(ip, s.setting(name, "Startup", "DefaultPort"))
		server := superserver.Server(name, login, addr)
		o.Servers = append(o.Servers, server)
		switch role {
		case "AM", "DATA", "COMPUTE":
			o.Routes = append(o.Routes, superserver.Server(name, login, addr))
		case "DM":
			addrs, members = append(addrs, addr), append(members, name)
			o.Copies = append(o.Copies, server)
		}
	}
	if len(addrs) > 0 {
		o.Routes = append(o.Routes, superserver.Mirror("data servers", login, addrs...))
	}
	return o, members
}

// noSplitBrain fails when members of a mirror wrote down that two of them were
// primary at the same time, or took back what one had acknowledged.
func (s *site) noSplitBrain(members ...string) {
	s.t.Helper()
	var files []string
	for _, m := range members {
		files = append(files, s.inside(m, "cat /usr/irissys/mgr/standin.reigns 2>/dev/null || true"))
	}
	for _, found := range continuity.SplitBrains(files...) {
		s.t.Error("split brain: " + found)
	}
}

func TestAnUpgradeUnderLoadCostsOneRestartOfEachServer(t *testing.T) {
	t.Parallel()
	s := newSite(t, pair, with(noVolumes, map[string]any{"Namespace": "DB", "Tag": "USE"}))
	dm, am := s.machine("DM", 1), s.machine("AM", 2)
	s.provision()
	s.bring("IRIS-2023.1.0")
	s.stage("install installs", func(s *site) { s.must("install") })
	s.bring("IRIS-2023.1.1")
	s.stage("upgrade replaces the kit under a client", func(s *site) {
		done := s.use("DB", continuity.Budget{Restarts: 1})
		s.must("upgrade")
		done(s)
	})
	s.running(version1, dm, am)
}

// cutLink cuts the link between two nodes, which goes on silently: nothing that one
// sends reaches the other.
func (s *site) cutLink(a, b string, cut bool) {
	s.t.Helper()
	verb := map[bool]string{true: "add", false: "del"}[cut]
	for from, to := range map[string]string{a: b, b: a} {
		s.inside(from, "ip route "+verb+" blackhole "+s.address(to)+"/32")
	}
}

// becomes waits until `iris list` of a node says something.
func (s *site) becomes(machine, says string) {
	s.t.Helper()
	eventually(s.t, fmt.Sprintf("iris list of %s says %q", machine, says), settled, func() (bool, string) {
		have := s.inside(machine, "iris list")
		return strings.Contains(have, says), have
	})
}

// copyHas waits until the copy of a member holds a row.
func (s *site) copyHas(machine, text string) {
	s.t.Helper()
	eventually(s.t, fmt.Sprintf("%s has %q", machine, text), settled, func() (bool, string) {
		have := s.must("sql", "-machine", machine, "-command", "SELECT * FROM Patients")
		return strings.Contains(have, text), have
	})
}
