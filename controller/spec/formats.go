package spec

import (
	"encoding/hex"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Patterns of values; the JSON Schema uses them too.
const (
	namePattern      = `^[A-Za-z0-9_]+$`
	namespacePattern = `^[%A-Za-z][A-Za-z0-9_-]{0,254}$`
	hostPattern      = `^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*\.?$`
	devicePattern    = `^(/dev/)?[A-Za-z0-9][A-Za-z0-9._:+/-]*$`
	accountPattern   = `^[A-Za-z_][A-Za-z0-9_.@-]*$`
	ratePattern      = `^[0-9]+(\.[0-9]+)?([kmgKMG]?(bit|bps))$`
)

var (
	nameRE      = regexp.MustCompile(namePattern)
	namespaceRE = regexp.MustCompile(namespacePattern)
	hostRE      = regexp.MustCompile(hostPattern)
	deviceRE    = regexp.MustCompile(devicePattern)
	accountRE   = regexp.MustCompile(accountPattern)
	rateRE      = regexp.MustCompile(ratePattern)
)

// Pattern is the regular expression that values match, "" when there is none.
// An empty value, which means "not given", matches it too.
func (f *Field) Pattern() string {
	p := map[Type]string{
		Name: namePattern, Namespace: namespacePattern, Device: devicePattern, Rate: ratePattern, Account: accountPattern,
		MountPoint: `^/[^ \t"'\\]*$`, Directory: `^/[^ \t"'\\]*$`, SHA256: `^[0-9A-Fa-f]{64}$`, URL: `^https?://`,
		KitAddress: `^(https?://[^/@]+/|file:///|local:|bundle:).+\.tar\.gz`, IntList: `^ *[0-9]+( *, *[0-9]+)* *$`,
	}[f.Type]
	if p == "" {
		return ""
	}
	return "^$|" + p
}

var expected = map[Type]string{
	Name:       "letters, digits and underscores only",
	MountPoint: "a path that begins with /, holds no .. or blanks, and is none of the system's own directories",
	Directory:  "a path that begins with / and holds no .. or blanks",
	Account:    "the name of an account: a letter, then letters, digits, - _ . or @",
	Device:     `the name of a device below /dev, such as sdc, or the word "null"`,
	Host:       "a host name or an IP address",
	IP:         "an IP address",
	SHA256:     "64 hexadecimal digits",
	Namespace:  "a letter or %, then letters, digits, - and _",
	Rate:       "a number and a unit, such as 100mbit",
	URL:        "an address that begins with http:// or https://",
}

func wellFormed(t Type, value string) bool {
	switch t {
	case Name:
		return nameRE.MatchString(value)
	case MountPoint:
		return plainPath(value) && !slices.Contains(systemDirs, path.Clean(value))
	case Directory:
		return plainPath(value)
	case Account:
		return accountRE.MatchString(value)
	case Device:
		return deviceRE.MatchString(value) && !slices.Contains(strings.Split(value, "/"), "..")
	case Host:
		return isIP(value) || hostRE.MatchString(value) && len(value) <= 253
	case IP:
		return isIP(value)
	case SHA256:
		sum, err := hex.DecodeString(value)
		return err == nil && len(sum) == 32
	case Namespace:
		return namespaceRE.MatchString(value)
	case Rate:
		return rateRE.MatchString(value)
	case URL:
		u, err := url.Parse(value)
		return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
	default:
		return true
	}
}

func plainPath(value string) bool {
	return path.IsAbs(value) && !strings.ContainsAny(value, " \"'\\") && !slices.Contains(strings.Split(value, "/"), "..")
}

// systemDirs are never mounted over, installed into, or deleted.
var systemDirs = []string{
	"/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib64", "/media", "/mnt", "/opt", "/proc", "/root", "/run", "/sbin",
	"/srv", "/sys", "/tmp", "/usr", "/usr/bin", "/usr/lib", "/usr/lib64", "/usr/local", "/usr/sbin", "/usr/share", "/var", "/var/lib", "/var/log",
}

func isIP(value string) bool {
	_, err := netip.ParseAddr(value)
	return err == nil
}
