//go:build nodes

package nodes

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// loginByPassword tries to log in to a node as the user of the site.
func (s *site) loginByPassword(machine, pass string) error {
	s.t.Helper()
	client, err := ssh.Dial("tcp", s.address(machine)+":22", &ssh.ClientConfig{
		User: "icm", Auth: []ssh.AuthMethod{ssh.Password(pass)}, Timeout: 10 * time.Second,
		HostKeyCallback: ssh.InsecureIgnoreHostKey(), //nolint:gosec // a node of this machine, and only its answer counts
	})
	if err != nil {
		return err
	}
	return client.Close()
}

func TestTwoDeploymentsSideBySideDoNotKnowEachOther(t *testing.T) {
	t.Parallel()
	one := newSite(t, `[{"Role": "DM", "Count": "1"}]`, with(noVolumes, map[string]any{"Tag": "ONE"}))
	other := newSite(t, `[{"Role": "DM", "Count": "1"}]`, with(noVolumes, map[string]any{"Tag": "OTHER"}))
	one.provision()
	other.provision()
	for _, s := range []*site{one, other} {
		dm := s.machine("DM", 1)
		says(t, s.must("ssh", "-command", "hostname"), "^"+dm+"$")
		equal(t, "the number of nodes", len(rows(s.must("inventory"))), 2)
	}

	// A node of one deployment obeys no other, even if a file says so.
	kept := one.read("instances.json")
	one.write("instances.json", strings.ReplaceAll(kept, one.address("T-DM-ONE-0001"), other.address("T-DM-OTHER-0001")))
	one.wantRefusal(one.icm("stop"), 3, "node T-DM-ONE-0001: host key does not match")
	one.write("instances.json", kept)

	dir, address := one.stateDir(), one.address("T-DM-ONE-0001")
	one.must("unprovision", "-stateDir", dir, "-cleanUp", "-force")
	equal(t, "the traces of the first", traces(t, filepath.Base(dir), address), nil)
	says(t, other.must("ssh", "-command", "hostname"), "^T-DM-OTHER-0001$")
	says(t, other.must("plan", "provision"), "^Nothing to do")
}
