package state

import (
	"crypto/ed25519"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

func TestAStateDirectoryIsMadeAndFoundAgain(t *testing.T) {
	d := testDir(t)
	if !regexp.MustCompile(`^ICM-[1-9][0-9]{17}$`).MatchString(filepath.Base(d.Path)) || d.ID != filepath.Base(d.Path) {
		t.Errorf("it is %s with id %s", d.Path, d.ID)
	}
	info, err := os.Stat(d.Path)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("mode is %v, %v", info.Mode(), err)
	}
	moved := filepath.Join(filepath.Dir(d.Path), "elsewhere")
	if err := os.Rename(d.Path, moved); err != nil {
		t.Fatal(err)
	}
	again, err := Open(moved)
	if err != nil || again.ID != d.ID {
		t.Errorf("after a rename it is %+v, %v", again, err)
	}
}

func TestWhatIsNoStateDirectory(t *testing.T) {
	for name, test := range map[string]struct{ file, want string }{
		"an empty directory": {"", "is no state directory"},
		"a newer one":        {`{"format": 2, "id": "ICM-1"}`, "it has format 2, this icm knows formats up to 1"},
		"one without format": {`{"id": "ICM-1"}`, "it has no format number"},
		"one without an id":  {`{"format": 1}`, "it has no id"},
		"a torn one":         {`{"form`, "cannot read"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if test.file != "" {
				if err := os.WriteFile(filepath.Join(dir, deploymentFile), []byte(test.file), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %v", err)
			}
		})
	}
}

func TestADirectoryInUseIsNotMadeAStateDirectory(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := CreateAt(dir, "ICM-1", time.Now()); err == nil || !strings.Contains(err.Error(), "is not empty") {
		t.Errorf("error is %v", err)
	}
}

func TestNamesCannotLeadOutOfTheStateDirectory(t *testing.T) {
	d := testDir(t)
	for _, name := range []string{"..", ".", "", "a/b", "/etc", "../x"} {
		if path, err := d.Node("ACME-DM-TEST", name); err == nil {
			t.Errorf("%q gives %s", name, path)
		}
	}
	path, err := d.Node("ACME-DM-TEST", "ACME-DM-TEST-0001")
	if err != nil || path != filepath.Join(d.Path, "ACME-DM-TEST", "ACME-DM-TEST-0001") {
		t.Errorf("path is %s, %v", path, err)
	}
}

func TestHostKeysArePinnedMovedAndForgotten(t *testing.T) {
	d := testDir(t)
	const foreign = "# somebody's note\n\nother.example,192.0.2.9,192.0.2.10 "
	a, b := key(t), key(t)
	if err := os.WriteFile(d.KnownHostsPath(), append([]byte(foreign), ssh.MarshalAuthorizedKey(b)...), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, addr := range []string{"192.0.2.1:22", "192.0.2.2:2222"} {
		if err := d.Pin("ACME-DM-TEST-0001", addr, a); err != nil {
			t.Fatal(err)
		}
	}
	keys, err := d.HostKeys("ACME-DM-TEST-0001")
	if err != nil || len(keys) != 1 || string(keys[0].Marshal()) != string(a.Marshal()) {
		t.Fatalf("keys are %v, %v", keys, err)
	}
	data, err := os.ReadFile(d.KnownHostsPath())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(data), foreign) || !strings.Contains(string(data), "\nACME-DM-TEST-0001,[192.0.2.2]:2222 ssh-ed25519 ") || strings.Contains(string(data), "192.0.2.1 ") {
		t.Errorf("the file has:\n%s", data)
	}
	if err := d.Forget("ACME-DM-TEST-0001"); err != nil {
		t.Fatal(err)
	}
	if keys, err := d.HostKeys("ACME-DM-TEST-0001"); err != nil || len(keys) != 0 {
		t.Errorf("after Forget: %v, %v", keys, err)
	}
	if keys, err := d.HostKeys("other.example"); err != nil || len(keys) != 1 {
		t.Errorf("it forgot somebody else's: %v, %v", keys, err)
	}
}

func key(t *testing.T) ssh.PublicKey {
	t.Helper()
	pub, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	k, err := ssh.NewPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	return k
}
