package remote

import (
	"errors"
	"net"
	"strconv"

	"golang.org/x/crypto/ssh"

	"icm/internal/secret"
)

// Target says how a node is reached, and as whom.
type Target struct {
	MachineName string
	Addr        string // IP address or name
	Port        int    // 0 is 22
	User        string
	Signers     []ssh.Signer // offered first, in order
	KeyFile     string       // SSHPrivateKey; read when Signers is empty
	Password    secret.Secret
	// Bastion is the host to jump from; nil is none.
	Bastion *Target
	// HostKeys knows and pins host keys. It must not be nil: there is no way
	// to connect without checking.
	HostKeys HostKeyStore
}

func (t Target) hostPort() string {
	port := t.Port
	if port == 0 {
		port = 22
	}
	return net.JoinHostPort(t.Addr, strconv.Itoa(port))
}

func (t Target) hasKey() bool { return len(t.Signers) > 0 || t.KeyFile != "" }

func (t Target) check() error {
	switch {
	case t.Addr == "":
		return errors.New("the node has no address")
	case t.User == "":
		return errors.New("no SSHUser is given")
	case t.HostKeys == nil:
		return errors.New("no host key store is given")
	case t.Bastion != nil:
		return t.Bastion.check()
	}
	return nil
}
