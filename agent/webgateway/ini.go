package webgateway

import (
	"encoding/base64"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"icm/internal/cpf"
	"icm/internal/kind"
	"icm/internal/secret"
	"icm/internal/wire"
)

// INIPath finds CSP.ini in a gateway's directory: beside the binaries, or, in
// newer ones, in a directory of its own.
func INIPath(dir string) string {
	for _, sub := range []string{"bin", "conf"} {
		if at := filepath.Join(dir, sub, "CSP.ini"); isFile(at) {
			return at
		}
	}
	return filepath.Join(dir, "bin", "CSP.ini")
}

// Values of the gateway's settings.
const (
	defaultUser  = "CSPSystem"
	irisProduct  = "2"
	securityNone = "0"  // user and password, without TLS
	securityTLS  = "4"  // user and password, over TLS
	protocolTLS  = "16" // a bit for each version: TLS 1.2
)

// setting is one line of CSP.ini.
type setting struct{ section, key, value string }

var (
	serverName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	pathName   = regexp.MustCompile(`^(/|(/[A-Za-z0-9_.%~-]+)+)$`)
	address    = regexp.MustCompile(`^[A-Za-z0-9_.:-]{1,255}$`)
)

// reserved are the sections that are no servers.
var reserved = []string{"SYSTEM", "SYSTEM_INDEX", "APP_PATH_INDEX"}

// Check refuses what CSP.ini could not hold or would read as something else.
func Check(c kind.GatewayConfig) error {
	if len(c.Servers) == 0 {
		return errors.New("cannot configure the Web Gateway: it has no server")
	}
	var names []string
	for _, s := range c.Servers {
		if !serverName.MatchString(s.Name) || slices.Contains(reserved, strings.ToUpper(s.Name)) {
			return fmt.Errorf("cannot use %q as the name of a Web Gateway's server: letters, digits, - and _ are allowed", s.Name)
		}
		if !address.MatchString(s.Address) || s.Port < 1 || s.Port > 65535 {
			return fmt.Errorf("cannot tell the Web Gateway server %s: %q and port %d are no address", s.Name, s.Address, s.Port)
		}
		names = append(names, s.Name)
	}
	for _, p := range c.Paths {
		if !pathName.MatchString(cleanPath(p.Path)) {
			return fmt.Errorf("cannot use %q as an application path: it begins with / and has letters, digits and . _ - %% ~", p.Path)
		}
		if p.Mode != "" && p.Mode != kind.LoadBalancing && p.Mode != kind.FailOver {
			return fmt.Errorf("cannot choose among the servers of %s by %q: %s or %s", p.Path, p.Mode, kind.LoadBalancing, kind.FailOver)
		}
		if len(p.Servers) == 0 {
			return fmt.Errorf("cannot configure the application path %s: it has no server", p.Path)
		}
		for _, s := range p.Servers {
			if !slices.Contains(names, s) {
				return fmt.Errorf("cannot configure the application path %s: %s is no server of this Web Gateway", p.Path, s)
			}
		}
	}
	return nil
}

// cleanPath writes a path as CSP.ini has it: /acme/ is /acme.
func cleanPath(p string) string { return path.Clean(strings.ToLower(p)) }

// paths are those of a configuration, by the names that CSP.ini gives them. "/"
// is always there.
func paths(c kind.GatewayConfig) []kind.GatewayPath {
	var out []kind.GatewayPath
	root := false
	for _, p := range c.Paths {
		p.Path = cleanPath(p.Path)
		root = root || p.Path == "/"
		out = append(out, p)
	}
	if !root {
		servers := []string{c.Servers[0].Name}
		if len(out) > 0 {
			servers = out[0].Servers[:1]
		}
		out = append(out, kind.GatewayPath{Path: "/", Servers: servers})
	}
	return out
}

