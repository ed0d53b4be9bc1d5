package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestSecretsOfASubmitAreNeverPrinted(t *testing.T) {
	req := SubmitRequest{Secrets: map[string][]byte{"k": []byte("canary-7f3a")}}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		fmt.Fprintf(&out, verb, req)
		fmt.Fprintf(&out, verb, req.Secrets)
	}
	if err := json.NewEncoder(&out).Encode(req); err != nil {
		t.Fatal(err)
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "req", req, "s", req.Secrets)
	for _, leak := range []string{"canary", fmt.Sprintf("%x", "canary"), "99 97 110", "Y2FuYXJ5"} {
		if strings.Contains(out.String(), leak) {
			t.Fatalf("the secret shows as %q in %s", leak, &out)
		}
	}
}
