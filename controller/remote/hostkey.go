package remote

import (
	"bytes"
	"fmt"
	"net"
	"strings"

	"golang.org/x/crypto/ssh"

	"icm/internal/hint"
)

// HostKeyStore knows the host keys of machines. It is used from many
// goroutines.
type HostKeyStore interface {
	// Lookup returns every key that is known for a machine, pinned or told by
	// the provider; pinned says whether they are written down already.
	Lookup(machine string) (keys []ssh.PublicKey, pinned bool)
	// Pin writes down that the machine at addr has this key. The next Lookup
	// returns it, also in another process.
	Pin(machine, addr string, key ssh.PublicKey) error
}

// hostKeyCheck checks one handshake's host key.
type hostKeyCheck struct {
	target  Target
	known   []ssh.PublicKey
	pinned  bool
	seen    ssh.PublicKey // what the server showed, once accepted
	refused error         // why it was not accepted
}

func newHostKeyCheck(t Target) *hostKeyCheck {
	known, pinned := t.HostKeys.Lookup(t.MachineName)
	return &hostKeyCheck{target: t, known: known, pinned: pinned}
}

// callback is an ssh.HostKeyCallback.
func (c *hostKeyCheck) callback(_ string, _ net.Addr, key ssh.PublicKey) error {
	if len(c.known) > 0 && !holdsKey(c.known, key) {
		c.refused = c.mismatch(key)
		return c.refused
	}
	c.seen = key
	return nil
}

func (c *hostKeyCheck) mismatch(key ssh.PublicKey) error {
	var want []string
	for _, k := range c.known {
		want = append(want, k.Type()+" "+ssh.FingerprintSHA256(k))
	}
	from := "told by the provider"
	if c.pinned {
		from = "pinned at an earlier contact"
	}
	err := fmt.Errorf("%w: %s shows %s %s, expected is %s (%s)", ErrHostKey, c.target.hostPort(),
		key.Type(), ssh.FingerprintSHA256(key), strings.Join(want, " or "), from)
	return hint.New(err, "somebody may be listening in. Find out on the node's console why its key changed "+
		"(ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub); only if it was installed anew, remove the line of "+
		c.target.MachineName+" from known_hosts in the state directory")
}

// settle pins what was seen, once the login worked: a machine that is still
// booting may answer with keys it is about to replace.
func (c *hostKeyCheck) settle(aloud func(machine, fingerprint string)) error {
	if c.pinned {
		return nil
	}
	// Two connections may make first contact at the same time; the one that
	// pins second must have seen the same key.
	if now, pinned := c.target.HostKeys.Lookup(c.target.MachineName); pinned {
		c.known, c.pinned = now, true
		return c.callback("", nil, c.seen)
	}
	if err := c.target.HostKeys.Pin(c.target.MachineName, c.target.hostPort(), c.seen); err != nil {
		return fmt.Errorf("cannot pin the host key: %w", err)
	}
	if len(c.known) == 0 && aloud != nil {
		aloud(c.target.MachineName, c.seen.Type()+" "+ssh.FingerprintSHA256(c.seen))
	}
	return nil
}

// algorithms lists what the server may prove itself with: the types of the
// known keys first, so that a server with several keys shows the one we can
// check. The others stay in the list because a server that lost the known key
// must be met with the sentence about the changed key, not with "no common
// algorithm".
func (c *hostKeyCheck) algorithms() []string {
	var out []string
	for _, k := range c.known {
		out = appendNew(out, algorithmsOf(k.Type())...)
	}
	return appendNew(out, ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521,
		ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256)
}

// algorithmsOf leaves SHA-1 out: every sshd since 2016 that has only an RSA key
// can sign with SHA-2.
func algorithmsOf(keyType string) []string {
	if keyType == ssh.KeyAlgoRSA {
		return []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
	}
	return []string{keyType}
}

func appendNew(list []string, more ...string) []string {
	for _, m := range more {
		found := false
		for _, have := range list {
			found = found || have == m
		}
		if !found {
			list = append(list, m)
		}
	}
	return list
}

func holdsKey(keys []ssh.PublicKey, key ssh.PublicKey) bool {
	for _, k := range keys {
		if k.Type() == key.Type() && bytes.Equal(k.Marshal(), key.Marshal()) {
			return true
		}
	}
	return false
}
