package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// program builds an agent that speaks another protocol than this tree; see
// internal/wire/version.go.
func program(t *testing.T, build string, tags ...string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), build)
	cmd := exec.Command("go", "build", "-o", out, "-tags", strings.Join(tags, ","), "-ldflags", "-X main.build="+build, ".")
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v: %s", err, said)
	}
	return out
}

func TestAgentsOfNeighbouringProtocolsUnderstandEachOther(t *testing.T) {
	v1, v2, v3 := program(t, "v1"), program(t, "v2", "wirenext"), program(t, "v3", "wireafter")
	for _, tc := range []struct{ serves, asks, want string }{
		{v1, v1, "v1 "},
		{v1, v2, "v1 "},
		{v2, v1, "v2 "},
		{v2, v3, "v2 "},
		{v3, v2, "v3 "},
		{v1, v3, "the other side (v1) speaks protocol 1, this one needs 2 or later"},
		{v3, v1, "the other side (v3) needs protocol 2 or later, this one speaks 1"},
	} {
		t.Run(filepath.Base(tc.asks)+" asks "+filepath.Base(tc.serves), func(t *testing.T) {
			dir := t.TempDir()
			env := append(os.Environ(), "ICM_AGENT_HOME="+dir, "ICM_AGENT_SOCKET="+filepath.Join(dir, "s"), "NOTIFY_SOCKET=")
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			serving := exec.CommandContext(ctx, tc.serves, "serve")
			serving.Env = env
			if err := serving.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { cancel(); _ = serving.Wait() }()
			for ctx.Err() == nil { // until it listens
				if _, err := os.Stat(filepath.Join(dir, "s")); err == nil {
					break
				}
				<-time.After(10 * time.Millisecond)
			}
			asking := exec.CommandContext(ctx, tc.asks, "hello")
			asking.Env = env
			if said, _ := asking.CombinedOutput(); !strings.Contains(string(said), tc.want) {
				t.Errorf("it says %q, want %q", said, tc.want)
			}
		})
	}
}
