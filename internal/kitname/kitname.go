// Package kitname reads what the name of an InterSystems kit tells: product,
// version, platform, and from the version which of the kit's interfaces it has.
// It is pure; controller and agent both decide by it.
package kitname

import (
	"fmt"
	"net/url"
	"path"
	"regexp"
	"strings"
)

// Kit is what the name of a kit tells.
type Kit struct {
	URL      string // as given
	Name     string // "IRIS-2018.2.0.792.0-lnxrhx64.tar.gz"
	Product  string // "IRIS", "IRISHealth", "IRIS_Community"
	Version  string // "2018.2.0.792.0"
	Platform string // "lnxrhx64"
}

// The platform is everything after the version: the list of platforms grows
// with each release, so it is not checked.
var name = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9_]*)-([0-9]+(?:\.[0-9]+){3,4})-([A-Za-z0-9_.]+)\.tar\.gz$`)

// The addresses of kits that the controller has and brings to the nodes itself:
// a file beside it, and an entry of a bundle.
const (
	Local  = "local:"
	Bundle = "bundle:"
)

// ParseURL reads the address of a kit: http, https or file with an absolute
// path, which the nodes fetch; local with the path of a file beside icm, or
// bundle with the name of a kit. User and password may not stand in it.
func ParseURL(address string) (Kit, error) {
	if k, ok, err := parseOwn(address); ok {
		return k, err
	}
	u, err := url.Parse(address)
	if err != nil {
		// url.Error repeats the address, which may hold a password.
		return Kit{}, fmt.Errorf("the address of the kit cannot be read")
	}
	if err := checkURL(u); err != nil {
		return Kit{}, err
	}
	k, err := Parse(path.Base(u.Path))
	k.URL = address
	return k, err
}

// parseOwn reads an address of the controller's own. A path is taken as it
// stands, and nothing in it is escaped.
func parseOwn(address string) (k Kit, ok bool, err error) {
	file, local := strings.CutPrefix(address, Local)
	entry, bundled := strings.CutPrefix(address, Bundle)
	switch {
	case local:
		k, err = Parse(path.Base(file))
	case bundled:
		k, err = Parse(entry)
	}
	k.URL = address
	return k, local || bundled, err
}

// File is the path of a kit that is a file beside icm; ok is false for every
// other kit.
func (k Kit) File() (path string, ok bool) { return strings.CutPrefix(k.URL, Local) }

// InBundle reports whether the kit is an entry of a bundle.
func (k Kit) InBundle() bool { return strings.HasPrefix(k.URL, Bundle) }

func checkURL(u *url.URL) error {
	switch u.Scheme {
	case "http", "https":
		if u.Host == "" {
			return fmt.Errorf("the address of the kit names no host")
		}
	case "file":
		if u.Host != "" || !path.IsAbs(u.Path) {
			return fmt.Errorf("a file address needs three slashes and the whole path: file:///%s", strings.TrimPrefix(u.Host+u.Path+u.Opaque, "/"))
		}
	default:
		return fmt.Errorf("the address of the kit must begin with http://, https://, file:///, local: or bundle: as in http://host/kit.tar.gz")
	}
	if u.User != nil {
		return fmt.Errorf("the address of the kit must not hold a user or password")
	}
	return nil
}

// Parse reads the base name of a kit.
func Parse(base string) (Kit, error) {
	m := name.FindStringSubmatch(base)
	if m == nil {
		return Kit{}, fmt.Errorf("%q is not the name of a kit: a gzipped tar file such as IRIS-2023.1.0.235.1-lnxrh8x64.tar.gz is expected", base)
	}
	return Kit{Name: base, Product: m[1], Version: m[2], Platform: m[3]}, nil
}

// Dir is the directory that the kit unpacks to.
func (k Kit) Dir() string { return strings.TrimSuffix(k.Name, ".tar.gz") }
