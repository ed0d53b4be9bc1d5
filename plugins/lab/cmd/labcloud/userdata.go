package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"icm/plugins/lab/internal/node"
)

// userData is what of cloud-init's configuration is done here.
type userData struct {
	User       string `json:"user"`
	PublicKey  string `json:"public_key"`
	HostKey    string `json:"host_key"`
	HostPublic string `json:"host_public"`
}

// readUserData reads a configuration that is JSON, as ours are.
func readUserData(text string) (userData, error) {
	var out userData
	text, ok := strings.CutPrefix(text, "#cloud-config\n")
	if !ok {
		return out, fmt.Errorf("the user data is no #cloud-config")
	}
	var config struct {
		Users []any `json:"users"`
		Keys  struct {
			Private string `json:"ed25519_private"`
			Public  string `json:"ed25519_public"`
		} `json:"ssh_keys"`
	}
	if err := json.Unmarshal([]byte(text), &config); err != nil {
		return out, fmt.Errorf("cannot read the user data: %w", err)
	}
	out.HostKey, out.HostPublic = config.Keys.Private, config.Keys.Public
	for _, u := range config.Users {
		user, ok := u.(map[string]any)
		if !ok {
			continue // "default"
		}
		out.User, _ = user["name"].(string)
		if keys, ok := user["ssh_authorized_keys"].([]any); ok && len(keys) == 1 {
			out.PublicKey, _ = keys[0].(string)
		}
	}
	if out.User == "" || out.PublicKey == "" || out.HostKey == "" {
		return out, fmt.Errorf("the user data has no user, no key or no host key")
	}
	return out, nil
}

// seed does what is left of the user data to a node that runs: the lab has made
// the user.
func (i *instance) seed(ctx context.Context, n *node.Node) error {
	const script = `umask 077
cat >/etc/ssh/ssh_host_ed25519_key
printf '%s\n' "$0" >/etc/ssh/ssh_host_ed25519_key.pub
systemctl restart ssh`
	return inside(ctx, n, i.Data.HostKey, script, i.Data.HostPublic)
}

// name gives the volumes the names under /dev/disk/by-id that the cloud's
// rules for udev would give them.
func (i *instance) name(ctx context.Context, n *node.Node) error {
	var list strings.Builder
	for device, v := range i.Volumes {
		fmt.Fprintf(&list, "%s nvme-Amazon_Elastic_Block_Store_%s\n", device, strings.ReplaceAll(v.ID, "-", ""))
	}
	return inside(ctx, n, list.String(), "cat >/etc/icm-lab/volumes && /usr/lib/icm-lab/disks")
}

// inside runs a shell script in a node.
func inside(ctx context.Context, n *node.Node, in, script string, args ...string) error {
	cmd := node.Command(ctx, n.Leader(), append([]string{"sh", "-euc", script}, args...)...)
	cmd.Stdin = strings.NewReader(in)
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("node %s: %w: %s", n.Machine, err, said.String())
	}
	return nil
}
