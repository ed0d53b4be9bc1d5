package lab

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheLimitOfInotifyInstancesIsRaisedAndNeverLowered(t *testing.T) {
	for have, want := range map[string]string{"128": "8192", "8192": "8192", "20000": "20000"} {
		path := filepath.Join(t.TempDir(), "max_user_instances")
		if err := os.WriteFile(path, []byte(have+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := raiseInotify(path); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || strings.TrimSpace(string(got)) != want {
			t.Errorf("from %s it became %q, %v; want %s", have, got, err, want)
		}
	}
}
