package instance

import (
	"fmt"
	"strings"

	"icm/labkit/internal/script"
)

func databaseValue(p map[string]string) string {
	if p["Server"] != "" {
		return slashed(p["Directory"]) + "," + p["Server"]
	}
	return slashed(p["Directory"])
}

func namespaceValue(p map[string]string) string {
	if p["Routines"] != "" && p["Routines"] != p["Globals"] {
		return p["Globals"] + "," + p["Routines"]
	}
	return p["Globals"]
}

func ecpValue(p map[string]string) string {
	mirror := p["MirrorConnection"]
	if mirror == "" {
		mirror = "0"
	}
	return p["Address"] + "," + p["Port"] + "," + mirror
}

func licenseValue(p map[string]string) string {
	if p["KeyDirectory"] != "" {
		return p["Address"] + "," + p["Port"] + "," + p["KeyDirectory"]
	}
	return p["Address"] + "," + p["Port"]
}

// propertyNames are the parts of a value, for Get.
func propertyNames(section string) []string {
	switch section {
	case "Databases":
		return []string{"Directory", "Server"}
	case "Namespaces":
		return []string{"Globals", "Routines"}
	case "LicenseServers":
		return []string{"Address", "Port", "KeyDirectory"}
	}
	return []string{"Address", "Port", "MirrorConnection"}
}

// configClass is a Config class with one object for each line of a section.
func configClass(section string, value func(map[string]string) string) map[string]method {
	lookup := func(i *Instance, name string) (string, string, bool) {
		for _, p := range i.section(section) {
			if strings.EqualFold(p.Key, name) {
				return p.Key, p.Value, true
			}
		}
		return strings.ToUpper(name), "", false
	}
	return map[string]method{
		"Create": func(i *Instance, _ *script.Session, a args) (string, error) {
			key, _, found := lookup(i, a.text(0))
			if found {
				return status(fmt.Errorf("ERROR #412: %s '%s' already exists", section, key))
			}
			return status(i.put(section, key, value(a.at(1).Subs())))
		},
		"Modify": func(i *Instance, _ *script.Session, a args) (string, error) {
			key, old, found := lookup(i, a.text(0))
			if !found {
				return status(fmt.Errorf("ERROR #418: %s '%s' does not exist", section, key))
			}
			return status(i.put(section, key, value(overlay(section, old, a.at(1).Subs()))))
		},
		"Get": func(i *Instance, _ *script.Session, a args) (string, error) {
			key, old, found := lookup(i, a.text(0))
			if !found {
				return status(fmt.Errorf("ERROR #418: %s '%s' does not exist", section, key))
			}
			for k, v := range overlay(section, old, nil) {
				a.at(1).Put(v, k)
			}
			return "1", nil
		},
		"Exists": func(i *Instance, _ *script.Session, a args) (string, error) {
			_, _, found := lookup(i, a.text(0))
			return yes(found)
		},
		"Delete": func(i *Instance, _ *script.Session, a args) (string, error) {
			key, _, found := lookup(i, a.text(0))
			if !found {
				return status(fmt.Errorf("ERROR #418: %s '%s' does not exist", section, key))
			}
			return status(i.remove(section, key))
		},
	}
}

// overlay splits a value into its properties and puts changes over them.
func overlay(section, old string, changes map[string]string) map[string]string {
	out := map[string]string{}
	parts := strings.Split(old, ",")
	for n, name := range propertyNames(section) {
		if n < len(parts) {
			out[name] = parts[n]
		}
	}
	for k, v := range changes {
		out[k] = v
	}
	return out
}

// sectionClass is a Config class whose one object is a whole section.
func sectionClass(section string) map[string]method {
	return map[string]method{
		"Get": func(i *Instance, _ *script.Session, a args) (string, error) {
			for _, p := range i.section(section) {
				a.at(0).Put(p.Value, p.Key)
			}
			return "1", nil
		},
		"Modify": func(i *Instance, _ *script.Session, a args) (string, error) {
			for k, v := range a.at(0).Subs() {
				if err := i.put(section, k, v); err != nil {
					return status(err)
				}
			}
			return "1", nil
		},
	}
}

// createDatabase is SYS.Database.CreateDatabase(dir,size,…,dbName,mirrorName).
func createDatabase(i *Instance, _ *script.Session, a args) (string, error) {
	if err := i.createDatabase(a.text(0), false); err != nil {
		return status(err)
	}
	if a.text(7) != "" {
		return status(i.mirror.addDatabase(a.text(6), a.text(0)))
	}
	return "1", nil
}

func mountDatabase(i *Instance, _ *script.Session, a args) (string, error) {
	_, err := i.set.Mount(a.text(0))
	return status(err)
}

func dismountDatabase(i *Instance, _ *script.Session, a args) (string, error) {
	return status(i.set.Dismount(a.text(0)))
}
