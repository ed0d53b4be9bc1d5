package instance_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"icm/labkit/continuity"
	"icm/labkit/internal/gateway"
	"icm/labkit/internal/instance"
	"icm/labkit/superserver"
)

var login = superserver.Login{User: "_SYSTEM", Password: "x"} // Minimal asks for none

// webRoute is the route through a Web Gateway that knows one member.
func webRoute(t *testing.T, name string, server *instance.Machine) continuity.Route {
	dir := t.TempDir()
	ini := fmt.Sprintf("[SYSTEM]\nServer_Response_Timeout=20\n[SYSTEM_INDEX]\nDM=Enabled\n[DM]\nIp_Address=%s\nTCP_Port=%s\nUsername=CSPSystem\nPassword=x\nMirror_Aware=1\n"+
		"[APP_PATH_INDEX]\n/csp=Enabled\n[APP_PATH:/csp]\nDefault_Server=DM\n", server.Host(), server.Port())
	if err := os.WriteFile(filepath.Join(dir, "CSP.ini"), []byte(ini), 0o600); err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(gateway.New(dir))
	t.Cleanup(web.Close)
	return continuity.Web(name, web.URL+"/csp/app")
}

func use(t *testing.T, o continuity.Options) *continuity.Client {
	t.Helper()
	o.Namespace, o.Pause = "APP", 5*time.Millisecond
	c, err := continuity.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// end stops the client; what is missing after limit is lost.
func end(t *testing.T, c *continuity.Client, limit time.Duration) *continuity.Report {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	rep, err := c.Stop(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s", rep)
	return rep
}

// A rolling upgrade as icm does it, without new kits: the application server,
// the backup, the primary.
func TestARollingRestartCostsOneFailoverAndNoData(t *testing.T) {
	t.Parallel()
	_, a, b := instance.Pair(t)
	am := instance.ApplicationServer(t, a, b)
	members := []continuity.Route{superserver.Server("A", login, a.Addr()), superserver.Server("B", login, b.Addr())}
	c := use(t, continuity.Options{
		Routes: []continuity.Route{superserver.Server("AM", login, am.Addr()), webRoute(t, "WS", a), superserver.Mirror("mirror", login, a.Addr(), b.Addr())},
		Copies: members, Servers: append(members, superserver.Server("AM", login, am.Addr())),
	})
	am.Stop()
	am.Start()
	b.Stop()
	b.Start()
	b.Becomes("Backup")
	a.Stop()
	b.Becomes("Primary")
	a.Start()
	a.Becomes("Backup")
	rep := end(t, c, time.Minute)
	for _, v := range rep.Violations(continuity.Budget{Restarts: 1, Failovers: 1}) {
		t.Error(v)
	}
	if v := strings.Join(rep.Violations(continuity.Budget{}), "\n"); strings.Count(v, "was started 1 times, the budget is 0") != 3 || !strings.Contains(v, "failed over 1 times") {
		t.Errorf("three restarts and a failover are counted as\n%s", v)
	}
}

func TestAWriteThatASplitBrainCostIsNoticed(t *testing.T) {
	t.Parallel()
	cut, a, b := instance.Pair(t)
	members := []continuity.Route{superserver.Server("A", login, a.Addr()), superserver.Server("B", login, b.Addr())}
	c := use(t, continuity.Options{Routes: members, Copies: members, Servers: members})
	b.Misbehave("mirror-split-brain=1")
	cut(true)
	b.Becomes("Primary")
	a.Eventually("both have acknowledged for a while", func() bool { return c.Acknowledged("A") > 50 && c.Acknowledged("B") > 50 })
	b.Misbehave("")
	cut(false)
	a.Becomes("Backup")
	rep := end(t, c, 5*time.Second)
	v := strings.Join(rep.Violations(continuity.Budget{Restarts: 1, Failovers: 1}), "\n")
	for _, want := range []string{"lost: A-0", "split brain: ", "acknowledged in epoch 1 after epoch 2 had begun"} {
		if !strings.Contains(v, want) {
			t.Errorf("the report does not say %q", want)
		}
	}
	if found := strings.Join(continuity.SplitBrains(a.Reigns(), b.Reigns()), "\n"); !strings.Contains(found, "A acknowledged") {
		t.Errorf("the members wrote down %q", found)
	}
}
