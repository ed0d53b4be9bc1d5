package engine

import (
	"io"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"icm/internal/wire"
)

func openAt(t *testing.T, dir string) *Engine {
	t.Helper()
	e, err := Open(dir, nil, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func membershipOf(t *testing.T, e *Engine) *wire.Membership {
	t.Helper()
	m, err := e.Membership()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestAMembershipIsKeptUntilTheNodeIsReleased(t *testing.T) {
	dir := t.TempDir()
	e := openAt(t, dir)
	if m := membershipOf(t, e); m != nil {
		t.Errorf("a node of no deployment says %+v", m)
	}
	told := wire.Membership{
		Deployment: "ICM-1", MachineName: "A-DM-T-0001", Role: "DM", Definition: "A-DM-T", Label: "A", Tag: "T",
		Fields: map[string]string{"KitURL": "u"}, Updated: time.Date(2024, 2, 29, 1, 2, 3, 0, time.UTC),
	}
	if _, err := e.Remember(t.Context(), wire.RememberRequest{Fence: wire.Fence{Deployment: "ICM-1", Number: 5}, Membership: told}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Announce(t.Context(), wire.AnnounceRequest{Fence: wire.Fence{Deployment: "ICM-1", Number: 9}, Operation: "o", Plan: "p"}); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	e = openAt(t, dir)
	defer e.Close()
	want := told
	want.Fence = 9 // the highest number seen, not the one it came with
	if diff := cmp.Diff(&want, membershipOf(t, e)); diff != "" {
		t.Errorf("after a restart (-want +got):\n%s", diff)
	}
	if err := e.Release(t.Context(), wire.Fence{Deployment: "ICM-1", Number: 10}); err != nil {
		t.Fatal(err)
	}
	if m := membershipOf(t, e); m != nil {
		t.Errorf("a released node says %+v", m)
	}
}

func TestOnlyTheHolderOfTheDeploymentIsRemembered(t *testing.T) {
	e := openAt(t, t.TempDir())
	defer e.Close()
	remember := func(fence wire.Fence, of string) error {
		_, err := e.Remember(t.Context(), wire.RememberRequest{Fence: fence, Membership: wire.Membership{Deployment: of, MachineName: "m"}})
		return err
	}
	if err := remember(wire.Fence{Deployment: "ICM-1", Number: 5}, "ICM-1"); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "an older fence", remember(wire.Fence{Deployment: "ICM-1", Number: 4}, "ICM-1"), wire.CodeFenced)
	wantCode(t, "another deployment", remember(wire.Fence{Deployment: "ICM-2", Number: 9}, "ICM-2"), wire.CodeForeign)
	wantCode(t, "a membership of another deployment", remember(wire.Fence{Deployment: "ICM-1", Number: 9}, "ICM-2"), wire.CodeBadCall)
}

func TestAMembershipOfAnotherFormatIsNotGuessedAt(t *testing.T) {
	e := openAt(t, t.TempDir())
	defer e.Close()
	if _, err := e.Remember(t.Context(), wire.RememberRequest{Fence: wire.Fence{Deployment: "d", Number: 1}, Membership: wire.Membership{Deployment: "d"}}); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{`{"format": 99}`, `{`} {
		if err := os.WriteFile(e.membershipPath(), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if m, err := e.Membership(); err == nil {
			t.Errorf("%s was read as %+v", text, m)
		}
	}
}
