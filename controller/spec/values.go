package spec

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"icm/internal/kitname"
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

// check returns the value in its proper spelling. want says what is expected
// when the value is wrong, and hint is "" or more than that. The value itself
// is shown by the caller, unless the field is secret.
func (f *Field) check(value string) (proper, want, hint string) {
	if strings.ContainsFunc(value, unicode.IsControl) {
		return value, "no line breaks or other control characters", ""
	}
	switch f.Type {
	case Enum:
		return f.checkEnum(value)
	case Switch:
		return checkWord(value, []string{"auto", "true", "false"})
	case Bool:
		_, want, hint = checkWord(value, []string{"true", "false"})
		return value, want, hint // True stays True
	case EnumList, IntList:
		return value, f.checkElements(value), ""
	case KitAddress:
		if _, err := kitname.ParseURL(value); err != nil {
			return value, "the address of a kit", err.Error()
		}
		return value, "", ""
	case Path, Text, TextList:
		return value, "", ""
	case Int, Port, Size:
		return value, f.checkNumber(value), ""
	default:
		if !wellFormed(f.Type, value) {
			return value, expected[f.Type], ""
		}
		return value, "", ""
	}
}

func (f *Field) checkEnum(value string) (proper, want, hint string) {
	if f.Name == "Role" {
		switch strings.ToUpper(value) {
		case "LB":
			hint = `remove the entry: a load balancer is made for an entry of AM, WS, VM or CN with "LoadBalancer": "true"`
		case "DATA", "COMPUTE", "SAM", "BH":
			hint = "this role of later ICM versions is not supported; use DM, AM, DS and QS"
		}
	}
	proper, want, similar := checkWord(value, f.Values)
	if hint == "" {
		hint = similar
	}
	return proper, want, hint
}

func checkWord(value string, words []string) (proper, want, hint string) {
	for _, w := range words {
		if strings.EqualFold(w, value) {
			return w, "", ""
		}
	}
	return value, "one of " + strings.Join(words, ", "), ""
}

// Limits are the smallest and the largest number that the field takes.
func (f *Field) Limits() (low, high int) {
	switch {
	case f.Type == Port:
		return 1, 65535
	case f.Type == Size:
		return 1, 1 << 20
	case f.Min == 0 && f.Max == 0:
		return 0, 1 << 40
	default:
		return f.Min, f.Max
	}
}

func (f *Field) checkNumber(value string) string {
	low, high := f.Limits()
	if n, err := strconv.Atoi(value); err == nil && n >= low && n <= high {
		return ""
	}
	if f.Max == 0 && f.Type == Int {
		return "a whole number"
	}
	return fmt.Sprintf("a whole number from %d to %d", low, high)
}

func (f *Field) checkElements(value string) string {
	for _, e := range splitList(value) {
		if f.Type == IntList {
			if n, err := strconv.Atoi(e); err != nil || n < 0 {
				return "whole numbers with commas between them, such as " + f.Example
			}
		} else if !slices.Contains(f.Values, strings.ToLower(e)) {
			return fmt.Sprintf("words with commas between them, each one of %s", strings.Join(f.Values, ", "))
		}
	}
	return ""
}

// Pattern is the regular expression that values match, "" when there is none.
// An empty value, which means "not given", matches it too.
func (f *Field) Pattern() string {
	p := map[Type]string{
		Name: namePattern, Namespace: namespacePattern, Device: devicePattern, Rate: ratePattern, Account: accountPattern,
		MountPoint: `^/[^ \t"'\\]*$`, Directory: `^/[^ \t"'\\]*$`, SHA256: `^[0-9A-Fa-f]{64}$`, URL: `^https?://`,
		KitAddress: `^(https?://[^/@]+/|file:///).+\.tar\.gz`, IntList: `^ *[0-9]+( *, *[0-9]+)* *$`,
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
