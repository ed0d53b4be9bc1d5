package installer

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"

	"icm/labkit/internal/cpf"
	"icm/labkit/internal/registry"
)

// identify settles security, users, groups, ports and web server.
func (in *install) identify() error {
	if in.upgrade {
		return in.keepIdentity()
	}
	in.level = in.v("INITIAL_SECURITY")
	if in.level == "" {
		in.level = in.rel.DefaultSecurity()
	}
	in.level = strings.ReplaceAll(in.level, " ", "")
	switch strings.ToLower(in.level) {
	case "minimal":
		in.level = "Minimal"
		if !in.rel.MinimalAllowed() {
			return errors.New("ISC_PACKAGE_INITIAL_SECURITY Minimal is not offered by this version")
		}
	case "normal", "lockeddown":
		if in.v("USER_PASSWORD") == "" {
			return fmt.Errorf("ISC_PACKAGE_USER_PASSWORD is needed for initial security %s", in.level)
		}
		if strings.ContainsAny(in.v("USER_PASSWORD"), " \t\\") {
			return errors.New("ISC_PACKAGE_USER_PASSWORD has a blank, a tab or a backslash")
		}
	default:
		return fmt.Errorf("ISC_PACKAGE_INITIAL_SECURITY %q is not known", in.level)
	}
	if err := in.accounts(); err != nil {
		return err
	}
	in.super, in.web = in.ports()
	return in.webServer()
}

func (in *install) keepIdentity() error {
	conf, err := cpf.Load(in.reg.CPFPath())
	if err != nil {
		return err
	}
	in.level, in.super, in.web = "kept", conf.Get("Startup", "DefaultPort"), conf.Get("Startup", "WebServerPort")
	return in.ids()
}

// accounts finds the owner and the groups; only irisusr is made here.
func (in *install) accounts() error {
	me, err := user.Current()
	if err != nil {
		return err
	}
	mine, err := user.LookupGroupId(me.Gid)
	if err != nil {
		return err
	}
	or := func(name, missing string) string {
		if v := in.v(name); v != "" {
			return v
		}
		return missing
	}
	in.reg.Owner, in.reg.MgrGroup = or("MGRUSER", me.Username), or("MGRGROUP", mine.Name)
	in.reg.IRISGroup, in.irisUsr = or("IRISGROUP", "irisusr"), or("IRISUSER", "irisusr")
	if in.level == "Minimal" && os.Geteuid() == 0 {
		in.reg.Owner, in.reg.IRISGroup, in.irisUsr = "root", "irisusr", "irisusr"
	}
	if _, err := user.Lookup(in.reg.Owner); err != nil {
		return fmt.Errorf("ISC_PACKAGE_MGRUSER: user %s does not exist", in.reg.Owner)
	}
	if _, err := user.LookupGroup(in.reg.MgrGroup); err != nil {
		return fmt.Errorf("ISC_PACKAGE_MGRGROUP: group %s does not exist", in.reg.MgrGroup)
	}
	if os.Geteuid() != 0 {
		in.reg.IRISGroup = mine.Name
		return in.ids()
	}
	if _, err := user.LookupGroup(in.reg.IRISGroup); err != nil {
		if err := run("groupadd", "-r", in.reg.IRISGroup); err != nil {
			return err
		}
	}
	if _, err := user.Lookup(in.irisUsr); err != nil {
		if err := run("useradd", "-r", "-M", "-g", in.reg.IRISGroup, "-s", "/bin/false", in.irisUsr); err != nil {
			return err
		}
	}
	return in.ids()
}

func (in *install) ids() error {
	u, err := user.Lookup(in.reg.Owner)
	if err != nil {
		return err
	}
	g, err := user.LookupGroup(in.reg.IRISGroup)
	if err != nil {
		return err
	}
	in.uid, _ = strconv.Atoi(u.Uid)
	in.gid, _ = strconv.Atoi(g.Gid)
	return nil
}

func run(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s failed: %s", name, strings.TrimSpace(string(out)))
	}
	return nil
}

// ports are the ones asked for, or the first free ones of the era.
func (in *install) ports() (super, web string) {
	taken := map[string]bool{}
	all, _ := registry.Load(registry.Dir())
	for _, i := range all {
		if f, err := cpf.Load(i.CPFPath()); err == nil {
			taken[f.Get("Startup", "DefaultPort")], taken[f.Get("Startup", "WebServerPort")] = true, true
		}
	}
	next := func(first, then int) string {
		for p := first; ; p = max(p+1, then) {
			if !taken[strconv.Itoa(p)] {
				return strconv.Itoa(p)
			}
		}
	}
	if super = in.v("SUPERSERVER_PORT"); super == "" {
		super = next(in.rel.SuperServerPort(), 51773)
	}
	if in.rel.PrivateWeb() {
		if web = in.v("WEBSERVER_PORT"); web == "" {
			web = next(52773, 52773)
		}
	}
	return super, web
}

// webServer looks for Apache when the installer is to configure one.
func (in *install) webServer() error {
	want := strings.ToUpper(in.v("WEB_CONFIGURE"))
	if want == "" && in.rel.WebConfigureDefault() {
		want = "Y"
	}
	if want != "Y" || strings.EqualFold(in.v("WEB_SERVERTYPE"), "None") {
		return nil
	}
	for _, conf := range []string{in.v("WEB_APACHE_CONF"), "/etc/apache2/apache2.conf", "/etc/httpd/conf/httpd.conf"} {
		if _, err := os.Stat(conf); conf != "" && err == nil {
			return nil
		}
	}
	return errors.New("no web server was found; set ISC_PACKAGE_WEB_CONFIGURE=N to install without one")
}
