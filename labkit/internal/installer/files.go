package installer

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"icm/labkit/internal/control"
	"icm/labkit/internal/cpf"
	"icm/labkit/internal/ctl"
	"icm/labkit/internal/instance"
	"icm/labkit/internal/registry"
	"icm/labkit/internal/release"
	"icm/labkit/internal/store"
)

// files copies programs; with an upgrade they replace the old ones.
func (in *install) files() error {
	fmt.Fprintln(in.out, "Starting up InterSystems IRIS for loading...")
	for _, sub := range []string{"", "bin", "dist", "csp", "dev/Cloud/ICM", "mgr", "mgr/user", "mgr/journal", "mgr/irislib", "mgr/iristemp",
		"mgr/irislocaldata", "mgr/irisaudit", "mgr/Temp", "lib", "devuser", "patrol"} {
		if err := os.MkdirAll(filepath.Join(in.reg.Dir, sub), 0o775); err != nil {
			return err
		}
	}
	for _, pair := range [][2]string{{"dist/bin/standin", "bin/irisdb"}, {"dist/prechecker", "bin/prechecker"}, {"dist/release", "dist/release"},
		{"dist/standin.conf", "dist/standin.conf"}, {"cplatname", "dist/cplatname"}, {"LICENSE", "LICENSE"}, {"NOTICE", "NOTICE"},
		{"dist/waitISC.sh", "dev/Cloud/ICM/waitISC.sh"}} {
		if in.rel.Variant == "broken-install" && pair[1] == "dist/release" {
			return errors.New("cannot load system classes (stand-in variant broken-install)")
		}
		if err := copyFile(filepath.Join(in.kit, pair[0]), filepath.Join(in.reg.Dir, pair[1])); err != nil {
			return err
		}
	}
	for _, word := range []string{"start", "stop", "force"} {
		script := fmt.Sprintf("#!/bin/sh\nexec %s/iris %s %s \"$@\"\n", registry.Dir(), word, in.reg.Name)
		if err := os.WriteFile(filepath.Join(in.reg.Dir, "iris"+word), []byte(script), 0o755); err != nil {
			return err
		}
	}
	return relink("irisdb", filepath.Join(in.reg.Dir, "bin", "standin"))
}

func relink(target, path string) error {
	os.Remove(path)
	return os.Symlink(target, path)
}

// copyFile replaces dst by a copy of src through a rename, so that a program
// that runs keeps its file.
func copyFile(src, dst string) error {
	from, err := os.Open(src)
	if err != nil {
		return err
	}
	defer from.Close()
	st, err := from.Stat()
	if err != nil {
		return err
	}
	to, err := os.OpenFile(dst+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, st.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	if closeErr := to.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return os.Rename(dst+".new", dst)
}

// configure writes iris.cpf, or converts the one that is there.
func (in *install) configure() error {
	path := in.reg.CPFPath()
	conf := cpf.Parse([]byte(in.template()))
	if old, err := cpf.Load(path); err == nil {
		backup := path + "_" + time.Now().Format("20060102")
		if err := copyFile(path, backup); err != nil {
			return err
		}
		if err := in.chown(backup); err != nil {
			return err
		}
		for _, section := range conf.Sections() { // only what the old file lacks
			for _, p := range conf.Section(section) {
				if _, has := old.Lookup(section, p.Key); !has {
					old.Set(section, p.Key, p.Value)
				}
			}
		}
		old.Set("ConfigFile", "Version", in.rel.Short())
		old.Set("Conversions", "LastConvertTime", time.Now().Format("2006-01-02 15:04:05"))
		conf = old
	}
	if err := conf.Save(path); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(in.reg.Dir, "_LastGood_.cpf"), conf.Bytes(), 0o644)
}

