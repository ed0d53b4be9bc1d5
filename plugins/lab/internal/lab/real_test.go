package lab

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"icm/plugins/lab/internal/await"
	"icm/plugins/lab/internal/node"
	"icm/plugins/provider"
)

const (
	password   = "canary-5f0c"
	volumeUUID = "6f1a9d52-0a55-4bb5-9be4-5f6a7f0c6f01"
	mountUnit  = "[Mount]\\nWhat=/dev/disk/by-uuid/" + volumeUUID +
		"\\nWhere=/irissys/data\\nType=xfs\\nOptions=nofail\\n[Install]\\nWantedBy=multi-user.target\\n"
)

// bench is a lab with two nodes for one test.
type bench struct {
	*testing.T
	lab    *Lab
	data   string
	signer ssh.Signer
	req    provider.Request
	nodes  []provider.Node
}

// newBench does not make the nodes yet. Whatever the test makes is gone after
// it, and that nothing is left is part of every test.
func newBench(t *testing.T) *bench {
	t.Helper()
	needLab(t)
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(t.TempDir(), "lab")
	id := fmt.Sprintf("ICM-test-%d-%x", os.Getpid(), time.Now().UnixNano())
	b := &bench{T: t, lab: New("test", data, CacheDir), data: data, signer: signer}
	b.req = ask(id, map[string]string{
		"SSHUser": "icm", "SSHPassword": password, "Containerless": "True",
		"DataVolumeSize": "1", "WIJVolumeSize": "1", "Journal1DeviceName": "null", "Journal2DeviceName": "null",
		"Image": os.Getenv("ICM_LAB_IMAGE"),
	}, "ACME-DM-TEST-0001", "ACME-DM-TEST-0002")
	b.req.PublicKey = strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey())))
	t.Cleanup(b.clean)
	return b
}

func needLab(t *testing.T) {
	t.Helper()
	for _, p := range unfit(os.Getenv("ICM_LAB_IMAGE") == "") {
		if !p.Warning {
			t.Skipf("needs a machine that can be a lab: %s (%s)", p.Text, p.Hint)
		}
	}
}

func (b *bench) clean() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	bridge := "icml-none"
	if d, err := b.lab.deployments.Look(b.req.Deployment); err == nil && d.HasSubnet() {
		bridge = d.Subnet.Bridge()
	}
	if err := b.lab.Unprovision(ctx, b.req, func(provider.Progress) {}); err != nil {
		b.Error(err)
	}
	err := await.Until(ctx, "the deployment to leave nothing", 10*time.Second, func() (bool, string, error) {
		left := residue(b.T, b.data, b.req.Deployment, bridge)
		return len(left) == 0, strings.Join(left, "\n"), nil
	})
	if err != nil {
		b.Error(err)
	}
}

func (b *bench) provision() {
	b.Helper()
	result, err := b.lab.Provision(b.Context(), b.req, func(provider.Progress) {})
	if err != nil {
		b.Fatal(err)
	}
	b.nodes = result.Nodes
}

func (b *bench) node(i int) *node.Node {
	b.Helper()
	n, err := b.lab.Find(b.req.Deployment, b.req.Definitions[0].Nodes[i].MachineName)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// ssh runs a command as the node's user, with the host key checked.
func (b *bench) ssh(i int, auth ssh.AuthMethod, cmd string) (string, error) {
	n := b.nodes[i]
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(n.HostKeys[0]))
	if err != nil {
		return "", err
	}
	client, err := ssh.Dial("tcp", net.JoinHostPort(n.IPAddress, "22"), &ssh.ClientConfig{
		User: n.User, Auth: []ssh.AuthMethod{auth}, HostKeyCallback: ssh.FixedHostKey(key), Timeout: 10 * time.Second,
	})
	if err != nil {
		return "", err
	}
	defer client.Close()
	session, err := client.NewSession()
	if err != nil {
		return "", err
	}
	out, err := session.CombinedOutput(cmd)
	return strings.TrimSpace(string(out)), err
}

// must runs a shell script as root on node i and returns what it says.
func (b *bench) must(t *testing.T, i int, script string) string {
	t.Helper()
	out, err := b.ssh(i, ssh.PublicKeys(b.signer), "sudo -n sh -euc '"+script+"'")
	if err != nil {
		t.Fatalf("on node %d: %s: %v: %s", i, script, err, out)
	}
	return out
}

