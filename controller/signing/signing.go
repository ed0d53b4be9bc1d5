// Package signing signs what leaves a site or comes to it: bundles and receipts.
//
// # Format
//
// Keys and signatures are minisign's, so that minisign itself verifies what icm
// signed, and makes keys that icm takes. A signature carries a trusted comment,
// which is signed too.
package signing

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"aead.dev/minisign"

	"icm/internal/hint"
	"icm/internal/secret"
)

// maxKey bounds a file that is read as a key or a signature, in bytes.
const maxKey = 4 << 10

// Private signs.
type Private struct{ key minisign.PrivateKey }

// Public verifies.
type Public struct{ key minisign.PublicKey }

// ID names the pair of keys: 16 hexadecimal digits, as minisign shows it.
func (p Private) ID() string { return id(p.key.ID()) }

// ID names the pair of keys.
func (p Public) ID() string { return id(p.key.ID()) }

func id(n uint64) string { return fmt.Sprintf("%016X", n) }

// String is the key on one line, as it can be read over the telephone.
func (p Public) String() string { return p.key.String() }

// File is the text of the key's file.
func (p Public) File() []byte {
	text, err := p.key.MarshalText()
	if err != nil {
		panic(fmt.Sprintf("a key is plain data: %v", err)) // cannot happen
	}
	return append(bytes.TrimRight(text, "\n"), '\n')
}

// Generate makes a pair of keys. private is the text of the file of the private
// one, encrypted when there is a password.
func Generate(password secret.Secret) (public Public, private []byte, err error) {
	pub, key, err := minisign.GenerateKey(nil)
	if err != nil {
		return Public{}, nil, fmt.Errorf("cannot make keys: %w", err)
	}
	if password.Empty() {
		private, err = key.MarshalText()
	} else {
		private, err = minisign.EncryptKey(password.Reveal(), key)
	}
	if err != nil {
		return Public{}, nil, fmt.Errorf("cannot make keys: %w", err)
	}
	return Public{pub}, append(private, '\n'), nil
}

// LoadPrivate reads a private key. password is asked for when the key is
// encrypted.
func LoadPrivate(path string, password func() (secret.Secret, error)) (Private, error) {
	text, err := readSmall(path)
	if err != nil {
		return Private{}, fmt.Errorf("cannot read the signing key: %w", err)
	}
	text = bytes.TrimSpace(text)
	if !minisign.IsEncrypted(text) {
		var key minisign.PrivateKey
		if err := key.UnmarshalText(text); err != nil {
			return Private{}, hint.New(fmt.Errorf("%s is no signing key", path), "icm bundle keygen makes a pair of keys; the signing key is the file without .pub")
		}
		return Private{key}, nil
	}
	p, err := password()
	if err != nil {
		return Private{}, err
	}
	key, err := minisign.DecryptKey(p.Reveal(), text)
	if err != nil {
		return Private{}, fmt.Errorf("the password does not open the signing key %s", path)
	}
	return Private{key}, nil
}

// LoadPublic reads a public key: a file, or the key itself on one line.
func LoadPublic(fileOrKey string) (Public, error) {
	text := []byte(fileOrKey)
	if !strings.HasPrefix(fileOrKey, "RW") || len(fileOrKey) != 56 {
		var err error
		if text, err = readSmall(fileOrKey); err != nil {
			return Public{}, fmt.Errorf("cannot read the public key: %w", err)
		}
	}
	p, err := ParsePublic(text)
	if err != nil {
		return Public{}, hint.New(fmt.Errorf("%s is no public key", fileOrKey), "a public key is a file that ends in .pub, or its second line, which begins with RW")
	}
	return p, nil
}

// ParsePublic reads the text of a public key's file.
func ParsePublic(text []byte) (Public, error) {
	var p Public
	err := p.key.UnmarshalText(bytes.TrimSpace(text))
	return p, err
}

func readSmall(path string) ([]byte, error) {
	st, err := os.Stat(path)
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return nil, fmt.Errorf("%s: %v", path, pathErr.Err)
	}
	if err != nil {
		return nil, err
	}
	if st.Size() > maxKey {
		return nil, fmt.Errorf("%s has %d bytes: that is no key and no signature", path, st.Size())
	}
	return os.ReadFile(path)
}

// Sign returns the text of a signature of message. Same key, message and
// comment give the same text.
func Sign(key Private, message []byte, comment string) []byte {
	r := hashed(message)
	return r.SignWithComments(key.key, comment, "signature of icm, verify with minisign")
}

func hashed(message []byte) *minisign.Reader {
	r := minisign.NewReader(bytes.NewReader(message))
	buf := make([]byte, 64<<10)
	for {
		if _, err := r.Read(buf); err != nil {
			return r // a bytes.Reader has no error but its end
		}
	}
}

// Signature is a signature that was read, and not yet verified.
type Signature struct {
	KeyID string
	// Comment is the trusted comment. It may be believed after Verify.
	Comment string
	text    []byte
}

// ParseSignature reads the text of a signature.
func ParseSignature(text []byte) (Signature, error) {
	var s minisign.Signature
	if len(text) > maxKey {
		return Signature{}, errors.New("the signature is damaged: it is too long")
	}
	if err := s.UnmarshalText(text); err != nil {
		return Signature{}, errors.New("the signature is damaged: it is not in minisign's format")
	}
	return Signature{KeyID: id(s.KeyID), Comment: s.TrustedComment, text: text}, nil
}

// ErrUnknownKey means that none of the keys at hand signed. Waiting never helps.
var ErrUnknownKey = errors.New("it is signed with a key that is not known here")

// ErrSignature means that the right key did not sign this. Waiting never helps.
var ErrSignature = errors.New("its signature does not match: it was altered or damaged after it was signed")

// Verify checks a signature with whichever key signed it.
func (s Signature) Verify(keys []Public, message []byte) (Public, error) {
	for _, k := range keys {
		if k.ID() != s.KeyID {
			continue
		}
		if !minisign.Verify(k.key, message, s.text) {
			return Public{}, ErrSignature
		}
		return k, nil
	}
	return Public{}, fmt.Errorf("%w: %s", ErrUnknownKey, s.KeyID)
}
