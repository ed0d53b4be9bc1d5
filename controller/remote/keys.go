package remote

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/crypto/ssh"

	"icm/internal/hint"
	"icm/internal/secret"
)

// maxKeyFile bounds what is read as a key, in bytes.
const maxKeyFile = 64 << 10

// Passphrase is asked for the passphrase of an encrypted private key.
type Passphrase func(file string) (secret.Secret, error)

// LoadPrivateKey reads a private key file: PEM (PKCS #1, PKCS #8, EC) or
// OpenSSH, RSA, ECDSA or Ed25519. ask may be nil; then an encrypted key is an
// error.
func LoadPrivateKey(file string, ask Passphrase) (ssh.Signer, error) {
	data, err := readKeyFile(file)
	if err != nil {
		return nil, err
	}
	signer, err := ssh.ParsePrivateKey(data)
	var encrypted *ssh.PassphraseMissingError
	if errors.As(err, &encrypted) {
		return openEncrypted(file, data, ask)
	}
	if err != nil {
		return nil, badKey(file, data)
	}
	return signer, nil
}

func openEncrypted(file string, data []byte, ask Passphrase) (ssh.Signer, error) {
	if ask == nil {
		return nil, hint.New(fmt.Errorf("%w: %s is encrypted and there is no passphrase", ErrKey, file),
			"set ICM_SSH_PASSPHRASE, or run on a terminal to be asked")
	}
	pass, err := ask(file)
	if err != nil {
		return nil, fmt.Errorf("cannot get the passphrase of %s: %w", file, err)
	}
	signer, err := ssh.ParsePrivateKeyWithPassphrase(data, []byte(pass.Reveal()))
	if err != nil {
		return nil, hint.New(fmt.Errorf("%w: the passphrase does not open %s", ErrKey, file), "give the passphrase again")
	}
	return signer, nil
}

// badKey says what the file is instead of a private key.
func badKey(file string, data []byte) error {
	switch {
	case isPublic(data):
		return hint.New(fmt.Errorf("%w: %s is a public key, SSHPrivateKey must name the private one", ErrKey, file),
			"the private key is usually the file of the same name without .pub")
	case bytes.HasPrefix(data, []byte("PuTTY-User-Key-File")):
		return hint.New(fmt.Errorf("%w: %s is in PuTTY's format", ErrKey, file),
			"convert it: puttygen FILE -O private-openssh -o NEWFILE")
	case bytes.Contains(data, []byte("PRIVATE KEY-----")):
		return hint.New(fmt.Errorf("%w: %s is damaged, or of a kind that is not supported (RSA, ECDSA, Ed25519 are)", ErrKey, file),
			"check it: ssh-keygen -y -f "+file)
	default:
		return hint.New(fmt.Errorf("%w: %s is not a private key", ErrKey, file),
			"it should begin with -----BEGIN RSA PRIVATE KEY----- or -----BEGIN OPENSSH PRIVATE KEY-----")
	}
}

func isPublic(data []byte) bool {
	_, err := ParsePublicKey(data)
	return err == nil
}

// LoadPublicKey reads a public key file, OpenSSH or SSH2 format, and returns
// its authorized_keys line, without a comment and without a newline.
func LoadPublicKey(file string) (string, error) {
	data, err := readKeyFile(file)
	if err != nil {
		return "", err
	}
	key, err := ParsePublicKey(data)
	if err == nil {
		return strings.TrimSuffix(string(ssh.MarshalAuthorizedKey(key)), "\n"), nil
	}
	if bytes.Contains(data, []byte("PRIVATE KEY")) {
		return "", hint.New(fmt.Errorf("%w: %s is a private key, SSHPublicKey must name the public one", ErrKey, file),
			"make it: ssh-keygen -y -f "+file)
	}
	return "", hint.New(fmt.Errorf("%w: %s is not a public key: %v", ErrKey, file, err),
		"it should begin with ssh-rsa, ssh-ed25519, ecdsa-sha2-… or ---- BEGIN SSH2 PUBLIC KEY ----")
}

func readKeyFile(file string) ([]byte, error) {
	f, err := os.Open(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, hint.New(fmt.Errorf("%w: %s does not exist", ErrKey, file), "check SSHPrivateKey and SSHPublicKey")
	case errors.Is(err, fs.ErrPermission):
		return nil, hint.New(fmt.Errorf("%w: %s may not be read by this user", ErrKey, file), "run icm as the owner of the file")
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err != nil {
		return nil, fmt.Errorf("%w: cannot read %s: %w", ErrKey, file, err)
	}
	if len(data) > maxKeyFile {
		return nil, fmt.Errorf("%w: %s is too big for a key", ErrKey, file)
	}
	return data, nil
}

// ParsePublicKey reads one public key in OpenSSH or SSH2 (RFC 4716) format.
func ParsePublicKey(data []byte) (ssh.PublicKey, error) {
	if !bytes.HasPrefix(bytes.TrimSpace(data), []byte("---- BEGIN SSH2 PUBLIC KEY ----")) {
		key, _, _, _, err := ssh.ParseAuthorizedKey(data)
		return key, err
	}
	return parseSSH2(string(data))
}

// parseSSH2 is lenient about the last line: the ICM guide prints BEGIN there
// where END is meant, and people copy from it.
func parseSSH2(text string) (ssh.PublicKey, error) {
	var body strings.Builder
	continued := false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		header := continued || strings.Contains(line, ":")
		continued = header && strings.HasSuffix(line, `\`)
		if line == "" || header || strings.HasPrefix(line, "----") {
			continue
		}
		body.WriteString(line)
	}
	raw, err := base64.StdEncoding.DecodeString(body.String())
	if err != nil {
		return nil, fmt.Errorf("the SSH2 public key is not base64: %w", err)
	}
	return ssh.ParsePublicKey(raw)
}