// settings are all that a configuration asks for, but the password.
func settings(c kind.GatewayConfig) []setting {
	var out []setting
	for _, s := range c.Servers {
		out = append(out, setting{"SYSTEM_INDEX", s.Name, "Enabled"})
		out = append(out, serverSettings(c, s)...)
	}
	for _, p := range paths(c) {
		out = append(out, setting{"APP_PATH_INDEX", p.Path, "Enabled"})
		out = append(out, pathSettings(p)...)
	}
	return out
}

func serverSettings(c kind.GatewayConfig, s kind.GatewayServer) []setting {
	user := c.User
	if user == "" {
		user = defaultUser
	}
	aware := "0"
	if s.MirrorAware {
		aware = "1"
	}
	out := []setting{
		{s.Name, "Ip_Address", s.Address}, {s.Name, "TCP_Port", strconv.Itoa(s.Port)},
		{s.Name, "Username", user}, {s.Name, "Mirror_Aware", aware}, {s.Name, "Product", irisProduct},
		{s.Name, "Minimum_Server_Connections", "3"}, {s.Name, "Maximum_Session_Connections", "6"},
	}
	if c.TLSDir == "" {
		return append(out, setting{s.Name, "Connection_Security_Level", securityNone})
	}
	file := func(name string) string { return filepath.Join(c.TLSDir, name) }
	return append(out, setting{s.Name, "Connection_Security_Level", securityTLS},
		setting{s.Name, "SSLCC_Protocol", protocolTLS}, setting{s.Name, "SSLCC_Verify_Peer", "1"},
		setting{s.Name, "SSLCC_CA_Certificate", file("CAFile.pem")}, setting{s.Name, "SSLCC_Certificate", file("CertificateFile.pem")},
		setting{s.Name, "SSLCC_Private_Key", file("PrivateKeyFile.pem")})
}

// pathSettings are those of one path. The list of alternatives begins with the
// default server, as the gateway itself writes it.
func pathSettings(p kind.GatewayPath) []setting {
	section := pathSection(p.Path)
	mode := p.Mode
	switch {
	case len(p.Servers) == 1:
		mode = "Disabled"
	case mode == "":
		mode = kind.LoadBalancing
	}
	out := []setting{{section, "Default_Server", p.Servers[0]}, {section, "Alternative_Servers", mode}}
	for i, s := range p.Servers {
		out = append(out, setting{section, alternative + strconv.Itoa(i), "1~~~~~~" + s})
	}
	return out
}

const alternative = "Alternative_Server_"

func pathSection(p string) string { return "APP_PATH:" + p }

// Missing lists what CSP.ini lacks of a configuration, and what of ours it has
// that is not wanted any more.
func Missing(f *cpf.File, c kind.GatewayConfig, r Record) []wire.Diff {
	var out []wire.Diff
	for _, s := range settings(c) {
		if have, _ := f.Get(s.section, s.key); !strings.EqualFold(have, s.value) {
			out = append(out, wire.Diff{What: "CSP.ini [" + s.section + "] " + s.key, Before: orMissing(have), After: s.value})
		}
	}
	if c.PasswordSecret != "" && (c.Mark != "" && r.Mark != c.Mark || lacksPassword(f, c)) {
		out = append(out, wire.Diff{What: "CSP.ini: password of the servers", Before: "another or none", After: "the deployment's"})
	}
	for _, p := range paths(c) {
		for _, key := range staleAlternatives(f, p) {
			out = append(out, wire.Diff{What: "CSP.ini [" + pathSection(p.Path) + "] " + key, Before: "there", After: "removed"})
		}
	}
	for _, s := range stale(r.Servers, serverNames(c)) {
		out = append(out, wire.Diff{What: "CSP.ini [" + s + "]", Before: "a server", After: "removed"})
	}
	for _, p := range stale(r.Paths, pathNames(c)) {
		out = append(out, wire.Diff{What: "CSP.ini [" + pathSection(p) + "]", Before: "an application path", After: "removed"})
	}
	return out
}

