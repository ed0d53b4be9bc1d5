// Package irishash computes the values IRIS takes for [Startup] PasswordHash,
// so that the plain password never has to reach a node.
//
// There are two forms. The modern one is what Hash makes:
//
//	hash,salt,rounds,SHA512   PBKDF2-HMAC-SHA512, 64 bytes, the salt hex-decoded
//
// The legacy one of early kits has two fields and is only verified here:
//
//	HASH,salt                 PBKDF2-HMAC-SHA1, 1024 rounds, 20 bytes, the salt as its characters
package irishash

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // what the legacy form is made of
	"crypto/sha512"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"icm/internal/secret"
)

const (
	rounds       = 10000
	saltBytes    = 64
	hashBytes    = 64
	legacyRounds = 1024
	legacyBytes  = 20
	// maxRounds bounds what Verify is willing to compute for a value from outside.
	maxRounds = 10_000_000
)

// Hash returns the PasswordHash value of a password, with a fresh salt. The
// value is as good as the password for guessing offline: treat it as a secret.
func Hash(password secret.Secret) (string, error) {
	if password.Empty() {
		return "", errors.New("cannot hash an empty password")
	}
	salt := make([]byte, saltBytes)
	if _, err := rand.Read(salt); err != nil {
		return "", fmt.Errorf("cannot make a salt: %w", err)
	}
	return modern(password, salt, rounds)
}

func modern(password secret.Secret, salt []byte, n int) (string, error) {
	sum, err := pbkdf2.Key(sha512.New, password.Reveal(), salt, n, hashBytes)
	if err != nil {
		return "", fmt.Errorf("cannot hash the password: %w", err)
	}
	return fmt.Sprintf("%x,%x,%d,SHA512", sum, salt, n), nil
}

// Verify reports whether value, of either form, is a hash of the password.
func Verify(password secret.Secret, value string) (bool, error) {
	want, err := again(password, value)
	if err != nil {
		return false, err
	}
	got := strings.ToLower(value)
	return subtle.ConstantTimeCompare([]byte(got), []byte(strings.ToLower(want))) == 1, nil
}

// again computes the value anew, with the salt and rounds that value names.
func again(password secret.Secret, value string) (string, error) {
	fields := strings.Split(value, ",")
	switch {
	case len(fields) == 2:
		sum, err := pbkdf2.Key(sha1.New, password.Reveal(), []byte(fields[1]), legacyRounds, legacyBytes)
		if err != nil {
			return "", fmt.Errorf("cannot hash the password: %w", err)
		}
		return fmt.Sprintf("%X,%s", sum, fields[1]), nil
	case len(fields) == 4 && strings.EqualFold(fields[3], "SHA512"):
		salt, err := hex.DecodeString(fields[1])
		if err != nil {
			return "", errors.New("cannot read the password hash: its salt is not hexadecimal")
		}
		n, err := strconv.Atoi(fields[2])
		if err != nil || n < 1 || n > maxRounds {
			return "", errors.New("cannot read the password hash: its number of rounds makes no sense")
		}
		return modern(password, salt, n)
	default:
		return "", errors.New(`cannot read the password hash: it is neither "hash,salt" nor "hash,salt,rounds,SHA512"`)
	}
}
