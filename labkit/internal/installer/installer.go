// Package installer is what irisinstall_silent runs: it takes everything
// from ISC_PACKAGE_… variables, installs or upgrades one instance, and ends
// with the line scripts wait for.
package installer

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"icm/labkit/internal/control"
	"icm/labkit/internal/ctl"
	"icm/labkit/internal/instance"
	"icm/labkit/internal/registry"
	"icm/labkit/internal/release"
)

// install is one run of the installer.
type install struct {
	kit     string // the unpacked kit
	rel     release.Release
	out     io.Writer
	env     func(string) string
	reg     registry.Instance
	upgrade bool
	level   string
	super   string
	web     string
	irisUsr string
	uid     int
	gid     int
}

// Run installs from the kit unpacked in dir and returns the exit status.
func Run(dir string, env func(string) string, out io.Writer) int {
	rel, err := release.Load(dir)
	in := &install{kit: dir, rel: rel, out: out, env: env}
	steps := []func() error{in.check, in.choose, in.identify, in.review, in.files, in.configure, in.data, in.machine, in.finish}
	for _, step := range steps {
		if err == nil {
			err = step()
		}
	}
	if err != nil {
		fmt.Fprintf(out, "\nError: %v\n** Installation aborted **\nNo packages will be installed.\n", err)
		return 1
	}
	fmt.Fprintln(out, "\nInstallation completed successfully")
	return 0
}

func (in *install) v(name string) string { return in.env("ISC_PACKAGE_" + name) }

var instanceName = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// check refuses what cannot work before anything is changed.
func (in *install) check() error {
	if in.env("CDPATH") != "" {
		return errors.New("CDPATH is set; directories cannot be told apart")
	}
	if err := in.prechecker(); err != nil {
		return err
	}
	if os.Geteuid() != 0 && in.env("IRISSYS") == "" {
		return errors.New("the installer must be run by root")
	}
	if err := os.MkdirAll(registry.Dir(), 0o755); err != nil {
		return err
	}
	if err := registry.CheckOwner(registry.Dir()); err != nil {
		return err
	}
	fmt.Fprintf(in.out, "Your system type is '%s'.\n", in.rel.Platform)
	all, err := registry.Load(registry.Dir())
	if err != nil {
		return err
	}
	if len(all) > 0 {
		fmt.Fprint(in.out, "\nCurrently defined instances:\n")
	}
	for _, i := range all {
		fmt.Fprint(in.out, "\n"+ctl.List(i, "IRIS instance"))
	}
	return nil
}

func (in *install) prechecker() error {
	cmd := exec.Command("/bin/sh", filepath.Join(in.kit, "dist", "prechecker"))
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "ISC_PACKAGE_PLATFORM=" + in.v("PLATFORM")}
	text, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("OS Package Requirements Check Failed.\n%s", text)
	}
	return nil
}

// choose finds out whether this is a new instance or an upgrade.
func (in *install) choose() error {
	name := in.v("INSTANCENAME")
	if !instanceName.MatchString(name) {
		return fmt.Errorf("ISC_PACKAGE_INSTANCENAME %q is not an instance name", name)
	}
	found, known, err := registry.Find(registry.Dir(), name)
	if err != nil {
		return err
	}
	if known {
		in.reg, in.upgrade = found, true
		return in.mayUpgrade()
	}
	in.reg = registry.Instance{Name: strings.ToUpper(name), Dir: in.v("INSTALLDIR"), CPF: "iris.cpf"}
	if in.reg.Dir == "" {
		return fmt.Errorf("ISC_PACKAGE_INSTALLDIR is needed for the new instance '%s'", in.reg.Name)
	}
	in.reg.Dir = filepath.Clean(in.reg.Dir)
	return checkInstallDir(in.reg.Dir)
}

func (in *install) mayUpgrade() error {
	if control.Locked(in.reg.Mgr()) {
		return fmt.Errorf("instance '%s' is running; stop it first", in.reg.Name)
	}
	have, err := release.Load(in.reg.Dir)
	if err != nil {
		return err
	}
	if release.Compare(in.rel.Version, have.Version) < 0 {
		return fmt.Errorf("instance '%s' has version %s, which is newer than %s", in.reg.Name, have.Version, in.rel.Version)
	}
	return in.webServer()
}

// checkInstallDir wants a physical path in plain characters.
func checkInstallDir(dir string) error {
	for _, c := range dir {
		if c > 126 || c < 32 || c == '^' {
			return fmt.Errorf("installation directory %q has characters that are not allowed", dir)
		}
	}
	switch {
	case !filepath.IsAbs(dir):
		return fmt.Errorf("installation directory %s is not an absolute path", dir)
	case strings.HasPrefix(dir+"/", "/home/"), dir == registry.Default:
		return fmt.Errorf("installation directory %s is not allowed", dir)
	}
	for d := dir; d != "/"; d = filepath.Dir(d) {
		if st, err := os.Lstat(d); err == nil && st.Mode()&os.ModeSymlink != 0 {
			return fmt.Errorf("installation directory %s goes through the symbolic link %s", dir, d)
		}
	}
	if instance.Expired(filepath.Join(dir, "mgr", "iris.key")) {
		return fmt.Errorf("the license key in %s has expired", filepath.Join(dir, "mgr"))
	}
	return nil
}

func (in *install) review() error {
	web := "not using local web server"
	if in.rel.PrivateWeb() {
		web = "using built-in web server"
	}
	kind := "Development"
	if in.upgrade {
		kind = "Upgrade"
	}
	fmt.Fprintf(in.out, "\nPlease review the installation options:\n%[1]s\nInstance name: %[2]s\nDestination directory: %[3]s\n"+
		"InterSystems IRIS version to install: %[4]s (stand-in)\nInstallation type: %[5]s\nUnicode support: Y\nInitial Security settings: %[6]s\n"+
		"User who owns instance: %[7]s\nGroup allowed to start and stop instance: %[8]s\nEffective group for InterSystems IRIS processes: %[9]s\n"+
		"SuperServer port: %[10]s\n", strings.Repeat("-", 66), strings.ToLower(in.reg.Name), in.reg.Dir, in.rel.Version, kind, in.level,
		in.reg.Owner, in.reg.MgrGroup, in.reg.IRISGroup, in.super)
	if in.web != "" {
		fmt.Fprintf(in.out, "WebServer port: %s\n", in.web)
	}
	fmt.Fprintf(in.out, "Web Gateway: %s\n%s\n\nStarting installation\n", web, strings.Repeat("-", 66))
	if ms, _ := strconv.Atoi(in.env("STANDIN_INSTALL_DELAY_MS")); ms > 0 {
		<-time.After(time.Duration(ms) * time.Millisecond)
	}
	return nil
}
