package receipt

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"icm/controller/kitsource"
	"icm/controller/signing"
	"icm/internal/hint"
	"icm/internal/secret"
)

var now = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func pair(t testing.TB) (signing.Public, signing.Private) {
	t.Helper()
	public, text, err := signing.Generate(secret.Secret{})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	key, err := signing.LoadPrivate(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return public, key
}

func example() *Receipt {
	return &Receipt{
		Deployment: "ICM-172807747058302123", Operation: "20260304T050000.000Z-abcdef", Command: []string{"icm", "install"},
		By: []Run{{"ada", "ops1", "2026-03-04T05:00:00Z"}}, Ended: "2026-03-04T05:05:00Z", Result: "done", Plan: strings.Repeat("ab", 32), Icm: "1.0",
		Kits: []Kit{{Name: "IRIS-2023.1.0.235.1-lnxrh8x64.tar.gz", SHA256: strings.Repeat("cd", 32), Size: 4, From: "bundle:IRIS-2023.1.0.235.1-lnxrh8x64.tar.gz",
			Bundle: kitsource.Bundle{Name: "acme", Issued: "2026-01-01T00:00:00Z", Digest: strings.Repeat("ef", 32), Key: "0123456789ABCDEF"}}},
		Nodes: []Node{{Machine: "ACME-DM-TEST-0001", Result: Done, Instance: "IRIS", Version: "2023.1.0.235.1", Stages: []Stage{{"Install", Done, ""}}}},
	}
}

func TestAReceiptVerifiesWithTheKeyOfItsSiteAndNoOther(t *testing.T) {
	public, key := pair(t)
	other, _ := pair(t)
	want := example()
	text, signature, err := want.Sign(key, now)
	if err != nil {
		t.Fatal(err)
	}
	got, by, err := Verify(text, signature, []signing.Public{other, public})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" || by.ID() != public.ID() || got.Issued != "2026-03-04T05:06:07Z" {
		t.Errorf("signed with %s, issued %s:\n%s", by.ID(), got.Issued, diff)
	}
	if _, _, err := Verify(text, signature, []signing.Public{other}); !errors.Is(err, signing.ErrUnknownKey) || !strings.Contains(hint.Of(err), "-pubkey") {
		t.Errorf("with another key: %v (%s)", err, hint.Of(err))
	}
}

func TestAReceiptOfWhichOneByteWasAlteredIsRefused(t *testing.T) {
	public, key := pair(t)
	text, signature, err := example().Sign(key, now)
	if err != nil {
		t.Fatal(err)
	}
	for i := range text {
		bad := bytes.Clone(text)
		bad[i] ^= 1 << (i % 8)
		if _, _, err := Verify(bad, signature, []signing.Public{public}); !errors.Is(err, signing.ErrSignature) {
			t.Fatalf("byte %d: %v", i, err)
		}
	}
	trusted := bytes.Index(signature, []byte("operation"))
	signature[trusted] ^= 1
	if _, _, err := Verify(text, signature, []signing.Public{public}); err == nil {
		t.Error("another trusted comment was taken")
	}
}

func TestWhatIsSignedAndNoReceiptIsRefused(t *testing.T) {
	public, key := pair(t)
	good, _, err := example().Sign(key, now)
	if err != nil {
		t.Fatal(err)
	}
	comment := example().comment()
	for name, c := range map[string]struct{ text, comment, says string }{
		"a bundle's manifest":    {string(good), "icm bundle acme issued 2026-01-01T00:00:00Z", "its signature is of something else"},
		"another operation":      {string(good), strings.Replace(comment, "abcdef", "123456", 1), "its signature is of something else"},
		"no JSON":                {"hello", comment, "it is no receipt"},
		"a newer format":         {strings.Replace(string(good), `"format": 1`, `"format": 2`, 1), comment, "it has format 2"},
		"an unknown field":       {strings.Replace(string(good), `"plan"`, `"extra": 1, "plan"`, 1), comment, "it is damaged"},
		"a field of another one": {strings.Replace(string(good), `"result": "done"`, `"result": "done", "result": "failed"`, 1), comment, "not in the form"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := Verify([]byte(c.text), signing.Sign(key, []byte(c.text), c.comment), []signing.Public{public})
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("Verify() = %v, want %q", err, c.says)
			}
		})
	}
}

func TestANodeIsDoneWhenEveryStageIs(t *testing.T) {
	for want, results := range map[string][]string{
		Done: {Done, Done}, "error": {Done, "error", NotBegun}, NotBegun: {NotBegun, NotBegun}, Unknown: {Unknown},
	} {
		var n Node
		for _, r := range results {
			n.Stages = append(n.Stages, Stage{Result: r})
		}
		if n.Conclude(); n.Result != want {
			t.Errorf("%v makes %q, want %q", results, n.Result, want)
		}
	}
}

func FuzzReceipt(f *testing.F) {
	_, key := pair(f)
	text, _, err := example().Sign(key, now)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"format": 1}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := parse(text)
		if err != nil {
			return
		}
		if again, err := r.encode(); err != nil || !bytes.Equal(again, text) {
			t.Errorf("%q was taken, and is written as %q, %v", text, again, err)
		}
	})
}
