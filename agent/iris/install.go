package iris

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"icm/agent/host"
	"icm/internal/hint"
	"icm/internal/kind"
	"icm/internal/secret"
	"icm/internal/wire"
)

// successLine is the last line of a successful installation. It, the exit
// status and `iris qlist` must agree.
const successLine = "Installation completed successfully"

// Installer runs a kit's unattended installer.
type Installer struct {
	Args kind.Install
	// KitDir holds irisinstall_silent.
	KitDir string
	// Password is a throwaway: the installer demands one, the real one comes
	// as a hash before the first start.
	Password secret.Secret
}

// Throwaway makes a password that nobody will ever know. It has characters of
// every class, which password rules of old kits ask for.
func Throwaway() secret.Secret { return secret.New("Aa1." + rand.Text()) }

// Command builds the installer's command line; nothing runs yet. Every
// parameter is given, because the kits' defaults have changed over time. The
// shell is there for the umask; the environment has no CDPATH, which would
// lead the installer astray.
func (i Installer) Command() host.Command {
	a := i.Args
	env := []string{
		"ISC_PACKAGE_INSTANCENAME=" + a.Instance,
		"ISC_PACKAGE_INSTALLDIR=" + a.Dir,
		"ISC_PACKAGE_STARTIRIS=N",
		"ISC_PACKAGE_WEB_CONFIGURE=N",
		"ISC_PACKAGE_CSP_CONFIGURE=N", // the same, as early kits call it
	}
	env = appendSet(env, "ISC_PACKAGE_PLATFORM", a.Platform)
	if a.From == "" {
		env = append(env, i.firstTime()...)
	}
	return host.Command{
		Path: "/bin/sh",
		Args: []string{"-c", "umask 022 && exec ./irisinstall_silent"},
		Env:  env,
		Dir:  i.KitDir,
	}
}

// firstTime is what an upgrade keeps as it is, and must not be told again.
func (i Installer) firstTime() []string {
	a := i.Args
	env := []string{
		"ISC_PACKAGE_UNICODE=Y",
		"ISC_PACKAGE_INITIAL_SECURITY=" + a.Security,
		"ISC_PACKAGE_MGRUSER=" + a.Account.Owner,
		"ISC_PACKAGE_MGRGROUP=" + a.Account.OwnerGroup,
		"ISC_PACKAGE_IRISUSER=" + a.Account.User,
		"ISC_PACKAGE_IRISGROUP=" + a.Account.Group,
	}
	env = appendPort(env, "ISC_PACKAGE_SUPERSERVER_PORT", a.SuperServerPort)
	env = appendPort(env, "ISC_PACKAGE_WEBSERVER_PORT", a.WebServerPort)
	if a.Security != "Minimal" {
		env = append(env,
			"ISC_PACKAGE_USER_PASSWORD="+i.Password.Reveal(),
			"ISC_PACKAGE_CSPSYSTEM_PASSWORD="+i.Password.Reveal())
	}
	return env
}

func appendSet(env []string, name, value string) []string {
	if value == "" {
		return env
	}
	return append(env, name+"="+value)
}

func appendPort(env []string, name string, port int) []string {
	if port == 0 {
		return env
	}
	return append(env, name+"="+strconv.Itoa(port))
}

// Install runs an installer and proves that it did what it says. line gets its
// output as it comes.
func (n *Node) Install(ctx context.Context, i Installer, line func(string)) error {
	unlock, err := n.lockInstaller()
	if err != nil {
		return err
	}
	defer unlock()
	succeeded := false
	c := i.Command()
	c.Line = func(s string) {
		succeeded = succeeded || strings.TrimSpace(s) == successLine
		if !i.Password.Empty() {
			s = strings.ReplaceAll(s, i.Password.Reveal(), "*****")
		}
		line(s)
	}
	out, err := n.run(ctx, c)
	if err != nil {
		return n.installError(i, out, err)
	}
	if !succeeded {
		return n.installError(i, out, fmt.Errorf("the installer ended without saying %q", successLine))
	}
	return n.installed(ctx, i.Args)
}

// installed asks the machine whether the instance is there, in the version.
func (n *Node) installed(ctx context.Context, a kind.Install) error {
	in, err := n.Find(ctx, a.Instance)
	switch {
	case errors.Is(err, ErrNoInstance):
		return fmt.Errorf("cannot install %s: the installer says it succeeded, but iris qlist does not list it", a.Instance)
	case err != nil:
		return err
	case !SameVersion(in.Version, a.Version):
		return fmt.Errorf("cannot install %s: the kit is %s, but iris qlist says %s", a.Instance, a.Version, in.Version)
	}
	return nil
}

// installError adds what the installer said last. The installer's output has
// no passwords in it, but what it was given is taken out all the same.
func (n *Node) installError(i Installer, out host.Output, err error) error {
	said := lastLines(out.Stdout+"\n"+out.Stderr, 3)
	if !i.Password.Empty() {
		said = strings.ReplaceAll(said, i.Password.Reveal(), "*****")
	}
	verb := "install"
	if i.Args.From != "" {
		verb = "upgrade"
	}
	if said == "" {
		return fmt.Errorf("cannot %s %s: %v", verb, i.Args.Instance, plain(err))
	}
	return &hint.Error{
		Err:  fmt.Errorf("cannot %s %s: %v; the installer said: %s", verb, i.Args.Instance, plain(err), said),
		Hint: "the task's log has everything the installer said",
	}
}

// plain is an error without the program's output, which is told apart.
func plain(err error) error {
	var exit *host.ExitError
	if errors.As(err, &exit) {
		return fmt.Errorf("the installer ended with status %d", exit.Exit)
	}
	return err
}

func lastLines(s string, count int) string {
	var lines []string
	for l := range strings.Lines(s) {
		if l = strings.TrimSpace(l); l != "" {
			lines = append(lines, l)
		}
	}
	if len(lines) > count {
		lines = lines[len(lines)-count:]
	}
	return strings.Join(lines, " | ")
}

// lockInstaller makes sure that only one installation of ours runs at a time:
// kits write to one list of instances.
func (n *Node) lockInstaller() (unlock func(), err error) {
	if err := os.MkdirAll(n.Home, 0o700); err != nil {
		return nil, fmt.Errorf("cannot lock the installer: %v", err)
	}
	f, err := os.OpenFile(filepath.Join(n.Home, "install.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot lock the installer: %v", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(errors.New("cannot install: another installation is running on this machine"), f.Close())
	}
	return func() { _ = f.Close() }, nil // closing gives the lock back
}

// SameVersion reports whether a registered version is a kit's: community builds
// register with "com" at their end, and some registrations have one number less.
func SameVersion(registered, kit string) bool {
	registered = strings.TrimSuffix(registered, "com")
	return registered == kit || (kit != "" && strings.HasPrefix(kit, registered+".") && strings.Count(kit, ".") == strings.Count(registered, ".")+1 && strings.Count(registered, ".") >= 3)
}

// IsOurs reports whether an instance is the one that args describe.
func IsOurs(in wire.Instance, dir string) bool { return in.Dir == strings.TrimRight(dir, "/") }
