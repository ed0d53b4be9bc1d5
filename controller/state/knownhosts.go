package state

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"icm/internal/atomicfile"
)

// KnownHostsPath is the file of pinned host keys, in OpenSSH's form, so that
// `ssh -o UserKnownHostsFile=` can use it too. Every line has the machine name
// and the address the machine was last seen at.
func (d *Dir) KnownHostsPath() string { return filepath.Join(d.Path, "known_hosts") }

// HostKeys are the keys pinned for a machine; none before the first contact.
func (d *Dir) HostKeys(machine string) ([]ssh.PublicKey, error) {
	lines, err := d.knownHosts()
	if err != nil {
		return nil, err
	}
	var keys []ssh.PublicKey
	for _, l := range lines {
		if l.machine == machine {
			keys = append(keys, l.key)
		}
	}
	return keys, nil
}

// AllHostKeys is HostKeys for all machines at once: the file has a line for
// each, and reading it for each would take the square of their number.
func (d *Dir) AllHostKeys() (map[string][]ssh.PublicKey, error) {
	lines, err := d.knownHosts()
	if err != nil {
		return nil, err
	}
	keys := map[string][]ssh.PublicKey{}
	for _, l := range lines {
		if l.key != nil {
			keys[l.machine] = append(keys[l.machine], l.key)
		}
	}
	return keys, nil
}

// Pin records key for a machine at addr ("10.0.0.1:22"). A key that the
// machine has already only gets the new address. Keys of other types stay.
func (d *Dir) Pin(machine, addr string, key ssh.PublicKey) error {
	if machine == "" || strings.ContainsAny(machine, " ,\t\n#*?!|") {
		return fmt.Errorf("cannot pin a host key for a machine called %q", machine)
	}
	lines, err := d.knownHosts()
	if err != nil {
		return err
	}
	pinned := hostLine{machine: machine, addr: knownhosts.Normalize(addr), key: key}
	i := slices.IndexFunc(lines, func(l hostLine) bool {
		return l.machine == machine && l.key != nil && l.raw == "" && bytes.Equal(l.key.Marshal(), key.Marshal())
	})
	switch {
	case i < 0:
		lines = append(lines, pinned)
	case lines[i].addr == pinned.addr:
		return nil
	default:
		lines[i] = pinned
	}
	return d.writeKnownHosts(lines)
}

// Forget drops all keys of a machine, such as when it was made anew.
func (d *Dir) Forget(machine string) error {
	lines, err := d.knownHosts()
	if err != nil {
		return err
	}
	kept := slices.DeleteFunc(slices.Clone(lines), func(l hostLine) bool { return l.machine == machine })
	if len(kept) == len(lines) {
		return nil
	}
	return d.writeKnownHosts(kept)
}

// hostLine is one line of known_hosts as we write it, or a line of somebody
// else's (with raw set), which is kept as it is.
type hostLine struct {
	machine, addr string
	key           ssh.PublicKey
	raw           string
}

func (l hostLine) String() string {
	if l.raw != "" || l.key == nil {
		return l.raw
	}
	names := l.machine
	if l.addr != "" && l.addr != l.machine {
		names += "," + l.addr
	}
	return names + " " + strings.TrimSpace(string(ssh.MarshalAuthorizedKey(l.key)))
}

func (d *Dir) knownHosts() ([]hostLine, error) {
	data, err := os.ReadFile(d.KnownHostsPath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var lines []hostLine
	for n, text := range strings.Split(strings.TrimSuffix(string(data), "\n"), "\n") {
		l, err := parseHostLine(text)
		if err != nil {
			return nil, fmt.Errorf("cannot read %s: line %d: %w", d.KnownHostsPath(), n+1, err)
		}
		lines = append(lines, l)
	}
	return lines, nil
}

func parseHostLine(text string) (hostLine, error) {
	trimmed := strings.TrimSpace(text)
	if trimmed == "" || trimmed[0] == '#' || trimmed[0] == '@' || trimmed[0] == '|' {
		return hostLine{raw: text}, nil
	}
	_, hosts, key, _, _, err := ssh.ParseKnownHosts([]byte(text))
	if err != nil {
		return hostLine{}, err
	}
	l := hostLine{machine: hosts[0], key: key}
	if len(hosts) > 1 {
		l.addr = hosts[1]
	}
	if len(hosts) > 2 {
		l.raw = text
	}
	return l, nil
}

func (d *Dir) writeKnownHosts(lines []hostLine) error {
	var b strings.Builder
	for _, l := range lines {
		fmt.Fprintln(&b, l)
	}
	if err := atomicfile.Write(d.KnownHostsPath(), []byte(b.String()), 0o600); err != nil {
		return fmt.Errorf("cannot write the pinned host keys: %w", err)
	}
	return nil
}
