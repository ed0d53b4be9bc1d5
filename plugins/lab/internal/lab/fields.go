package lab

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"icm/internal/secret"
	"icm/plugins/lab/internal/image"
	"icm/plugins/lab/internal/network"
	"icm/plugins/lab/internal/node"
	"icm/plugins/provider"
)

// purposes are the volumes of a node: the beginning of their fields' names and
// the device they are by default.
var purposes = []struct{ purpose, field, device string }{
	{"docker", "Docker", "xvdb"},
	{"data", "Data", "xvdc"},
	{"wij", "WIJ", "xvdd"},
	{"journal1", "Journal1", "xvde"},
	{"journal2", "Journal2", "xvdf"},
}

const (
	defaultGB = 10
	// maxGB keeps a slip of the pen from becoming a file that no file system
	// takes: 16 TiB is what ext4 allows.
	maxGB      = 16 << 10
	noDevice   = "null"
	defaultDir = "/home"
)

var (
	machineForm    = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$`)
	deploymentForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,100}$`)
	deviceForm     = regexp.MustCompile(`^(/dev/)?([a-z][a-z0-9]{1,14})$`)
	userForm       = regexp.MustCompile(`^[a-z_][a-z0-9_-]{0,31}$`)
)

// want is one node of a request, understood.
type want struct {
	definition provider.Definition
	machine    string
	config     node.Config // without Image and Overlay, which depend on this machine
	source     image.Source
	password   secret.Secret
}

// fields are a node's fields; names are compared without regard to case.
type fields map[string]string

func (f fields) get(name string) string {
	if v, ok := f[name]; ok {
		return v
	}
	for k, v := range f {
		if strings.EqualFold(k, name) {
			return v
		}
	}
	return ""
}

// complain takes what is wrong with a field, and what to do about it.
type complain func(field, text, hint string)

// understand reads the fields of one node.
func understand(d provider.Definition, w provider.Want, bad complain) want {
	f := fields(w.Fields)
	out := want{definition: d, machine: w.MachineName, password: secret.New(f.get("SSHPassword"))}
	if !machineForm.MatchString(w.MachineName) {
		bad("", fmt.Sprintf("%q cannot be the name of a machine", w.MachineName), "use letters, digits and dashes, 63 at most")
	}
	out.config = node.Config{User: f.get("SSHUser"), Home: f.get("Home"), Rate: f.get("LabNetworkRate")}
	readUser(&out.config, bad)
	if strings.ContainsAny(out.password.Reveal(), "\n\r\x00") {
		bad("SSHPassword", "the password contains a line break", "use another password")
	}
	if _, err := network.ParseRate(out.config.Rate); err != nil {
		bad("LabNetworkRate", err.Error(), "")
	}
	out.source = image.Source{Tarball: f.get("Image"), Mirror: f.get("LabMirror")}
	if out.source.Tarball != "" && !filepath.IsAbs(out.source.Tarball) {
		bad("Image", fmt.Sprintf("%q is not an absolute path", out.source.Tarball), "name the tarball with its full path")
	}
	out.config.Volumes = readVolumes(f, bad)
	return out
}

func readUser(c *node.Config, bad complain) {
	switch {
	case c.User == "":
		bad("SSHUser", "the user that nodes are entered with is missing", `add "SSHUser": "icm"`)
	case c.User == "root" || !userForm.MatchString(c.User):
		bad("SSHUser", fmt.Sprintf("%q cannot be the user that nodes are entered with", c.User), "use an ordinary user name in lower case; it gets sudo")
	}
	if c.Home == "" {
		c.Home = defaultDir
	}
	if !filepath.IsAbs(c.Home) || strings.ContainsAny(c.Home, ":\n") {
		bad("Home", fmt.Sprintf("%q is not an absolute path", c.Home), "")
	}
}

func readVolumes(f fields, bad complain) []node.Volume {
	var volumes []node.Volume
	user := map[string]string{}
	for _, p := range purposes {
		device, ok := readDevice(f, p.purpose, p.field, p.device, bad)
		if !ok {
			continue
		}
		if other := user[device]; other != "" {
			bad(p.field+"DeviceName", fmt.Sprintf("%s is the device of two volumes, %s and %s", device, other, p.purpose), "")
		}
		user[device] = p.purpose
		volumes = append(volumes, node.Volume{Purpose: p.purpose, Device: device, GB: readSize(f, p.field+"VolumeSize", bad)})
	}
	return volumes
}

// readDevice returns the name of a volume's device under /dev, or false when
// the node has none.
func readDevice(f fields, purpose, field, usual string, bad complain) (string, bool) {
	name := f.get(field + "DeviceName")
	if name == noDevice {
		return "", false
	}
	if purpose == "docker" && (strings.EqualFold(f.get("Containerless"), "true") ||
		name == "" && strings.EqualFold(f.get("DockerStorageDriver"), "overlay2")) {
		return "", false
	}
	if name == "" {
		return usual, true
	}
	m := deviceForm.FindStringSubmatch(name)
	if m == nil || reserved[m[2]] {
		bad(field+"DeviceName", fmt.Sprintf("%q cannot be the name of a device in the lab", name), `use a name such as "`+usual+`", or "null" for none`)
		return usual, true
	}
	return m[2], true
}

// reserved are names under /dev that mean something else.
var reserved = map[string]bool{
	"null": true, "zero": true, "full": true, "random": true, "urandom": true, "tty": true, "console": true,
	"ptmx": true, "pts": true, "shm": true, "mqueue": true, "disk": true, "log": true, "fd": true,
	"stdin": true, "stdout": true, "stderr": true, "net": true, "char": true, "block": true, "hugepages": true,
}

func readSize(f fields, field string, bad complain) int {
	text := f.get(field)
	if text == "" {
		return defaultGB
	}
	gb, err := strconv.Atoi(text)
	if err != nil || gb < 1 || gb > maxGB {
		bad(field, fmt.Sprintf("%q is not a size in GB", text), fmt.Sprintf("use a whole number from 1 to %d; the disk is used up only as it is written to", maxGB))
		return defaultGB
	}
	return gb
}
