package tasks

import (
	"context"
	"fmt"
	"os"
	"strings"

	"icm/agent/host"
	"icm/internal/kind"
)

// sshdSettings is what `sshd -T` says that it would do, key → value.
type sshdSettings map[string]string

// passwordsOff reports whether nobody can log in by typing something.
func (s sshdSettings) passwordsOff() bool {
	typed := s["kbdinteractiveauthentication"]
	if typed == "" {
		typed = s["challengeresponseauthentication"] // before OpenSSH 8.7
	}
	return s["passwordauthentication"] == "no" && typed == "no"
}

// readsOurKey reports whether sshd looks at ~/.ssh/authorized_keys.
func (s sshdSettings) readsOurKey() bool {
	return s["pubkeyauthentication"] == "yes" && strings.Contains(s["authorizedkeysfile"], ".ssh/authorized_keys")
}

// sshd asks the server's program how it would treat our user, Match blocks
// included.
func (d Deps) sshd(ctx context.Context, a kind.SSH) (sshdSettings, error) {
	// Where ssh is started by its socket, this directory may be missing, and
	// sshd -T then refuses to answer.
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
		return nil, fmt.Errorf("cannot ask sshd: %v", err)
	}
	out, err := d.sshdCommand("-T", "-C", "user="+a.User+",host=localhost,addr=127.0.0.1").Run(ctx)
	if err != nil {
		return nil, fmt.Errorf("cannot ask sshd what it would do: %w", err)
	}
	return parseSSHD(out.Stdout), nil
}

func (d Deps) sshdCommand(args ...string) host.Command {
	return host.Command{Path: "/usr/sbin/sshd", Args: append([]string{"-f", d.path(sshdConfig)}, args...)}
}

func parseSSHD(text string) sshdSettings {
	s := sshdSettings{}
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		s[strings.ToLower(key)] = value
	}
	return s
}
