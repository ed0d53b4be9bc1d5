//go:build nodes

package nodes

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// cloudSite is a deployment in a cloud whose instances are nodes of the lab: the
// real Terraform, the plugin and its templates, and a simulated provider that
// boots a node where Amazon would start an instance.
type cloudSite struct {
	*site
	mirror string
}

func newCloudSite(t *testing.T, definitions string) *cloudSite {
	t.Helper()
	terraform := ""
	for _, name := range []string{"terraform", "tofu"} {
		if path, err := exec.LookPath(name); err == nil && terraform == "" {
			terraform = path
		}
	}
	if terraform == "" {
		t.Fatal("this test runs the real Terraform, and neither terraform nor tofu is on the PATH: run `make deps`, which builds OpenTofu into build/tofu")
	}
	c := &cloudSite{mirror: filepath.Join(t.TempDir(), "mirror")}
	program := filepath.Join(t.TempDir(), "labcloud")
	goBuild(t, program, "./plugins/lab/cmd/labcloud", "-ldflags", "-s -w")
	labcloud := func(verb string) {
		if out, err := exec.Command(program, verb, c.mirror).CombinedOutput(); err != nil {
			t.Errorf("labcloud %s: %v: %s", verb, err, out)
		}
	}
	labcloud("mirror")
	t.Cleanup(func() { labcloud("down") })
	c.site = newSite(t, definitions, map[string]any{
		"Provider": "AWS", "Region": "us-west-1", "Zone": "us-west-1b", "AMI": "ami-0a540a5e1", "InstanceType": "m5.large",
		"Credentials": "credentials", "TerraformMirror": c.mirror, "TerraformPath": terraform, "Namespace": "DB", "OSVolumeSize": 8,
	})
	c.write("credentials", "[default]\naws_access_key_id = "+cloudKey+"\naws_secret_access_key = "+cloudKey+"\n")
	return c
}

// cloudKey is the key of the cloud's account. It must show nowhere.
const cloudKey = "canary-cl0ud-key"

// objects are what the cloud holds.
func (c *cloudSite) objects() []string {
	c.t.Helper()
	data, err := os.ReadFile(filepath.Join(c.mirror, "aws.cloud"))
	if err != nil {
		c.t.Fatal(err)
	}
	var store struct {
		Objects map[string]any `json:"objects"`
	}
	if err := json.Unmarshal(data, &store); err != nil {
		c.t.Fatal(err)
	}
	var out []string
	for name := range store.Objects {
		out = append(out, name)
	}
	return out
}

// inCloud runs a shell command in a node.
func (c *cloudSite) inCloud(machine, command string) string {
	c.t.Helper()
	r := c.run("lab", "exec", machine, "--", "sh", "-c", command)
	if r.status != 0 {
		c.t.Fatalf("%s: %s: status %d: %s", machine, command, r.status, r.err)
	}
	return strings.TrimSpace(r.out)
}

// nodes are the cloud's nodes that the lab has.
func (c *cloudSite) nodes() []string {
	c.t.Helper()
	var out []string
	for line := range strings.Lines(c.run("lab", "list").out) {
		if words := strings.Fields(line); strings.Contains(words[1], "-"+c.defaults["Tag"].(string)+"-") {
			out = append(out, words[1])
		}
	}
	return out
}

func TestCloudFromProvisionToUnprovision(t *testing.T) {
	t.Parallel()
	c := newCloudSite(t, `[{"Role": "DM", "Count": "1"}, {"Role": "AM", "Count": "1"}]`)
	dm, am, more := c.machine("DM", 1), c.machine("AM", 1), c.machine("AM", 2)

	out := c.provision()
	says(t, out, "^Starting plan of T-DM-.*...$", "^...completed apply of "+strings.TrimSuffix(am, "-0001")+"$")
	if strings.Contains(out+c.read("icm.log"), "trusted unseen") {
		t.Error("a host key was trusted unseen")
	}
	first := regexp.MustCompile(`"public": "ssh-ed25519 (\S+)`).FindStringSubmatch(c.read(filepath.Join(filepath.Base(c.stateDir()), strings.TrimSuffix(dm, "-0001"), "hostkeys.json")))
	now := c.inCloud(dm, "cut -d' ' -f2 /etc/ssh/ssh_host_ed25519_key.pub")
	if first == nil || now == first[1] {
		t.Errorf("the host key of %s is still the one that lies in the cloud", dm)
	}
	if known := c.read(filepath.Join(filepath.Base(c.stateDir()), "known_hosts")); !strings.Contains(known, now) {
		t.Errorf("the host key of %s is not pinned:\n%s", dm, known)
	}
	equal(t, "the file systems of "+dm, c.inCloud(dm, "grep -c ' /irissys/' /proc/mounts"), "4")
	if said, err := exec.Command("grep", "-r", "nvme-Amazon_Elastic_Block_Store_vol", filepath.Join(c.stateDir(), "operations")).CombinedOutput(); err != nil {
		t.Errorf("no volume was found by its identity: %v: %s", err, said)
	}
	says(t, c.must("plan", "provision"), "^Nothing to do: provision would change nothing.$")

	c.bring("IRIS-2023.1.0")
	c.must("install")
	c.running(version0, dm, am)

	c.write("definitions.json", `[{"Role": "DM", "Count": "1"}, {"Role": "AM", "Count": "2"}]`)
	says(t, c.must("plan", "provision"), "make node "+more, "^keep deployment .*: 3 nodes, 36 GiB on volumes$")
	says(t, c.must("plan", "provision", "-json=-"), `"make"`, `"node `+more+`"`)
	c.must("provision", "-force", "-stateDir", c.stateDir())
	c.bring("IRIS-2023.1.0")
	c.must("install")
	c.running(version0, dm, am, more)
	equal(t, "the host key of "+dm, c.inCloud(dm, "cut -d' ' -f2 /etc/ssh/ssh_host_ed25519_key.pub"), now)

	c.must("unprovision", "-stateDir", c.stateDir(), "-cleanUp", "-force")
	if left := append(c.objects(), c.nodes()...); len(left) > 0 {
		t.Errorf("unprovision left %q", left)
	}
	if strings.Contains(c.read("icm.log"), cloudKey) {
		t.Error("the account's key is in icm.log")
	}
}