func orMissing(v string) string {
	if v == "" {
		return "not there"
	}
	return v
}

func lacksPassword(f *cpf.File, c kind.GatewayConfig) bool {
	return slices.ContainsFunc(c.Servers, func(s kind.GatewayServer) bool {
		v, _ := f.Get(s.Name, "Password")
		return v == ""
	})
}

// staleAlternatives are numbered settings beyond the servers of a path.
func staleAlternatives(f *cpf.File, p kind.GatewayPath) []string {
	var out []string
	for _, key := range f.Keys(pathSection(p.Path)) {
		if len(key) < len(alternative) || !strings.EqualFold(key[:len(alternative)], alternative) {
			continue
		}
		if n, err := strconv.Atoi(key[len(alternative):]); err != nil || n >= len(p.Servers) {
			out = append(out, key)
		}
	}
	return out
}

func serverNames(c kind.GatewayConfig) []string {
	var out []string
	for _, s := range c.Servers {
		out = append(out, s.Name)
	}
	return out
}

func pathNames(c kind.GatewayConfig) []string {
	var out []string
	for _, p := range paths(c) {
		out = append(out, p.Path)
	}
	return out
}

func stale(had, want []string) []string {
	return slices.DeleteFunc(slices.Clone(had), func(s string) bool { return slices.Contains(want, s) })
}

// Apply writes a configuration into CSP.ini and takes out what icm had written
// there before. An empty password leaves those that are there.
func Apply(f *cpf.File, c kind.GatewayConfig, r Record, password secret.Secret) (Record, error) {
	want := settings(c)
	if !password.Empty() {
		for _, s := range c.Servers {
			want = append(want, setting{s.Name, "Password", encode(password)})
		}
	}
	for _, p := range stale(r.Paths, pathNames(c)) {
		f.DeleteSection(pathSection(p))
		f.Delete("APP_PATH_INDEX", p)
	}
	for _, s := range stale(r.Servers, serverNames(c)) {
		f.DeleteSection(s)
		f.Delete("SYSTEM_INDEX", s)
	}
	for _, p := range paths(c) {
		for _, key := range staleAlternatives(f, p) {
			f.Delete(pathSection(p.Path), key)
		}
	}
	for _, s := range want {
		if err := f.Set(s.section, s.key, s.value); err != nil {
			return r, err
		}
	}
	r.Servers, r.Paths = serverNames(c), pathNames(c)
	if !password.Empty() {
		r.Mark = c.Mark
	}
	return r, nil
}

// TakeOut removes what icm wrote into CSP.ini.
func TakeOut(f *cpf.File, r Record) {
	for _, p := range r.Paths {
		f.DeleteSection(pathSection(p))
		f.Delete("APP_PATH_INDEX", p)
	}
	for _, s := range r.Servers {
		f.DeleteSection(s)
		f.Delete("SYSTEM_INDEX", s)
	}
}

// encode is the gateway's own form of a password. It hides it from a glance and
// from a search, no more: the file is the web server's alone.
func encode(password secret.Secret) string {
	return "]]]" + base64.StdEncoding.EncodeToString([]byte(password.Reveal()))
}

// AskReload makes a running gateway read the file again; it takes the request
// out.
func AskReload(f *cpf.File) error { return f.Set("SYSTEM", "RELOAD", "1") }

// Locations is our section of Apache's configuration: the application paths.
// The installer's own has /csp, and what is below.
func Locations(c kind.GatewayConfig) string {
	var b strings.Builder
	for _, p := range paths(c) {
		if p.Path == "/" || p.Path == "/csp" || strings.HasPrefix(p.Path, "/csp/") {
			continue
		}
		fmt.Fprintf(&b, "<Location \"%s\">\n    CSP On\n    SetHandler csp-handler-sa\n</Location>\n", p.Path)
	}
	return b.String()
}
