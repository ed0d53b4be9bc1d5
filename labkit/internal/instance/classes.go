package instance

import (
	"errors"
	"strings"

	"icm/labkit/internal/script"
)

// method is one class method of the stand-in.
type method func(i *Instance, s *script.Session, a args) (string, error)

// args gives missing arguments as empty ones.
type args []script.Arg

func (a args) at(n int) script.Arg {
	if n < len(a) {
		return a[n]
	}
	return script.Arg{Omit: true}
}

func (a args) text(n int) string { return a.at(n).Value }

// Call runs a class method. "$SYSTEM.X" arrives as "%SYSTEM.X".
func (i *Instance) Call(s *script.Session, class, name string, list []script.Arg) (string, error) {
	table := classTable()
	if short, ok := strings.CutPrefix(class, "%Library."); ok {
		class = "%" + short
	}
	for known, methods := range table {
		if !strings.EqualFold(known, class) {
			continue
		}
		for m, run := range methods {
			if strings.EqualFold(m, name) {
				return run(i, s, args(list))
			}
		}
		return "", &script.Error{Code: "<METHOD DOES NOT EXIST>", Detail: "*" + name + "," + class}
	}
	return "", &script.Error{Code: "<CLASS DOES NOT EXIST>", Detail: "*" + class}
}

func classTable() map[string]map[string]method {
	return map[string]map[string]method{
		"Config.Databases":      configClass("Databases", databaseValue),
		"Config.Namespaces":     configClass("Namespaces", namespaceValue),
		"Config.ECPServers":     configClass("ECPServers", ecpValue),
		"Config.LicenseServers": configClass("LicenseServers", licenseValue),
		"Config.Mirrors":        {"Get": getMirror, "Modify": modifyMirror, "Exists": existsMirror},
		"Config.config":         sectionClass("config"),
		"Config.Startup":        sectionClass("Startup"),
		"Config.Journal":        sectionClass("Journal"),
		"Config.Miscellaneous":  sectionClass("Miscellaneous"),
		"Config.ECP":            sectionClass("ECP"),
		"SYS.Database":          {"CreateDatabase": createDatabase, "MountDatabase": mountDatabase, "DismountDatabase": dismountDatabase},
		"Security.Services":     {"Get": getService, "Modify": modifyService, "Exists": existsService},
		"Security.System":       {"Get": getSystem, "Modify": modifySystem},
		"Security.Users":        {"Get": getUser, "Create": createUser, "Modify": modifyUser, "Exists": existsUser, "Delete": deleteUser},
		"Security.SSLConfigs":   {"Create": createSSL, "Exists": existsSSL, "Modify": createSSL},
		"%SYSTEM.License":       licenseMethods(),
		"%SYSTEM.Monitor":       {"State": monitor, "Clear": clearMonitor, "GetAlerts": countAlerts},
		"%SYSTEM.Version":       versionMethods(),
		"%SYSTEM.Status":        statusMethods(),
		"%SYSTEM.OBJ":           statusMethods(),
		"%SYSTEM.SQL":           {"Execute": sqlExecute},
		"%File":                 fileMethods(),
		"SYS.ICM":               icmMethods(),
		"SYS.Mirror":            mirrorMethods(),
		"%SYSTEM.Mirror":        systemMirrorMethods(),
		"%SYSTEM.Sharding":      shardingMethods(),
		"%SYSTEM.Cluster":       clusterMethods(),
		"%SYSTEM.Process":       {"UserName": func(_ *Instance, s *script.Session, _ args) (string, error) { return s.User, nil }},
		"%SYS.System":           {"GetInstanceName": instanceName, "GetNodeName": nodeName, "GetUniqueInstanceName": instanceName},
		"%SYSTEM.Util":          {"InstallDirectory": installDirectory, "ManagerDirectory": managerDirectory},
		"%SYS.Namespace":        {"Exists": namespaceExists},
		"%SYSTEM.ECP":           {"Status": ecpStatus},
	}
}

// status turns an error into a %Status: 1, or 0 and the text.
func status(err error) (string, error) {
	if err == nil {
		return "1", nil
	}
	var e *script.Error
	if errors.As(err, &e) {
		return "", err
	}
	text := err.Error()
	if !strings.HasPrefix(text, "ERROR #") {
		text = "ERROR #5001: " + text
	}
	return "0 " + text, nil
}

func yes(b bool) (string, error) {
	if b {
		return "1", nil
	}
	return "0", nil
}

// Values of CPF lines from properties, in the order the file has them.

// icmMethods are the checks a kit's own wait script makes; their values are
// exit statuses.
func icmMethods() map[string]method {
	return map[string]method{
		"ISCAgentCheck": func(i *Instance, _ *script.Session, _ args) (string, error) {
			return yes(!i.mirror.agentRuns())
		},
		"ShardingCheck": func(i *Instance, _ *script.Session, _ args) (string, error) {
			if i.sharding {
				return "2", nil
			}
			return "1", nil
		},
		"AutoStartProductionsCheck": func(*Instance, *script.Session, args) (string, error) { return "3", nil },
	}
}

func instanceName(i *Instance, _ *script.Session, _ args) (string, error) { return i.reg.Name, nil }

func nodeName(*Instance, *script.Session, args) (string, error) { return hostname(), nil }

func installDirectory(i *Instance, _ *script.Session, _ args) (string, error) {
	return i.reg.Dir + "/", nil
}

func managerDirectory(i *Instance, _ *script.Session, _ args) (string, error) {
	return i.mgr() + "/", nil
}

func namespaceExists(i *Instance, _ *script.Session, a args) (string, error) {
	_, ok := i.Namespace(a.text(0))
	return yes(ok)
}

func ecpStatus(i *Instance, s *script.Session, _ args) (string, error) {
	return strings.Join(i.ecp.status(), "\n"), nil
}
