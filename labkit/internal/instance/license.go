package instance

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"icm/labkit/internal/cpf"
)

// license is what the key file allows.
type license struct {
	id      string
	cores   string
	expires time.Time
	// sharding is allowed.
	sharding bool
}

// LoadLicense reads a key file. The stand-in's own keys beside FileType are
// LicenseID, Cores and ExpirationDate (YYYY-MM-DD).
func LoadLicense(path string) (id string, cores string, expires time.Time, err error) {
	f, err := cpf.Load(path)
	if err != nil {
		return "", "", time.Time{}, err
	}
	var fileType, expiry string
	for _, section := range append(f.Sections(), "") {
		for _, p := range f.Section(section) {
			switch strings.ToLower(p.Key) {
			case "filetype":
				fileType = p.Value
			case "licenseid":
				id = p.Value
			case "cores":
				cores = p.Value
			case "expirationdate":
				expiry = p.Value
			}
		}
	}
	if fileType != "InterSystems License" {
		return "", "", time.Time{}, fmt.Errorf("cannot use %s: it has no line FileType=InterSystems License", path)
	}
	if expiry != "" {
		day, err := time.ParseInLocation("2006-01-02", expiry, time.Local)
		if err != nil {
			return "", "", time.Time{}, fmt.Errorf("cannot use %s: ExpirationDate %q is no date", path, expiry)
		}
		expires = day.AddDate(0, 0, 1)
	}
	return id, cores, expires, nil
}

// Expired says whether the key file at path is there and past its date.
func Expired(path string) bool {
	_, _, expires, err := LoadLicense(path)
	return err == nil && !expires.IsZero() && time.Now().After(expires)
}

// allowsSharding reads the stand-in's own key Features, a list of words.
func allowsSharding(path string) bool {
	f, err := cpf.Load(path)
	if err != nil {
		return false
	}
	for _, section := range append(f.Sections(), "") {
		for _, p := range f.Section(section) {
			if strings.EqualFold(p.Key, "Features") && strings.Contains(strings.ToLower(p.Value), "sharding") {
				return true
			}
		}
	}
	return false
}

// readLicense activates mgr/iris.key, or evaluation limits without it.
func (i *Instance) readLicense() error {
	path := filepath.Join(i.mgr(), "iris.key")
	if _, err := os.Stat(path); err != nil {
		i.log.write(0, "License.Event", "LMF Info: No local key detected, trying license server.")
		i.log.write(0, "License.Event", "LMF Info: No license key; evaluation limits apply.")
		i.license = &license{}
		return nil
	}
	id, cores, expires, err := LoadLicense(path)
	if err == nil && !expires.IsZero() && time.Now().After(expires) {
		err = fmt.Errorf("cannot use %s: it expired", path)
	}
	if err != nil {
		i.log.write(2, "License.Event", "LMF Error: "+err.Error())
		i.license = &license{}
		return err
	}
	if cores == "" {
		cores = "1"
	}
	i.license = &license{id, cores, expires, allowsSharding(path)}
	i.log.write(0, "License.Event", "LMF Info: Licensed for "+cores+" cores")
	return nil
}

// startLicenseServer listens where [LicenseServers] names this machine, and
// says hello to the servers that are elsewhere.
func (i *Instance) startLicenseServer() {
	for _, p := range i.section("LicenseServers") {
		addr, port, _ := strings.Cut(p.Value, ",")
		port, _, _ = strings.Cut(port, ",")
		if isLocal(addr) {
			// Several instances of one machine share the first one's server.
			if c, err := net.ListenPacket("udp", ":"+port); err == nil && i.packet == nil {
				i.packet = c
				i.log.write(0, "License.Event", "LMF Info: License server "+p.Key+" listening on UDP "+port)
				go i.serveLicense(c)
			}
			continue
		}
		go i.greetLicenseServer(p.Key, net.JoinHostPort(addr, port))
	}
}

func (i *Instance) serveLicense(c net.PacketConn) {
	buf := make([]byte, 512)
	for {
		n, from, err := c.ReadFrom(buf)
		if err != nil {
			return
		}
		i.log.write(0, "License.Event", fmt.Sprintf("LMF Info: Client %q connected from %s", buf[:n], from))
		c.WriteTo([]byte("standin-license ok"), from)
	}
}

func (i *Instance) greetLicenseServer(name, addr string) {
	c, err := net.Dial("udp", addr)
	if err != nil {
		i.log.write(1, "License.Event", "LMF Warning: cannot reach license server "+name+" at "+addr)
		return
	}
	defer c.Close()
	buf := make([]byte, 64)
	for range 20 {
		c.Write([]byte(hostname() + ":" + i.reg.Name))
		c.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
		if _, err := c.Read(buf); err == nil {
			i.log.write(0, "License.Event", "LMF Info: Connected to license server "+name+" at "+addr)
			return
		}
		if !i.pause(500 * time.Millisecond) {
			return
		}
	}
	i.log.write(1, "License.Event", "LMF Warning: license server "+name+" at "+addr+" does not answer")
}

// isLocal says whether addr is one of this machine's.
func isLocal(addr string) bool {
	ips, err := net.LookupIP(addr)
	if err != nil {
		return false
	}
	own, _ := net.InterfaceAddrs()
	for _, ip := range ips {
		if ip.IsLoopback() {
			return true
		}
		for _, a := range own {
			if n, ok := a.(*net.IPNet); ok && n.IP.Equal(ip) {
				return true
			}
		}
	}
	return false
}

// pause waits, and says false when the instance ends meanwhile.
func (i *Instance) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-i.ended:
		return false
	}
}
