package gateway

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"icm/labkit/internal/release"
)

// Marks around what the installer writes into Apache's configuration.
const (
	beginMark = "#### BEGIN-ApacheCSP-SECTION ####"
	endMark   = "#### END-ApacheCSP-SECTION ####"
)

// Install is GatewayInstall: kit is the unpacked kit, args the words of its
// command line. It returns the exit status.
func Install(kit string, args []string, env func(string) string, out io.Writer) int {
	rel, err := release.Load(kit)
	if err == nil {
		err = install(kit, rel, args, env, out)
	}
	if err != nil {
		fmt.Fprintf(out, "\nError: %v\n** Installation aborted **\n", err)
		return 1
	}
	fmt.Fprintln(out, "\nWeb Gateway configuration completed!")
	return 0
}

func install(kit string, rel release.Release, args []string, env func(string) string, out io.Writer) error {
	v := func(name, missing string) string {
		if s := env("ISC_PACKAGE_" + name); s != "" {
			return s
		}
		return missing
	}
	quiet := len(args) > 0 && args[0] == "quiet"
	if !quiet && !strings.EqualFold(v("MODE", ""), "unattended") {
		return errors.New("the stand-in has no attended installation: set ISC_PACKAGE_MODE=unattended")
	}
	if os.Geteuid() != 0 {
		return errors.New("the installer must be run by root")
	}
	fmt.Fprintf(out, "Starting Web Gateway installation procedure (stand-in).\nYour system type is '%s'.\nWeb Gateway version to install: %s\n", rel.Platform, rel.Version)
	dir := filepath.Clean(v("WEB_GATEWAY_DIR", "/opt/webgateway"))
	apache := ""
	if strings.EqualFold(v("WEB_CONFIGURE", "Y"), "Y") && strings.EqualFold(v("WEB_SERVERTYPE", "Apache"), "Apache") {
		if apache = apacheConf(v("WEB_APACHE_CONF", "")); apache == "" {
			return errors.New("no Apache configuration file was found; set ISC_PACKAGE_WEB_APACHE_CONF")
		}
	}
	owner, err := webUser(v("WEB_APACHE_USER", ""))
	if err != nil {
		return err
	}
	if err := copyFiles(kit, rel.Platform, filepath.Join(dir, "bin")); err != nil {
		return err
	}
	if err := firstINI(filepath.Join(dir, "bin", "CSP.ini"), v, owner); err != nil {
		return err
	}
	if apache == "" {
		return nil
	}
	fmt.Fprintf(out, "Updating Apache configuration file ...\n- %s\n", apache)
	return edit(apache, section(filepath.Join(dir, "bin")))
}

// apacheConf finds the file to edit: the one named, or a distribution's.
func apacheConf(named string) string {
	for _, conf := range []string{named, "/etc/apache2/apache2.conf", "/etc/httpd/conf/httpd.conf", "/etc/apache2/httpd.conf"} {
		if st, err := os.Stat(conf); conf != "" && err == nil && st.Mode().IsRegular() {
			return conf
		}
		if named != "" {
			return ""
		}
	}
	return ""
}

func webUser(named string) (*user.User, error) {
	for _, name := range []string{named, "www-data", "apache", "wwwrun"} {
		if name == "" {
			continue
		}
		if u, err := user.Lookup(name); err == nil {
			return u, nil
		}
		if name == named {
			return nil, fmt.Errorf("ISC_PACKAGE_WEB_APACHE_USER: user %s does not exist", named)
		}
	}
	return nil, errors.New("no user of a web server was found; set ISC_PACKAGE_WEB_APACHE_USER")
}

func copyFiles(kit, platform, bin string) error {
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return err
	}
	for from, to := range map[string]string{platform + "/bin/CSPa24.so": "CSPa24.so", platform + "/bin/CSPa24Sys.so": "CSPa24Sys.so",
		"dist/bin/standin": "standin", "dist/release": "release"} {
		data, err := os.ReadFile(filepath.Join(kit, from))
		if err != nil {
			return err
		}
		target := filepath.Join(bin, to)
		if err := os.WriteFile(target+".new", data, 0o755); err != nil {
			return err
		}
		if err := os.Rename(target+".new", target); err != nil {
			return err
		}
	}
	return nil
}

// firstINI writes a CSP.ini with the one server named, unless there is one.
func firstINI(path string, v func(name, missing string) string, owner *user.User) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	text := "[SYSTEM]\nSystem_Manager=127.0.0.1\nServer_Response_Timeout=60\nQueued_Request_Timeout=60\nNo_Activity_Timeout=86400\n[SYSTEM_INDEX]\n"
	if host := v("HOSTNAME", ""); host != "" {
		name := strings.ToUpper(v("INSTANCENAME", "LOCAL"))
		text += name + "=Enabled\n[" + name + "]\nIp_Address=" + host + "\nTCP_Port=" + v("SUPERSERVER_PORT", "1972") +
			"\nUsername=CSPSystem\nPassword=" + code(v("CSPSYSTEM_PASSWORD", "")) + "\nMinimum_Server_Connections=3\nMaximum_Session_Connections=6\nConnection_Security_Level=0\nProduct=2\n" +
			"[APP_PATH_INDEX]\n/=Enabled\n/csp=Enabled\n[APP_PATH:/]\nDefault_Server=" + name + "\n[APP_PATH:/csp]\nDefault_Server=" + name + "\nAlternative_Servers=Disabled\n"
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return err
	}
	uid, _ := strconv.Atoi(owner.Uid)
	gid, _ := strconv.Atoi(owner.Gid)
	return os.Chown(path, uid, gid)
}

// section is what Apache needs to know.
func section(bin string) string {
	return beginMark + "\nLoadModule csp_module_sa \"" + bin + "/CSPa24.so\"\nCSPModulePath \"" + bin + "/\"\nCSPConfigPath \"" + bin + "/\"\n" +
		"<Location \"/csp\">\n    CSP On\n    SetHandler csp-handler-sa\n</Location>\nCSPFileTypes csp cls zen cxw\n" +
		"<Directory \"" + bin + "\">\n    AllowOverride None\n    Options None\n    Require all granted\n    <FilesMatch \"\\.(log|ini|pid|exe)$\">\n        Require all denied\n    </FilesMatch>\n</Directory>\n" + endMark + "\n"
}

// edit puts text into a file in place of what stands between its marks, or
// at the end.
func edit(path, text string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	old := string(data)
	if from := strings.Index(old, beginMark); from >= 0 {
		to := strings.Index(old[from:], endMark+"\n")
		if to < 0 {
			return fmt.Errorf("%s has %q and no end to it", path, beginMark)
		}
		old = old[:from] + text + old[from+to+len(endMark)+1:]
	} else {
		old = strings.TrimRight(old, "\n") + "\n\n" + text
	}
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".standin-new", []byte(old), st.Mode().Perm()); err != nil {
		return err
	}
	return os.Rename(path+".standin-new", path)
}
