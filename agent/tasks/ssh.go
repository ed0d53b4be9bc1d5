package tasks

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"icm/agent/engine"
	"icm/agent/host"
	"icm/internal/hint"
	"icm/internal/kind"
	"icm/internal/wire"
)

const (
	sshdConfig = "/etc/ssh/sshd_config"
	// sshdDropIn sorts before what cloud images bring: sshd takes the first
	// value it meets.
	sshdDropIn = "/etc/ssh/sshd_config.d/00-icm.conf"
	// sentinel, in the user's home, keeps password login as it is.
	sentinel = "ICM/disable_password_login.done"

	sshdBegin = "# begin icm: password login is off\n"
	sshdEnd   = "# end icm\n"
	// ChallengeResponseAuthentication is what older sshd call the second one.
	sshdNoPasswords = sshdBegin + "PasswordAuthentication no\nKbdInteractiveAuthentication no\nChallengeResponseAuthentication no\n" + sshdEnd
)

func sshHarden(d Deps) engine.Kind {
	return engine.Kind{Look: d.lookSSH, Do: d.doSSH, Undo: d.undoSSH}
}

func (d Deps) decodeSSH(t *engine.Task) (kind.SSH, error) {
	var a kind.SSH
	if err := t.Decode(&a); err != nil {
		return a, err
	}
	if !filepath.IsAbs(a.Home) || filepath.Clean(a.Home) != a.Home {
		return a, fmt.Errorf("home directory %q must be an absolute path", a.Home)
	}
	if keyOf(a.PublicKey) == "" || strings.ContainsAny(strings.TrimSpace(a.PublicKey), "\n\r") {
		return a, errors.New("the public key is not a line of authorized_keys: \"TYPE BASE64 COMMENT\"")
	}
	return a, nil
}

// keyOf returns "type base64" of a line without options, or "".
func keyOf(line string) string {
	f := strings.Fields(line)
	if len(f) < 2 || !strings.HasPrefix(f[0], "ssh-") && !strings.HasPrefix(f[0], "ecdsa-") && !strings.HasPrefix(f[0], "sk-") {
		return ""
	}
	return f[0] + " " + f[1]
}

func (d Deps) lookSSH(ctx context.Context, t *engine.Task) (wire.Look, error) {
	a, err := d.decodeSSH(t)
	if err != nil {
		return wire.Look{}, err
	}
	var l wire.Look
	text, _, err := readFile(d.path(keysFile(a)))
	if err != nil {
		return wire.Look{}, err
	}
	if !hasKey(text, a.PublicKey) {
		l.Diffs = append(l.Diffs, wire.Diff{What: keysFile(a), Before: "", After: "our key"})
	}
	if d.wantsNoPasswords(a) {
		how, err := d.sshd(ctx, a)
		if err != nil {
			return wire.Look{}, err
		}
		if !how.passwordsOff() {
			l.Diffs = append(l.Diffs, wire.Diff{What: "password login", Before: "on", After: "off"})
		}
	}
	l.Satisfied = len(l.Diffs) == 0
	return l, nil
}

// doSSH lets the controller's key in and then turns password login off, in
// this order, and only when sshd says that it will look at the key.
//
// Rerun: a key that is there is not added again; settings are written anew.
// Undo: restores both files and reloads sshd.
func (d Deps) doSSH(ctx context.Context, t *engine.Task) error {
	a, err := d.decodeSSH(t)
	if err != nil {
		return err
	}
	if err := d.addKey(t, a); err != nil {
		return err
	}
	if !a.DisablePassword {
		return nil
	}
	if !d.wantsNoPasswords(a) {
		t.Logf("Password login stays as it is: %s exists", filepath.Join(a.Home, sentinel))
		return nil
	}
	how, err := d.sshd(ctx, a)
	if err != nil || how.passwordsOff() {
		return err
	}
	if !how.readsOurKey() {
		return &hint.Error{Err: fmt.Errorf("cannot turn password login off: sshd would not look at %s", keysFile(a)),
			Hint: "check PubkeyAuthentication and AuthorizedKeysFile in " + sshdConfig}
	}
	return d.turnPasswordsOff(ctx, t, a)
}

func (d Deps) wantsNoPasswords(a kind.SSH) bool {
	return a.DisablePassword && !exists(d.path(filepath.Join(a.Home, sentinel)))
}

func keysFile(a kind.SSH) string { return filepath.Join(a.Home, ".ssh/authorized_keys") }

