package providertest

import (
	"path"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"

	"icm/plugins/provider"
)

// checkNodes compares nodes with what was wanted and with what the contract
// says about every node.
func (d *deployment) checkNodes(nodes []provider.Node) {
	d.t.Helper()
	if diff := cmp.Diff(d.wanted(), names(nodes)); diff != "" {
		d.t.Errorf("nodes (-wanted +given):\n%s", diff)
	}
	for _, n := range nodes {
		for _, fault := range faults(n) {
			d.t.Errorf("%s: %s", n.MachineName, fault)
		}
		if d.c.Reachable == nil || n.Virtual != "" {
			continue
		}
		if err := d.c.Reachable(d.ctx(), n); err != nil {
			d.t.Errorf("%s is not reachable: %v", n.MachineName, err)
		}
	}
}

// faults are the ways in which a node breaks the contract.
func faults(n provider.Node) []string {
	var out []string
	if n.IPAddress == "" && n.DNSName == "" {
		out = append(out, "has neither an IPAddress nor a DNSName")
	}
	if !slices.Contains([]string{"running", "stopped", "unknown"}, n.State) {
		out = append(out, "has the State "+n.State)
	}
	if n.Port < 0 || n.Port > 65535 {
		out = append(out, "has a Port that cannot be")
	}
	for _, key := range n.HostKeys {
		if _, _, _, _, err := ssh.ParseAuthorizedKey([]byte(key)); err != nil {
			out = append(out, "has a host key that cannot be read: "+key)
		}
	}
	for purpose, device := range n.Volumes {
		if !strings.HasPrefix(path.Clean(device), "/dev/") {
			out = append(out, "has the volume "+purpose+" outside /dev: "+device)
		}
	}
	return out
}

// names are the machine names of all nodes but load balancers, sorted.
func names(nodes []provider.Node) []string {
	var out []string
	for _, n := range nodes {
		if n.Virtual == "" {
			out = append(out, n.MachineName)
		}
	}
	slices.Sort(out)
	return out
}

// same compares nodes by what must not change: all but the state.
func same(a, b []provider.Node) string {
	return cmp.Diff(stable(a), stable(b))
}

func stable(nodes []provider.Node) []provider.Node {
	out := slices.Clone(nodes)
	for i := range out {
		out[i].State = ""
	}
	slices.SortFunc(out, func(a, b provider.Node) int {
		return strings.Compare(a.MachineName, b.MachineName)
	})
	return out
}
