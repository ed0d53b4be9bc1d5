package engine

import (
	"strings"
	"testing"

	"icm/internal/secret"
)

// TestOneLineOfASecretIsStarredToo: programs quote the line that they did not
// like.
func TestOneLineOfASecretIsStarredToo(t *testing.T) {
	const key = "[License]\r\nFileType=InterSystems License\r\nAuthorizationKey = canary-0123456789\r\n"
	const pem = "-----BEGIN PRIVATE KEY-----\nY2FuYXJ5LWNhbmFyeS1jYW5hcnk\nshort\n-----END PRIVATE KEY-----\n"
	r := stars(map[string]secret.Secret{"key": secret.New(key), "pem": secret.New(pem), "word": secret.New("canary-word"), "letter": secret.New("x")})
	for said, want := range map[string]string{
		"the key " + strings.TrimSpace(key) + " is void": "the key ***** is void",
		"cannot read canary-0123456789, line 3":          "cannot read *****, line 3",
		"AuthorizationKey = canary-0123456789":           "*****",
		"bad base64: Y2FuYXJ5LWNhbmFyeS1jYW5hcnk":        "bad base64: *****",
		"a short text, [License], x":                     "a short text, [License], x",
		"canary-word":                                    "*****",
	} {
		if got := r.Replace(said); got != want {
			t.Errorf("%q becomes %q, want %q", said, got, want)
		}
	}
}
