package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"icm/controller/state"
)

// password of the instances. Nothing real hangs on it.
const password = "bench-Pa55-word"

// labSite is a deployment of lab nodes, as an administrator has it.
type labSite struct {
	s        settings
	dir      string
	defaults map[string]any
	// biggest is the most memory that one icm needed so far, bytes, and for what.
	biggest    int64
	biggestFor string
}

func newLabSite(s settings, dir, tag, definitions string) (*labSite, error) {
	l := &labSite{s: s, dir: filepath.Join(dir, tag)}
	if err := os.Mkdir(l.dir, 0o700); err != nil {
		return nil, err
	}
	private, public, err := newKey()
	if err != nil {
		return nil, err
	}
	l.defaults = map[string]any{
		"Provider": "Lab", "Containerless": "True", "Label": "BENCH", "Tag": tag, "Namespace": "DB",
		"SSHUser": account, "SSHPublicKey": "id.pub", "SSHPrivateKey": keyFile,
		"DataVolumeSize": 1, "WIJVolumeSize": 1, "Journal1VolumeSize": 1, "Journal2VolumeSize": 1,
	}
	return l, errors.Join(
		os.WriteFile(filepath.Join(l.dir, keyFile), private, 0o600),
		os.WriteFile(filepath.Join(l.dir, "id.pub"), []byte(authorized(public)), 0o600),
		os.WriteFile(filepath.Join(l.dir, "definitions.json"), []byte(definitions), 0o600),
		l.set("ISCglobals", "0,0,64,0,0,0"))
}

func (l *labSite) set(field, value string) error {
	l.defaults[field] = value
	data, err := json.MarshalIndent(l.defaults, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(l.dir, "defaults.json"), data, 0o600)
}

// icm runs a command line that has to work.
func (l *labSite) icm(ctx context.Context, args ...string) (measured, error) {
	env := []string{"ICM_ISCPASSWORD=" + password, "PATH=" + l.s.bin + ":" + os.Getenv("PATH")}
	m, err := must(measure(ctx, l.dir, env, append([]string{filepath.Join(l.s.bin, "icm")}, args...)...))
	if err != nil {
		return m, fmt.Errorf("icm %s: %w", strings.Join(args, " "), err)
	}
	if m.rss > l.biggest {
		l.biggest, l.biggestFor = m.rss, "icm "+args[0]
	}
	return m, nil
}

// bring copies a kit to all nodes and names it in the defaults.
func (l *labSite) bring(ctx context.Context, prefix string) (measured, error) {
	found, err := filepath.Glob(filepath.Join(l.s.top, "build/kits", prefix+"*.tar.gz"))
	if err != nil || len(found) != 1 {
		return measured{}, fmt.Errorf("want one kit %s*, have %v: run make kits", prefix, found)
	}
	m, err := l.icm(ctx, "scp", "-localPath", found[0], "-remotePath", "/tmp/")
	if err != nil {
		return m, err
	}
	return m, l.set("KitURL", "file:///tmp/"+filepath.Base(found[0]))
}

// inside runs a shell command in a node, without SSH.
func (l *labSite) inside(ctx context.Context, node, command string) (string, error) {
	line := []string{filepath.Join(l.s.bin, "lab"), "-deployment", filepath.Base(l.stateDir()), "exec", node, "--", "sh", "-c", command}
	m, err := must(measure(ctx, l.dir, nil, line...))
	return m.out, err
}

func (l *labSite) stateDir() string {
	found, err := filepath.Glob(filepath.Join(l.dir, "ICM-*"))
	if err != nil || len(found) == 0 {
		return ""
	}
	return found[0]
}

// hosts are the nodes, as instances.json has them.
func (l *labSite) hosts() ([]host, error) {
	list, err := state.LoadInstances(filepath.Join(l.dir, "instances.json"))
	var out []host
	for _, n := range list {
		out = append(out, host{n.MachineName, n.IPAddress})
	}
	return out, err
}

// clientFiles writes what the clients of this bench are told of the nodes.
func (l *labSite) clientFiles(n int) ([]host, error) {
	hosts, err := l.hosts()
	if err != nil {
		return nil, err
	}
	known, err := os.ReadFile(filepath.Join(l.stateDir(), hostsFile))
	if err != nil {
		return nil, err
	}
	if n > len(hosts) {
		return nil, fmt.Errorf("there are %d nodes, %d are wanted", len(hosts), n)
	}
	return hosts[:n], errors.Join(
		os.WriteFile(filepath.Join(l.dir, hostsFile), known, 0o600),
		writeHosts(l.dir, fmt.Sprintf("hosts-%d.json", n), hosts[:n]))
}

// takeDown removes the nodes, also when the bench was told to stop.
func (l *labSite) takeDown() error {
	dir := l.stateDir()
	if dir == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), takeDownLimit)
	defer cancel()
	_, err := l.icm(ctx, "unprovision", "-stateDir", dir, "-cleanUp", "-force")
	return err
}
