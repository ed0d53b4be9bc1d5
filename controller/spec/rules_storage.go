package spec

import (
	"fmt"
	"path"
	"strings"
)

// storage keeps what holds data apart: no device or mount point for two
// purposes, and none inside the directory that uninstall deletes.
func (l *loader) storage(d Definition) {
	if !RunsIRIS(d.Role) || d.Fields.Bool("Nonroot") {
		return
	}
	devices, mounts := map[string]string{}, map[string]string{}
	for _, purpose := range purposes {
		l.once(d, devices, purpose+"DeviceName", deviceName)
		l.once(d, mounts, purpose+"MountPoint", path.Clean)
		l.outsideInstallDir(d, purpose+"MountPoint")
	}
	if !d.Fields.Bool("Containerless") {
		l.once(d, devices, "DockerDeviceName", deviceName)
	}
}

// deviceName is "" for a plain directory, which is not shared with anything.
func deviceName(value string) string {
	if strings.EqualFold(value, "null") {
		return ""
	}
	return strings.TrimPrefix(value, "/dev/")
}

// once tells a value that another field of the entry has already.
func (l *loader) once(d Definition, seen map[string]string, field string, proper func(string) string) {
	value := d.Fields.Get(field)
	if value == "" || proper(value) == "" {
		return
	}
	if other, twice := seen[proper(value)]; twice {
		l.problem(d.at(field), field, fmt.Sprintf("%s and %s are both %s", other, field, value), "give each its own")
		return
	}
	seen[proper(value)] = field
}

func (l *loader) outsideInstallDir(d Definition, field string) {
	mount, dir := d.Fields.Get(field), path.Clean(d.Fields.Get("ISCInstallDir"))
	if mount != "" && (path.Clean(mount) == dir || strings.HasPrefix(path.Clean(mount), dir+"/")) {
		l.problem(d.at(field), field, fmt.Sprintf("%s %s is inside ISCInstallDir %s, which uninstall deletes", field, mount, dir), "choose a directory outside")
	}
}