func TestTwoNodesAreMachines(t *testing.T) {
	b := newBench(t)
	b.provision()

	t.Run("entered by key or password, with sudo, under their own name", func(t *testing.T) {
		for _, auth := range []ssh.AuthMethod{ssh.PublicKeys(b.signer), ssh.Password(password)} {
			out, err := b.ssh(0, auth, "sudo -n hostname && systemctl is-system-running")
			if err != nil || out != "ACME-DM-TEST-0001\nrunning" {
				t.Errorf("ssh said %q, %v", out, err)
			}
		}
		if id := b.must(t, 0, "cat /etc/machine-id"); id == b.must(t, 1, "cat /etc/machine-id") {
			t.Errorf("both nodes are machine %s", id)
		}
	})
	t.Run("they reach each other by name, and nothing outside", func(t *testing.T) {
		b.must(t, 0, "ping -c 1 -W 5 ACME-DM-TEST-0002 && ping -c 1 -W 5 acme-dm-test-0002")
		if routes := b.must(t, 0, "ip route show default"); routes != "" {
			t.Errorf("the node has the default route %s", routes)
		}
	})
	t.Run("their volumes take file systems, and are found by UUID", func(t *testing.T) {
		b.must(t, 0, "mkfs.xfs -q -m uuid="+volumeUUID+" -L icm-data /dev/xvdc")
		b.must(t, 0, "i=0; until [ -e /dev/disk/by-uuid/"+volumeUUID+" ]; do i=$((i+1)); [ $i -lt 100 ]; sleep 0.1; done")
		b.must(t, 0, `printf "`+mountUnit+`" >/etc/systemd/system/irissys-data.mount; systemctl daemon-reload`)
		b.must(t, 0, "systemctl -q enable --now irissys-data.mount; echo safe >/irissys/data/file; sync -f /irissys/data")
		if link := b.must(t, 0, "readlink -f /dev/disk/by-id/icm-lab-ACME-DM-TEST-0001-data /dev/disk/by-label/icm-data"); link != "/dev/xvdc\n/dev/xvdc" {
			t.Errorf("the data volume is found at %q", link)
		}
	})
	t.Run("provisioned again they are the same, and what was asked for more is there", func(t *testing.T) {
		before := b.nodes
		boot := b.must(t, 0, "cat /proc/sys/kernel/random/boot_id")
		for i := range b.req.Definitions[0].Nodes {
			b.req.Definitions[0].Nodes[i].Fields["DataVolumeSize"] = "2"
		}
		b.provision()
		for i, n := range b.nodes {
			if n.HostKeys[0] != before[i].HostKeys[0] || n.IPAddress != before[i].IPAddress {
				t.Errorf("node %d was %+v and is %+v", i, before[i], n)
			}
		}
		if now := b.must(t, 0, "cat /proc/sys/kernel/random/boot_id"); now != boot {
			t.Error("the node was started again")
		}
		b.must(t, 0, "xfs_growfs /irissys/data")
		if size := b.must(t, 0, "blockdev --getsize64 /dev/xvdc"); size != "2147483648" {
			t.Errorf("the data volume has %s bytes, want 2 GiB", size)
		}
		b.req.Definitions[0].Nodes[0].Fields["DataVolumeSize"] = "1"
		if _, err := b.lab.Plan(t.Context(), b.req); err == nil || !strings.Contains(err.Error(), "cannot shrink") {
			t.Errorf("Plan of a smaller volume = %v", err)
		}
		b.req.Definitions[0].Nodes[0].Fields["DataVolumeSize"] = "2"
	})
	t.Run("a power cut loses no synced data, and power on brings the node back", func(t *testing.T) {
		n := b.node(0)
		if err := n.PowerCut(t.Context()); err != nil {
			t.Fatal(err)
		}
		if state := State(n); state != "stopped" {
			t.Errorf("the node is %s after the power cut", state)
		}
		if err := b.lab.PowerOn(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		if got := b.must(t, 0, "mountpoint -q /irissys/data && cat /irissys/data/file"); got != "safe" {
			t.Errorf("the file holds %q", got)
		}
	})
	t.Run("a reboot keeps the address and the host key", func(t *testing.T) {
		boot := b.must(t, 1, "cat /proc/sys/kernel/random/boot_id")
		if err := b.node(1).Reboot(t.Context()); err != nil {
			t.Fatal(err)
		}
		if now := b.must(t, 1, "cat /proc/sys/kernel/random/boot_id"); now == boot {
			t.Error("the node was not started again")
		}
	})
	t.Run("a frozen node says nothing, a thawed one goes on", func(t *testing.T) {
		n := b.node(1)
		if err := n.Freeze(); err != nil {
			t.Fatal(err)
		}
		if state := State(n); state != "unknown" {
			t.Errorf("the frozen node is %s", state)
		}
		if _, err := b.lab.Provision(t.Context(), b.req, func(provider.Progress) {}); err == nil || !strings.Contains(err.Error(), "lab thaw") {
			t.Errorf("Provision with a frozen node = %v", err)
		}
		if err := n.Thaw(); err != nil {
			t.Fatal(err)
		}
		b.must(t, 1, "true")
	})
	t.Run("a cut cable cuts off the node, and a healed one brings it back", func(t *testing.T) {
		n := b.node(1)
		if err := n.Subnet.Cut(t.Context(), n.Number); err != nil {
			t.Fatal(err)
		}
		if _, err := b.ssh(0, ssh.PublicKeys(b.signer), "ping -c 1 -W 1 ACME-DM-TEST-0002"); err == nil {
			t.Error("the node answers over a cut cable")
		}
		if err := n.Subnet.Heal(t.Context(), n.Number); err != nil {
			t.Fatal(err)
		}
		b.must(t, 0, "ping -c 1 -W 5 ACME-DM-TEST-0002")
	})
	t.Run("the password is in no file of the lab", func(t *testing.T) {
		noCanary(t, b.data)
	})
}

// noCanary looks through all files of the lab but the volumes.
func noCanary(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || strings.HasSuffix(path, ".img") {
			return nil
		}
		if text, err := os.ReadFile(path); err == nil && strings.Contains(string(text), password) {
			t.Errorf("the password is in %s", path)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