func hasKey(text, key string) bool {
	for line := range strings.Lines(text) {
		if keyOf(line) == keyOf(key) {
			return true
		}
	}
	return false
}

// addKey writes authorized_keys as sshd's StrictModes wants it: nobody else
// may write to it or to the directory it is in.
func (d Deps) addKey(t *engine.Task, a kind.SSH) error {
	path := keysFile(a)
	user, found, err := host.FindAccount(d.Root, a.User)
	if err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("cannot let our key in: there is no local account %s", a.User)
	}
	text, _, err := readFile(d.path(path))
	if err != nil || hasKey(text, a.PublicKey) {
		return err
	}
	for _, p := range []string{path, filepath.Dir(path)} {
		if info, err := os.Lstat(d.path(p)); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			return fmt.Errorf("cannot let our key in: %s is a symbolic link", p)
		}
	}
	if err := d.keepFile(t, path); err != nil {
		return err
	}
	if !exists(d.path(filepath.Dir(path))) {
		if err := d.makeSSHDir(filepath.Dir(path), user); err != nil {
			return err
		}
	}
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	if err := writeFile(d.path(path), text+strings.TrimSpace(a.PublicKey)+"\n", 0o600); err != nil {
		return err
	}
	return os.Chown(d.path(path), int(user.UID), int(user.GID))
}

func (d Deps) makeSSHDir(path string, user host.Account) error {
	if err := os.Mkdir(d.path(path), 0o700); err != nil {
		return fmt.Errorf("cannot make %s: %v", path, err)
	}
	return os.Chown(d.path(path), int(user.UID), int(user.GID))
}

// turnPasswordsOff changes sshd's configuration and takes the change back when
// sshd does not like it or does not act on it.
func (d Deps) turnPasswordsOff(ctx context.Context, t *engine.Task, a kind.SSH) (err error) {
	path, text, err := d.hardened()
	if err != nil {
		return err
	}
	if err := d.keepFile(t, path); err != nil {
		return err
	}
	if err := writeFile(d.path(path), text, 0o600); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.restoreFile(t, path))
		}
	}()
	if _, err := d.sshdCommand("-t").Run(ctx); err != nil {
		return fmt.Errorf("cannot turn password login off: %w", err)
	}
	how, err := d.sshd(ctx, a)
	if err != nil {
		return err
	}
	if !how.passwordsOff() {
		return &hint.Error{Err: fmt.Errorf("cannot turn password login off: sshd still allows it after %s was written", path),
			Hint: "look for another PasswordAuthentication, or a Match block, in " + sshdConfig}
	}
	return d.reloadSSHD(ctx)
}

// hardened says which file to write, and what: a drop-in where sshd_config
// includes them, or else a block at the top of sshd_config itself.
func (d Deps) hardened() (path, text string, err error) {
	main, _, err := readFile(d.path(sshdConfig))
	if err != nil {
		return "", "", err
	}
	if includesDropIns(main) {
		return sshdDropIn, sshdNoPasswords, nil
	}
	if !strings.Contains(main, sshdBegin) {
		main = sshdNoPasswords + main
	}
	return sshdConfig, main, nil
}

// includesDropIns reports whether sshd_config includes the directory before
// any Match block and before it says anything about passwords itself.
func includesDropIns(text string) bool {
	for line := range strings.Lines(text) {
		f := strings.Fields(strings.ToLower(strings.ReplaceAll(line, "=", " ")))
		if len(f) < 2 {
			continue
		}
		switch f[0] {
		case "include":
			if strings.Contains(f[1], "sshd_config.d/") {
				return true
			}
		case "match", "passwordauthentication", "kbdinteractiveauthentication", "challengeresponseauthentication":
			return false
		}
	}
	return false
}

func (d Deps) reloadSSHD(ctx context.Context) error {
	for _, name := range []string{"ssh.service", "sshd.service"} {
		st, err := d.Units.Status(ctx, name)
		if err != nil {
			return err
		}
		if st.Active == "active" {
			return d.Units.ReloadUnit(ctx, name)
		}
	}
	return nil // started by its socket, it reads its configuration each time
}

func (d Deps) undoSSH(ctx context.Context, t *engine.Task) error {
	a, err := d.decodeSSH(t)
	if err != nil {
		return err
	}
	for _, path := range []string{sshdDropIn, sshdConfig, keysFile(a)} {
		if err := d.restoreFile(t, path); err != nil {
			return err
		}
	}
	if !a.DisablePassword {
		return nil
	}
	return d.reloadSSHD(ctx)
}