func (in *install) template() string {
	mgr := in.reg.Mgr()
	memory := "bbsiz=262144\nglobals=0,0,0,0,0,0\ngmheap=37568\nlocksiz=16777216\n"
	if in.rel.Format() > 1 {
		memory = "bbsiz=-1\nglobals=0,0,0,0,0,0\ngmheap=0\nlocksiz=0\n"
	}
	web := ""
	if in.rel.PrivateWeb() {
		web = "WebServerPort=" + in.web + "\n"
	}
	return "[ConfigFile]\nProduct=IRIS\nVersion=" + in.rel.Short() + "\n" +
		"[Databases]\nIRISSYS=" + mgr + "/\nIRISLIB=" + mgr + "/irislib/\nIRISTEMP=" + mgr + "/iristemp/\nIRISLOCALDATA=" + mgr +
		"/irislocaldata/\nIRISAUDIT=" + mgr + "/irisaudit/\nUSER=" + mgr + "/user/\n" +
		"[Namespaces]\n%SYS=IRISSYS\nUSER=USER\n[MapMirrors]\n" +
		"[MirrorMember]\nAgentAddress=\nAsyncMemberGUID=\nAsyncMemberType=0\nJoinMirror=0\nSystemName=\nValidatedMember=1\nVirtualAddressInterface=\n" +
		"[Journal]\nAlternateDirectory=" + mgr + "/journal/\nBackupsBeforePurge=2\nCurrentDirectory=" + mgr + "/journal/\nDaysBeforePurge=2\nFileSizeLimit=1024\nFreezeOnError=0\n" +
		"[Startup]\nDefaultPort=" + in.super + "\n" + web + "LicenseID=\nPasswordHash=\nShutdownTimeout=300\nSystemMode=\n" +
		"[config]\nMaxServerConn=1\nMaxServers=2\n" + memory + "jrnbufs=64\nmemlock=0\nroutines=0\nwijdir=\n" +
		"[ECPServers]\n[LicenseServers]\nLOCAL=127.0.0.1,4002\n[Conversions]\nLastConvertTime=" + time.Now().Format("2006-01-02 15:04:05") + "\n"
}

// data makes the databases and the accounts of a new instance. Data that is
// there stays: it is converted when the instance starts.
func (in *install) data() error {
	mgr := in.reg.Mgr()
	for _, l := range []string{"Start of IRIS initialization", "Loading system routines", "Updating Security database", "Updating User database", "IRIS initialization complete"} {
		fmt.Fprintln(in.out, l)
	}
	for _, sub := range []string{"", "irislib", "iristemp", "irislocaldata", "irisaudit", "user"} {
		if err := store.Create(filepath.Join(mgr, sub), in.rel.Format()); err != nil {
			return err
		}
	}
	if _, err := os.Stat(filepath.Join(mgr, "irissecurity.json")); err != nil {
		csp := in.v("CSPSYSTEM_PASSWORD")
		if csp == "" {
			csp = in.v("USER_PASSWORD")
		}
		if err := instance.NewSecurity(mgr, in.level, in.reg.Owner, in.v("USER_PASSWORD"), csp); err != nil {
			return err
		}
	}
	for _, name := range []string{"messages.log", "alerts.log", "iboot.log", "ensinstall.log", "SystemMonitor.log", "iris.lck", "ilock"} {
		f, err := os.OpenFile(filepath.Join(mgr, name), os.O_CREATE|os.O_WRONLY, 0o664)
		if err != nil {
			return err
		}
		f.Close()
	}
	if control.LoadState(mgr).Status == "" {
		if err := (control.State{Status: "down", Since: time.Now()}).Save(mgr); err != nil {
			return err
		}
	}
	if faults := in.env("STANDIN_FAULTS"); faults != "" {
		if err := os.WriteFile(filepath.Join(mgr, "standin.conf"), []byte(strings.ReplaceAll(faults, ";", "\n")+"\n"), 0o664); err != nil {
			return err
		}
	}
	if err := in.parameters(); err != nil {
		return err
	}
	return in.own()
}

func (in *install) chown(path string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	return os.Lchown(path, in.uid, in.gid)
}

// own gives everything to owner and IRIS group, and lets members of the
// manager group start the instance with the owner's rights.
func (in *install) own() error {
	err := filepath.WalkDir(in.reg.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if filepath.Base(path) == "parameters.isc" {
			return nil
		}
		if d.IsDir() {
			if err := os.Chmod(path, 0o775); err != nil {
				return err
			}
		}
		return in.chown(path)
	})
	if err != nil {
		return err
	}
	return os.Chmod(filepath.Join(in.reg.Dir, "bin", "irisdb"), 0o755|os.ModeSetuid|os.ModeSetgid)
}

