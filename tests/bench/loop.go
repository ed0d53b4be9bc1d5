package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"
)

// loop is the floor: the least that a Go program does to run a command on many
// nodes. It checks the host key, runs the command and reads what it says.
func loop(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("bench loop", flag.ContinueOnError)
	var c clientOptions
	c.register(flags)
	command := flags.String("command", "uname -r", "the `command` to run")
	if err := flags.Parse(args); err != nil {
		return err
	}
	hosts, err := c.load()
	if err != nil {
		return err
	}
	config := &ssh.ClientConfig{
		User: c.user, Auth: []ssh.AuthMethod{ssh.PublicKeys(c.signer)}, HostKeyCallback: c.known.check,
		HostKeyAlgorithms: []string{ssh.KeyAlgoED25519},
	}
	errs := make([]error, len(hosts))
	slots := make(chan struct{}, 64)
	var wg sync.WaitGroup
	for i, h := range hosts {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			errs[i] = runOne(ctx, h.Addr, config, *command)
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func runOne(ctx context.Context, addr string, config *ssh.ClientConfig, command string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(addr, "22"))
	if err != nil {
		return err
	}
	cc, chans, reqs, err := ssh.NewClientConn(conn, net.JoinHostPort(addr, "22"), config)
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	client := ssh.NewClient(cc, chans, reqs)
	defer client.Close()
	session, err := client.NewSession()
	if err != nil {
		return err
	}
	defer session.Close()
	out, err := session.Output(command)
	if err == nil && len(out) == 0 {
		err = fmt.Errorf("%s said nothing", addr)
	}
	return err
}

// clientOptions are what the measured clients are told of the nodes.
type clientOptions struct {
	dir, hosts, user string

	signer ssh.Signer
	known  knownKeys
}

func (c *clientOptions) register(flags *flag.FlagSet) {
	flags.StringVar(&c.dir, "dir", ".", "`directory` with the key, "+keyFile+", and "+hostsFile)
	flags.StringVar(&c.hosts, "hosts", "hosts.json", "`file` below -dir with the nodes")
	flags.StringVar(&c.user, "user", account, "who logs in")
}

func (c *clientOptions) load() ([]host, error) {
	pem, err := os.ReadFile(filepath.Join(c.dir, keyFile))
	if err != nil {
		return nil, err
	}
	if c.signer, err = ssh.ParsePrivateKey(pem); err != nil {
		return nil, err
	}
	if c.known, err = readKnown(filepath.Join(c.dir, hostsFile)); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(filepath.Join(c.dir, c.hosts))
	if err != nil {
		return nil, err
	}
	var hosts []host
	return hosts, json.Unmarshal(data, &hosts)
}

// knownKeys are host keys by machine name or address.
type knownKeys map[string]ssh.PublicKey

func readKnown(path string) (knownKeys, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	out := knownKeys{}
	for line := range strings.Lines(string(data)) {
		_, names, key, _, _, err := ssh.ParseKnownHosts([]byte(line))
		if err != nil {
			return nil, fmt.Errorf("cannot read %s: %w", path, err)
		}
		for _, name := range names {
			out[name] = key
		}
	}
	return out, nil
}

func (k knownKeys) check(_ string, addr net.Addr, key ssh.PublicKey) error {
	ip, _, err := net.SplitHostPort(addr.String())
	if err != nil {
		return err
	}
	if have := k[ip]; have == nil || string(have.Marshal()) != string(key.Marshal()) {
		return fmt.Errorf("%s shows a key that is not known", ip)
	}
	return nil
}

// Lookup, with Pin, makes it a remote.HostKeyStore.
func (k knownKeys) Lookup(name string) ([]ssh.PublicKey, bool) {
	if key := k[name]; key != nil {
		return []ssh.PublicKey{key}, true
	}
	return nil, false
}

// Pin refuses: all keys are known beforehand.
func (k knownKeys) Pin(name, _ string, _ ssh.PublicKey) error {
	return fmt.Errorf("%s shows a key that is not known", name)
}

func writeHosts(dir, name string, hosts []host) error {
	data, err := json.Marshal(hosts)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name), data, 0o600)
}
