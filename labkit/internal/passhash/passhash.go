// Package passhash makes and checks password hashes as [Startup] PasswordHash
// and ModifyUser carry them.
package passhash

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Make hashes a password in the modern form: hash,salt,rounds,SHA512.
func Make(password string) (string, error) {
	salt := make([]byte, 64)
	rand.Read(salt)
	sum, err := pbkdf2.Key(sha512.New, password, salt, 10000, 64)
	if err != nil {
		return "", fmt.Errorf("cannot hash password: %w", err)
	}
	return hex.EncodeToString(sum) + "," + hex.EncodeToString(salt) + ",10000,SHA512", nil
}

// Check says whether the text is a well-formed hash.
func Check(text string) error {
	_, err := parse(text)
	return err
}

// Matches says whether password is the one that was hashed. A malformed hash
// matches nothing.
func Matches(text, password string) bool {
	h, err := parse(text)
	if err != nil {
		return false
	}
	sum, err := h.derive(password)
	return err == nil && subtle.ConstantTimeCompare(sum, h.sum) == 1
}

type hashed struct {
	sum, salt []byte
	rounds    int
	legacy    bool
}

var errForm = errors.New("cannot read password hash: not hash,salt[,rounds,SHA512]")

func parse(text string) (hashed, error) {
	parts := strings.Split(strings.TrimSpace(text), ",")
	if len(parts) != 2 && len(parts) != 4 {
		return hashed{}, errForm
	}
	sum, err := hex.DecodeString(parts[0])
	if err != nil || parts[1] == "" {
		return hashed{}, errForm
	}
	if len(parts) == 2 {
		// The old form salts with the characters themselves.
		if len(sum) != sha1.Size {
			return hashed{}, errForm
		}
		return hashed{sum: sum, salt: []byte(parts[1]), rounds: 1024, legacy: true}, nil
	}
	salt, err := hex.DecodeString(parts[1])
	rounds, convErr := strconv.Atoi(parts[2])
	if err != nil || convErr != nil || rounds < 1 || rounds > 10_000_000 || parts[3] != "SHA512" || len(sum) != sha512.Size {
		return hashed{}, errForm
	}
	return hashed{sum: sum, salt: salt, rounds: rounds}, nil
}

func (h hashed) derive(password string) ([]byte, error) {
	if h.legacy {
		return pbkdf2.Key(sha1.New, password, h.salt, h.rounds, sha1.Size)
	}
	return pbkdf2.Key(sha512.New, password, h.salt, h.rounds, sha512.Size)
}
