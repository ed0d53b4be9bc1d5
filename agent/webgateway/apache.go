package webgateway

import (
	"os"
	"path/filepath"
)

// Apache is the web server of a node.
type Apache struct {
	Conf string // its main configuration file
	Unit string // its service
	User string // the account of its processes
}

// flavours are how distributions lay Apache out.
var flavours = []struct {
	Apache
	program string
}{
	{Apache{"/etc/apache2/apache2.conf", "apache2.service", "www-data"}, "/usr/sbin/apache2"}, // Debian, Ubuntu
	{Apache{"/etc/httpd/conf/httpd.conf", "httpd.service", "apache"}, "/usr/sbin/httpd"},      // Red Hat
	{Apache{"/etc/apache2/httpd.conf", "apache2.service", "wwwrun"}, "/usr/sbin/httpd"},       // SUSE
}

// FindApache finds the Apache of the node whose files are below root. A
// configuration without its program is one that a package left behind.
func FindApache(root string) (Apache, bool) {
	for _, f := range flavours {
		if isFile(filepath.Join(root, f.Conf)) && isFile(filepath.Join(root, f.program)) {
			return f.Apache, true
		}
	}
	return Apache{}, false
}

// NoApache is the advice for a node without one.
const NoApache = "install Apache on the node: the package is apache2 on Debian, Ubuntu and SUSE, httpd on Red Hat and Oracle Linux"

func isFile(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.Mode().IsRegular()
}
