package remote

import (
	"fmt"
	"net"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// auth lists how we prove who we are: keys first, then the password.
func (d *Dialer) auth(t Target) ([]ssh.AuthMethod, func(), error) {
	signers, err := d.signers(t)
	if err != nil {
		return nil, nil, err
	}
	var methods []ssh.AuthMethod
	closeAgent := func() {}
	if len(signers) > 0 {
		methods = append(methods, ssh.PublicKeys(signers...))
	} else if d.opts.AgentSocket != "" {
		method, end, err := fromAgent(d.opts.AgentSocket)
		if err != nil {
			return nil, nil, err
		}
		methods, closeAgent = append(methods, method), end
	}
	if !t.Password.Empty() {
		methods = append(methods, ssh.Password(t.Password.Reveal()), ssh.KeyboardInteractive(answer(t)))
	}
	return methods, closeAgent, nil
}

func (d *Dialer) signers(t Target) ([]ssh.Signer, error) {
	if len(t.Signers) > 0 || t.KeyFile == "" {
		return t.Signers, nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	// One file is the key of all nodes: it is read, and its passphrase asked
	// for, once.
	if s, ok := d.keys[t.KeyFile]; ok {
		return []ssh.Signer{s}, nil
	}
	s, err := LoadPrivateKey(t.KeyFile, d.opts.Passphrase)
	if err != nil {
		return nil, err
	}
	d.keys[t.KeyFile] = s
	return []ssh.Signer{s}, nil
}

// answer gives the password to every hidden question, and nothing to others:
// a question that is echoed asks for something that is not a password.
func answer(t Target) ssh.KeyboardInteractiveChallenge {
	return func(_, _ string, questions []string, echos []bool) ([]string, error) {
		answers := make([]string, len(questions))
		for i := range questions {
			if echos[i] {
				return nil, fmt.Errorf("%w: the node asks for more than a password", ErrAuth)
			}
			answers[i] = t.Password.Reveal()
		}
		return answers, nil
	}
}

func fromAgent(socket string) (ssh.AuthMethod, func(), error) {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: cannot reach the SSH agent at %s: %v", ErrKey, socket, rootCause(err))
	}
	return ssh.PublicKeysCallback(agent.NewClient(conn).Signers), func() { _ = conn.Close() }, nil
}
