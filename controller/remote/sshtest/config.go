package sshtest

import (
	"bytes"
	"crypto/subtle"

	"golang.org/x/crypto/ssh"
)

func (s *Server) config() *ssh.ServerConfig {
	config := &ssh.ServerConfig{PublicKeyCallback: s.checkKey}
	if s.opts.Banner != "" {
		config.BannerCallback = func(ssh.ConnMetadata) string { return s.opts.Banner }
	}
	switch {
	case s.opts.Password == "":
	case s.opts.KeyboardInteractive:
		config.KeyboardInteractiveCallback = s.ask
	default:
		config.PasswordCallback = func(m ssh.ConnMetadata, given []byte) (*ssh.Permissions, error) {
			return nil, s.checkPassword(m.User(), given)
		}
	}
	for _, k := range s.hostKeys {
		config.AddHostKey(k)
	}
	return config
}

func (s *Server) checkKey(m ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
	if m.User() != s.opts.User || s.refuses() {
		return nil, errNo
	}
	for _, k := range s.opts.Keys {
		if bytes.Equal(k.Marshal(), key.Marshal()) {
			return nil, nil
		}
	}
	return nil, errNo
}

func (s *Server) checkPassword(user string, given []byte) error {
	if user != s.opts.User || subtle.ConstantTimeCompare(given, []byte(s.opts.Password)) != 1 || s.refuses() {
		return errNo
	}
	return nil
}

func (s *Server) ask(m ssh.ConnMetadata, client ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
	answers, err := client("", "", []string{"Password: "}, []bool{false})
	if err != nil {
		return nil, err
	}
	if len(answers) != 1 {
		return nil, errNo
	}
	return nil, s.checkPassword(m.User(), []byte(answers[0]))
}
