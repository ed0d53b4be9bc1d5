package terraform

import (
	"encoding/json"
	"strings"
)

// userData is what cloud-init does at a node's first start: the user that icm
// enters with, its public key, and the host key. JSON is YAML, and needs no
// quoting of ours.
func userData(n *Node, publicKey string, key *hostKey) (string, error) {
	config := map[string]any{
		"users": []any{"default", map[string]any{
			"name": n.Fields.Get("SSHUser"), "sudo": "ALL=(ALL) NOPASSWD:ALL", "shell": "/bin/bash", "lock_passwd": true,
			"ssh_authorized_keys": []string{publicKey},
		}},
		"hostname":          strings.ToLower(n.Machine),
		"preserve_hostname": false,
	}
	if key != nil {
		config["ssh_deletekeys"] = true
		config["ssh_genkeytypes"] = []string{}
		config["ssh_keys"] = map[string]string{"ed25519_private": key.Private, "ed25519_public": key.Public}
	}
	text, err := json.MarshalIndent(config, "", "  ")
	if err != nil {
		return "", err
	}
	return "#cloud-config\n" + string(text) + "\n", nil
}

// CloudInit reports whether the node's image runs cloud-init, so that it takes
// the host key that we make.
func (n *Node) CloudInit() bool { return !strings.EqualFold(n.Fields.Get("CloudInit"), "false") }
