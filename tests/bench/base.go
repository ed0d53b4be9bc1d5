package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"
)

// account is the user that logs in on light nodes.
const (
	account    = "icm"
	accountID  = 1000
	keyFile    = "id"
	hostsFile  = "known_hosts"
	configFile = "ssh_config"
)

// keys are those of a farm: one to log in with, one that all nodes show.
type keys struct {
	dir        string
	user, host ssh.PublicKey
	hostPEM    []byte
}

func makeKeys(dir string) (keys, error) {
	k := keys{dir: dir}
	user, public, err := newKey()
	if err != nil {
		return k, err
	}
	k.user = public
	if k.hostPEM, k.host, err = newKey(); err != nil {
		return k, err
	}
	return k, os.WriteFile(filepath.Join(dir, keyFile), user, 0o600)
}

func newKey() ([]byte, ssh.PublicKey, error) {
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	block, err := ssh.MarshalPrivateKey(priv, "bench")
	if err != nil {
		return nil, nil, err
	}
	public, err := ssh.NewPublicKey(pub)
	return pem.EncodeToMemory(block), public, err
}

// clientFiles writes what ssh needs to reach the hosts; options are lines of
// its configuration.
func (k keys) clientFiles(hosts []host, options ...string) error {
	var known strings.Builder
	for _, h := range hosts {
		fmt.Fprintf(&known, "%s %s", h.Addr, authorized(k.host))
	}
	lines := []string{
		"User " + account, "IdentityFile " + filepath.Join(k.dir, keyFile), "IdentitiesOnly yes",
		"UserKnownHostsFile " + filepath.Join(k.dir, hostsFile), "GlobalKnownHostsFile /dev/null",
		"StrictHostKeyChecking yes", "PasswordAuthentication no", "LogLevel ERROR",
	}
	if err := os.WriteFile(filepath.Join(k.dir, hostsFile), []byte(known.String()), 0o600); err != nil {
		return err
	}
	text := strings.Join(append(lines, options...), "\n") + "\n"
	return os.WriteFile(filepath.Join(k.dir, configFile), []byte(text), 0o600)
}

// systemctl stands in on light nodes, which have no systemd: the bootstrap
// asks it whether the agent's service runs.
const systemctl = "#!/bin/sh\nexit 0\n"

// writeBase writes the layer over the image that makes a light node of it: the
// account, its key and its sudo, the host key, and an agent to start.
func writeBase(base, image, agent, build string, k keys) error {
	b := baseLayer{dir: base, image: image}
	b.add("etc/passwd", fmt.Sprintf("%s:x:%d:%d::/home/%s:/bin/bash\n", account, accountID, accountID, account))
	b.add("etc/shadow", account+":*:19000:0:99999:7:::\n")
	b.add("etc/group", fmt.Sprintf("%s:x:%d:\n", account, accountID))
	b.put("etc/sudoers.d/bench", account+" ALL=(ALL) NOPASSWD:ALL\n", 0o440)
	b.put("etc/ssh/ssh_host_ed25519_key", string(k.hostPEM), 0o600)
	b.put("etc/hostname", "light\n", 0o644)
	b.put("usr/local/bin/systemctl", systemctl, 0o755)
	b.put("home/"+account+"/.ssh/authorized_keys", authorized(k.user), 0o600)
	for _, name := range []string{"", "/.ssh", "/.ssh/authorized_keys"} {
		b.try(func() error { return os.Chown(filepath.Join(base, "home", account+name), accountID, accountID) })
	}
	program, err := os.ReadFile(agent)
	if err != nil {
		return err
	}
	b.put("usr/local/lib/icm-agent/"+build+"/icm-agent", string(program), 0o755)
	b.try(func() error { return os.Symlink(build, filepath.Join(base, "usr/local/lib/icm-agent/current")) })
	return b.err
}

// baseLayer writes files until something goes wrong.
type baseLayer struct {
	dir, image string
	err        error
}

func (b *baseLayer) try(f func() error) {
	if b.err == nil {
		b.err = f()
	}
}

func (b *baseLayer) put(name, text string, mode os.FileMode) {
	path := filepath.Join(b.dir, name)
	b.try(func() error { return os.MkdirAll(filepath.Dir(path), 0o755) })
	b.try(func() error { return os.WriteFile(path, []byte(text), mode) })
	b.try(func() error { return os.Chmod(path, mode) }) // whatever the umask
}

// add appends to a file of the image.
func (b *baseLayer) add(name, text string) {
	var have []byte
	mode := os.FileMode(0o644)
	b.try(func() (err error) {
		have, err = os.ReadFile(filepath.Join(b.image, name))
		return err
	})
	b.try(func() error {
		info, err := os.Stat(filepath.Join(b.image, name))
		if err == nil {
			mode = info.Mode().Perm()
		}
		return err
	})
	b.put(name, string(have)+text, mode)
}

func authorized(key ssh.PublicKey) string { return string(ssh.MarshalAuthorizedKey(key)) }