func (in *install) parameters() error {
	fresh := "1"
	if in.upgrade {
		fresh = "0"
	}
	lines := []string{"server_location.instance_name: " + in.reg.Name, "server_location.target_dir: " + in.reg.Dir,
		"server_location.registry_dir: " + registry.Dir(), "server_location.is_new_install: " + fresh, "product_info.version: " + in.rel.Version,
		"platform_selection.platform: " + in.rel.Platform, "security_settings.iris_user: " + in.irisUsr, "security_settings.iris_group: " + in.reg.IRISGroup,
		"security_settings.manager_user: " + in.reg.Owner, "security_settings.manager_group: " + in.reg.MgrGroup,
		"security_settings.initial_level: " + in.level, "port_selection.superserver_port: " + in.super, "agent.user_account: iscagent"}
	path := filepath.Join(in.reg.Dir, "parameters.isc")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		return err
	}
	return os.Chmod(path, 0o600)
}

// machine installs what all instances of a machine share. An older kit never
// replaces what a newer one left.
func (in *install) machine() error {
	if err := registry.Put(registry.Dir(), in.reg); err != nil {
		return err
	}
	if err := os.Chmod(filepath.Join(registry.Dir(), "iris.reg"), 0o644); err != nil {
		return err
	}
	mark := filepath.Join(registry.Dir(), "version")
	if old, err := os.ReadFile(mark); err != nil || release.Compare(in.rel.Version, strings.TrimSpace(string(old))) >= 0 {
		if err := copyFile(filepath.Join(in.kit, "dist/bin/standin"), filepath.Join(registry.Dir(), "iris")); err != nil {
			return err
		}
		if err := os.WriteFile(mark, []byte(in.rel.Version+"\n"), 0o644); err != nil {
			return err
		}
	}
	if os.Geteuid() != 0 {
		return nil
	}
	if err := relink(filepath.Join(registry.Dir(), "iris"), "/usr/bin/iris"); err != nil {
		return err
	}
	return Agent(in.kit, in.rel)
}

// Agent installs ISCAgent from the kit in dir, without enabling it.
func Agent(dir string, rel release.Release) error {
	mark := filepath.Join(registry.Dir(), "ISCAgent.version")
	if old, err := os.ReadFile(mark); err == nil && release.Compare(rel.Version, strings.TrimSpace(string(old))) < 0 {
		return nil
	}
	if exec.Command("getent", "passwd", "iscagent").Run() != nil {
		if err := run("useradd", "-r", "-M", "-U", "-s", "/bin/false", "iscagent"); err != nil {
			return err
		}
	}
	program := filepath.Join(registry.Dir(), "ISCAgent")
	if err := copyFile(filepath.Join(dir, "dist/bin/standin"), program); err != nil {
		return err
	}
	unit := "[Unit]\nDescription=ISCAgent (stand-in)\nAfter=network.target\n\n[Service]\nType=simple\nExecStart=" + program + "\n\n[Install]\nWantedBy=multi-user.target\n"
	for path, text := range map[string]string{
		mark:                                   rel.Version + "\n",
		"/etc/systemd/system/ISCAgent.service": unit,
		"/etc/init.d/ISCAgent":                 "#!/bin/sh\nexec systemctl \"$1\" ISCAgent.service\n",
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	if err := os.Chmod("/etc/init.d/ISCAgent", 0o755); err != nil {
		return err
	}
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		return nil
	}
	if err := run("systemctl", "daemon-reload"); err != nil {
		return err
	}
	return run("systemctl", "try-restart", "ISCAgent.service")
}

// finish starts the instance unless it was told not to.
func (in *install) finish() error {
	fmt.Fprintln(in.out, "\nSee the iboot.log file for a record of the installation.")
	if strings.EqualFold(in.v("STARTIRIS"), "N") {
		return nil
	}
	fmt.Fprintln(in.out, "\nStarting up InterSystems IRIS...\nOnce this completes, users may access InterSystems IRIS")
	if ctl.Run(ctl.Env{In: os.Stdin, Out: in.out, Err: in.out}, []string{"start", in.reg.Name}) != 0 {
		return errors.New("the instance does not start")
	}
	if in.web != "" {
		host, _ := os.Hostname()
		fmt.Fprintf(in.out, "\nYou can point your browser to http://%s:%s/csp/sys/UtilHome.csp\nto access the management portal.\n", host, in.web)
	}
	return nil
}
