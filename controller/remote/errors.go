package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"golang.org/x/crypto/ssh"

	"icm/internal/hint"
)

// Why a node was not reached. Each says whether waiting helps.
var (
	// ErrUnreachable means nothing answered at that address. Waiting may help:
	// the node may be starting, the network may come back.
	ErrUnreachable = errors.New("node does not answer")
	// ErrRefused means the machine is there and its sshd is not, or closed the
	// connection at once. Waiting may help: it may be starting, or be busy.
	ErrRefused = errors.New("SSH connection refused")
	// ErrTimeout means something answered and then said no more. Waiting may help.
	ErrTimeout = errors.New("SSH handshake took too long")
	// ErrAuth means sshd did not accept who we are. Waiting helps only while
	// the node boots for the first time, when sshd answers before the key is
	// in place; see Wait.Auth.
	ErrAuth = errors.New("login refused")
	// ErrHostKey means something answered with the wrong host key. Waiting
	// never helps, and trying again is dangerous.
	ErrHostKey = errors.New("host key does not match")
	// ErrProtocol means there is no common way to speak SSH. Waiting never helps.
	ErrProtocol = errors.New("no common SSH protocol")
	// ErrLost means a connection that was up broke. Dialing again may help.
	ErrLost = errors.New("connection lost")
	// ErrNoSudo means the user may not become root without a password. Waiting
	// never helps.
	ErrNoSudo = errors.New("no sudo without a password")
	// ErrUnfit means the node cannot hold an agent as it is: no systemd, wrong
	// architecture, no space. Waiting never helps.
	ErrUnfit = errors.New("node cannot run the agent")
	// ErrKey means a key file cannot be used. Waiting never helps.
	ErrKey = errors.New("SSH key cannot be used")
)

// WaitingHelps reports whether the same call may work later by itself.
// A refused login is not among these: a caller that knows the node is booting
// for the first time asks errors.Is(err, ErrAuth) as well.
func WaitingHelps(err error) bool {
	for _, never := range []error{ErrHostKey, ErrProtocol, ErrNoSudo, ErrUnfit, ErrKey, context.Canceled} {
		if errors.Is(err, never) {
			return false
		}
	}
	for _, may := range []error{ErrUnreachable, ErrRefused, ErrTimeout, ErrLost} {
		if errors.Is(err, may) {
			return true
		}
	}
	return false
}

// sortConnect sorts what the network said before any SSH was spoken.
func sortConnect(addr string, err error) error {
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return hint.New(fmt.Errorf("%w: the name %s is not known", ErrUnreachable, dns.Name),
			"check IPAddress or DNSName of the node, and the name service of this machine")
	case errors.Is(err, syscall.ECONNREFUSED):
		return hint.New(fmt.Errorf("%w: nothing listens at %s", ErrRefused, addr),
			"the node may still be starting; otherwise start sshd there, or check SSHPort")
	case isTimeout(err):
		return hint.New(fmt.Errorf("%w: no answer from %s", ErrUnreachable, addr),
			"check that the node is up and that no firewall drops the SSH port")
	default:
		return hint.New(fmt.Errorf("%w: %s: %v", ErrUnreachable, addr, rootCause(err)),
			"check the node's address and the route to it")
	}
}

// sortHandshake sorts what went wrong between the TCP connection and the login.
// greeted says that the server's host key was seen and accepted.
func sortHandshake(t Target, greeted bool, err error) error {
	var negotiation *ssh.AlgorithmNegotiationError
	switch {
	case errors.Is(err, ErrHostKey), errors.Is(err, ErrKey), errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &negotiation):
		return hint.New(fmt.Errorf("%w: %s: the node offers %s", ErrProtocol, negotiation.What,
			strings.Join(negotiation.RequestedAlgorithms, ", ")), "allow a current algorithm in the node's sshd_config")
	case isTimeout(err):
		return hint.New(fmt.Errorf("%w: %s accepted the connection and then said nothing more", ErrTimeout, t.hostPort()),
			"the node may be overloaded, or hang in its name service or PAM during the login")
	case isClosed(err) && !greeted:
		return hint.New(fmt.Errorf("%w: %s closed the connection at once", ErrRefused, t.hostPort()),
			"the node may still be starting, or sshd has too many logins pending (MaxStartups)")
	case isClosed(err):
		return hint.New(fmt.Errorf("%w: %s closed the connection during the login of %s", ErrRefused, t.hostPort(), t.User),
			"see the node's sshd log; MaxAuthTries or a login that is not allowed yet may be the reason")
	case greeted:
		return authError(t, err)
	default:
		return hint.New(fmt.Errorf("%w: %v", ErrProtocol, rootCause(err)), "check that an SSH server listens at "+t.hostPort())
	}
}

func authError(t Target, err error) error {
	tried := "no key and no password was given"
	switch {
	case !t.Password.Empty() && t.hasKey():
		tried = "neither the key nor the password was accepted"
	case !t.Password.Empty():
		tried = "the password was not accepted"
	case t.hasKey():
		tried = "the key was not accepted"
	}
	text := fmt.Errorf("%w for user %s: %s", ErrAuth, t.User, tried)
	if cause := unsupported(err); cause != "" {
		text = fmt.Errorf("%w (%s)", text, cause)
	}
	return hint.New(text, "put the public key of SSHPublicKey into ~"+t.User+
		"/.ssh/authorized_keys on the node, or check SSHUser, SSHPrivateKey and SSHPassword")
}

// unsupported keeps the one thing x/crypto says about a login that a user can act on.
func unsupported(err error) string {
	if strings.Contains(err.Error(), "no common") {
		return "the node allows no signature algorithm that this key can make"
	}
	return ""
}

func isTimeout(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, syscall.ETIMEDOUT)
}

func isClosed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) ||
		errors.Is(err, syscall.EPIPE) || errors.Is(err, net.ErrClosed)
}

// rootCause is the innermost error: "network is unreachable" without the
// dial-tcp noise around it.
func rootCause(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}
