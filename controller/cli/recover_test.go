package cli

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"icm/controller/remote"
	"icm/controller/state"
)

func TestRecoverNeedsNothingButAddressesAndTheKey(t *testing.T) {
	u := provisioned(t, cluster)
	u.must(t, "install")
	all, err := state.LoadInstances(u.site.Dir + "/instances.json")
	if err != nil {
		t.Fatal(err)
	}
	var hosts []string
	for _, n := range all {
		hosts = append(hosts, n.IPAddress)
		u.site.At[n.IPAddress] = n.MachineName
	}
	dir, _, _ := strings.Cut(all[0].StateDir, "/ACME-")
	for _, err := range []error{os.RemoveAll(dir), os.Remove(u.site.Dir + "/instances.json")} {
		if err != nil {
			t.Fatal(err)
		}
	}
	holds(t, u.fails(t, ExitError, "recover"), "cannot tell which nodes there are", "icm recover -nodes")
	holds(t, u.must(t, "recover", "-nodes", strings.Join(hosts, ", "), "-user", "icm", "-key", "id"), am2, "Recovered: 3 nodes, 2 operations", "ICM-")
	holds(t, u.must(t, "plan", "install"), "Nothing to do")
	holds(t, u.must(t, "operations"), "recovered", "icm install")
	holds(t, u.fails(t, ExitRefused, "recover", "-nodes", hosts[0]), "is not written over")
}

func TestANodeThatIsSkippedIsTheExitStatusAndInEveryAnswer(t *testing.T) {
	u := provisioned(t, cluster)
	u.site.Unreachable[am1] = fmt.Errorf("%w: no answer", remote.ErrUnreachable)
	holds(t, u.fails(t, ExitRefused, "install"), "does not answer")
	holds(t, u.fails(t, ExitPartial, "plan", "install", "-skipUnreachable", "-json"), am1+" did not answer")
	holds(t, u.response(t), `"skipped":["`+am1+`"]`, `"digest":`)
	holds(t, u.fails(t, ExitPartial, "install", "-skipUnreachable", "-json"), am1+" did not answer", "icm install does it at once")
	holds(t, u.response(t), am1+" did not answer")
	status, out, errs := u.types(t.Context(), "ps")
	if status != ExitOK {
		t.Errorf("ps ends with %d: %s", status, errs)
	}
	holds(t, errs, am1+" owes install since")
	holds(t, out, am1, "unreachable")
}
