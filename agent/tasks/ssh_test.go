package tasks

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"icm/agent/engine/enginetest"
	"icm/internal/kind"
)

const (
	ourKey   = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKg5cWQzPzQ0Y0x0b0t0cXJ3dHl1aW9wYXNkZmdoamts icm"
	otherKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOtherOtherOtherOtherOtherOtherOtherOtherOther admin"
)

// sshRoot is a node with a real sshd_config, which sshd itself is asked about.
func sshRoot(t *testing.T, config string) (Deps, *fakeUnits, kind.SSH) {
	t.Helper()
	needRoot(t)
	if !exists("/usr/sbin/sshd") || !haveTool("ssh-keygen") {
		t.Skip("needs sshd and ssh-keygen")
	}
	d, u := rootDir(t, map[string]string{"etc/passwd": "admin:x:0:0::/home/admin:/bin/sh\n"})
	key := d.path("/etc/ssh/hostkey")
	mustMkdir(t, d.path("/etc/ssh/sshd_config.d"))
	mustMkdir(t, d.path("/home/admin"))
	run(t, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
	config = strings.ReplaceAll(config, "DROPINS", d.path("/etc/ssh/sshd_config.d/*.conf"))
	if err := writeFile(d.path(sshdConfig), "HostKey "+key+"\n"+config, 0o600); err != nil {
		t.Fatal(err)
	}
	u.active["ssh.service"] = true
	return d, u, kind.SSH{User: "admin", Home: "/home/admin", PublicKey: ourKey, DisablePassword: true}
}

func TestPasswordLoginIsTurnedOffWhateverTheConfigurationLooksLike(t *testing.T) {
	for name, config := range map[string]string{
		"drop-ins included":               "Include DROPINS\nPasswordAuthentication yes\n",
		"no drop-ins":                     "PasswordAuthentication yes\n",
		"drop-ins after the first choice": "PasswordAuthentication yes\nInclude DROPINS\n",
		"empty":                           "",
	} {
		t.Run(name, func(t *testing.T) {
			d, u, args := sshRoot(t, config)
			task := enginetest.NewTask(t, kind.SSHHarden, args)
			k := sshHarden(d)
			before := snapshot(t, d.Root)
			if l, err := k.Look(context.Background(), task); err != nil || len(l.Diffs) != 2 {
				t.Fatalf("look = %+v, %v", l, err)
			}
			for range 2 {
				if err := k.Do(context.Background(), task); err != nil {
					t.Fatal(err)
				}
			}
			how, err := d.sshd(context.Background(), args)
			if err != nil || !how.passwordsOff() {
				t.Fatalf("sshd still takes passwords (%v)", err)
			}
			if len(u.calls) != 1 || u.calls[0] != "reload ssh.service" {
				t.Errorf("sshd was told %v", u.calls)
			}
			if l, err := k.Look(context.Background(), task); err != nil || !l.Satisfied {
				t.Errorf("look = %+v, %v", l, err)
			}
			if err := k.Undo(context.Background(), task); err != nil {
				t.Fatal(err)
			}
			after := snapshot(t, d.Root)
			for path := range after {
				if after[path] != before[path] {
					t.Errorf("undo leaves %s as %q", path, after[path])
				}
			}
		})
	}
}

func TestOurKeyIsAddedBesideTheOthersAsSSHDWantsIt(t *testing.T) {
	d, _, args := sshRoot(t, "")
	args.DisablePassword = false
	mustMkdir(t, d.path("/home/admin/.ssh"))
	path := d.path(keysFile(args))
	if err := os.WriteFile(path, []byte(otherKey), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := sshHarden(d).Do(context.Background(), enginetest.NewTask(t, kind.SSHHarden, args)); err != nil {
			t.Fatal(err)
		}
	}
	text, _, err := readFile(path)
	if err != nil || text != otherKey+"\n"+ourKey+"\n" {
		t.Errorf("authorized_keys says %q, %v", text, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("its mode is %v, %v", info.Mode(), err)
	}
}

func TestTheSentinelKeepsPasswordLoginAndSaysSo(t *testing.T) {
	d, _, args := sshRoot(t, "PasswordAuthentication yes\n")
	if err := writeFile(d.path(filepath.Join(args.Home, sentinel)), "", 0o644); err != nil {
		t.Fatal(err)
	}
	env := enginetest.NewEnv(nil)
	if err := sshHarden(d).Do(context.Background(), env.Task(t, kind.SSHHarden, args)); err != nil {
		t.Fatal(err)
	}
	how, err := d.sshd(context.Background(), args)
	if err != nil || how.passwordsOff() || !strings.Contains(strings.Join(env.Lines(), " "), "stays as it is") {
		t.Errorf("sshd says %v, the log %q (%v)", how["passwordauthentication"], env.Lines(), err)
	}
}

func TestNobodyIsLockedOut(t *testing.T) {
	for name, config := range map[string]string{
		"keys are off":           "PubkeyAuthentication no\n",
		"keys are elsewhere":     "AuthorizedKeysFile /etc/ssh/keys/%u\n",
		"a Match turns them off": "Match User admin\nPubkeyAuthentication no\n",
	} {
		t.Run(name, func(t *testing.T) {
			d, _, args := sshRoot(t, config)
			before, _, _ := readFile(d.path(sshdConfig))
			err := sshHarden(d).Do(context.Background(), enginetest.NewTask(t, kind.SSHHarden, args))
			after, _, _ := readFile(d.path(sshdConfig))
			if err == nil || !strings.Contains(err.Error(), "would not look at") || before != after {
				t.Errorf("do says %v", err)
			}
		})
	}
}

func TestASettingThatDoesNotTakeEffectIsTakenBack(t *testing.T) {
	d, u, args := sshRoot(t, "Match User admin\nPasswordAuthentication yes\n")
	// A block at the top comes first, but a Match block wins for its user.
	before, _, _ := readFile(d.path(sshdConfig))
	err := sshHarden(d).Do(context.Background(), enginetest.NewTask(t, kind.SSHHarden, args))
	after, _, _ := readFile(d.path(sshdConfig))
	if err == nil || !strings.Contains(err.Error(), "still allows it") || before != after || len(u.calls) != 0 {
		t.Errorf("do says %v, told %v", err, u.calls)
	}
}

func TestAKeyThatIsNoKeyIsRefused(t *testing.T) {
	d, _ := rootDir(t, nil)
	for _, key := range []string{"", "ssh-ed25519", ourKey + "\n" + otherKey, "command=\"x\" " + ourKey} {
		args := kind.SSH{User: "admin", Home: "/home/admin", PublicKey: key}
		if err := sshHarden(d).Do(context.Background(), enginetest.NewTask(t, kind.SSHHarden, args)); err == nil {
			t.Errorf("%q was accepted", key)
		}
	}
}
