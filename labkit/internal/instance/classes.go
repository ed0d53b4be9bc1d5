package instance

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"icm/labkit/internal/cpf"
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

func getService(i *Instance, _ *script.Session, a args) (string, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	svc := i.security.service(a.text(0))
	if svc == nil {
		return status(fmt.Errorf("ERROR #879: Service %s does not exist", a.text(0)))
	}
	for k, v := range svc {
		a.at(1).Put(v, k)
	}
	return "1", nil
}

func modifyService(i *Instance, _ *script.Session, a args) (string, error) {
	return status(i.withSecurity(func(s *security) error {
		svc := s.service(a.text(0))
		if svc == nil {
			return fmt.Errorf("ERROR #879: Service %s does not exist", a.text(0))
		}
		mergeProps(svc, a.at(1).Subs())
		return nil
	}))
}

func existsService(i *Instance, _ *script.Session, a args) (string, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return yes(i.security.service(a.text(0)) != nil)
}

// Security.System has one object; "SYSTEM" may be named first.
func systemArg(a args) script.Arg {
	if a.at(0).IsRef() {
		return a.at(0)
	}
	return a.at(1)
}

func getSystem(i *Instance, _ *script.Session, a args) (string, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for k, v := range i.security.System {
		systemArg(a).Put(v, k)
	}
	return "1", nil
}

func modifySystem(i *Instance, _ *script.Session, a args) (string, error) {
	return status(i.withSecurity(func(s *security) error {
		mergeProps(s.System, systemArg(a).Subs())
		return nil
	}))
}

func versionMethods() map[string]method {
	return map[string]method{
		"GetVersion": func(i *Instance, _ *script.Session, _ args) (string, error) { return i.rel.ZVersion(), nil },
		"Format":     func(i *Instance, _ *script.Session, _ args) (string, error) { return i.rel.ZVersion(), nil },
		"GetNumber":  func(i *Instance, _ *script.Session, _ args) (string, error) { return i.rel.Short(), nil },
		"GetMajor": func(i *Instance, _ *script.Session, _ args) (string, error) {
			major, _, _ := strings.Cut(i.rel.Short(), ".")
			return major, nil
		},
		"GetProduct":     func(*Instance, *script.Session, args) (string, error) { return "stand-in for IRIS", nil },
		"GetBuildNumber": func(i *Instance, _ *script.Session, _ args) (string, error) { return i.rel.Version, nil },
	}
}

func statusMethods() map[string]method {
	return map[string]method{
		"IsOK": func(_ *Instance, _ *script.Session, a args) (string, error) {
			return yes(strings.HasPrefix(a.text(0), "1"))
		},
		"IsError": func(_ *Instance, _ *script.Session, a args) (string, error) {
			return yes(!strings.HasPrefix(a.text(0), "1"))
		},
		"GetErrorText": func(_ *Instance, _ *script.Session, a args) (string, error) {
			return strings.TrimPrefix(a.text(0), "0 "), nil
		},
		"GetOneErrorText": func(_ *Instance, _ *script.Session, a args) (string, error) {
			return strings.TrimPrefix(a.text(0), "0 "), nil
		},
		"DisplayError": func(_ *Instance, s *script.Session, a args) (string, error) {
			if text, isError := strings.CutPrefix(a.text(0), "0 "); isError {
				s.Print("\n" + text)
			}
			return "1", nil
		},
		"OK": func(*Instance, *script.Session, args) (string, error) { return "1", nil },
	}
}

func licenseMethods() map[string]method {
	return map[string]method{
		"Upgrade":          func(i *Instance, _ *script.Session, _ args) (string, error) { return status(i.readLicense()) },
		"KeyCustomerName":  func(i *Instance, _ *script.Session, _ args) (string, error) { return i.license.id, nil },
		"KeyCoresLicensed": func(i *Instance, _ *script.Session, _ args) (string, error) { return i.license.cores, nil },
		"KeyExpirationDate": func(i *Instance, _ *script.Session, _ args) (string, error) {
			if i.license.expires.IsZero() {
				return "", nil
			}
			return i.license.expires.AddDate(0, 0, -1).Format("2006-01-02"), nil
		},
		"GetKeyStatus": func(i *Instance, _ *script.Session, _ args) (string, error) { return yes(i.license.cores != "") },
	}
}

func monitor(i *Instance, _ *script.Session, _ args) (string, error) {
	return strconv.Itoa(monitorState(i.health())), nil
}

func clearMonitor(i *Instance, _ *script.Session, _ args) (string, error) {
	i.mu.Lock()
	i.alerts = 0
	i.mu.Unlock()
	i.setHealth()
	return "1", nil
}

func countAlerts(i *Instance, _ *script.Session, _ args) (string, error) {
	return strconv.Itoa(i.alertCount()), nil
}

func fileMethods() map[string]method {
	return map[string]method{
		"Exists": func(_ *Instance, _ *script.Session, a args) (string, error) {
			_, err := os.Stat(a.text(0))
			return yes(err == nil)
		},
		"DirectoryExists": func(_ *Instance, _ *script.Session, a args) (string, error) {
			st, err := os.Stat(a.text(0))
			return yes(err == nil && st.IsDir())
		},
		"CreateDirectory": func(_ *Instance, _ *script.Session, a args) (string, error) {
			return yes(os.Mkdir(a.text(0), 0o775) == nil)
		},
		"CreateDirectoryChain": func(_ *Instance, _ *script.Session, a args) (string, error) {
			return yes(os.MkdirAll(a.text(0), 0o775) == nil)
		},
		"Delete": func(_ *Instance, _ *script.Session, a args) (string, error) { return yes(os.Remove(a.text(0)) == nil) },
	}
}

// icmMethods are the checks a kit's own wait script makes; their values are
// exit statuses.
func icmMethods() map[string]method {
	return map[string]method{
		"ISCAgentCheck": func(i *Instance, _ *script.Session, _ args) (string, error) {
			return yes(!i.mirror.agentRuns())
		},
		"ShardingCheck": func(i *Instance, _ *script.Session, _ args) (string, error) {
			if i.get("Sharding", "Enabled") == "1" {
				return "2", nil
			}
			return "1", nil
		},
		"AutoStartProductionsCheck": func(*Instance, *script.Session, args) (string, error) { return "3", nil },
	}
}

func getUser(i *Instance, _ *script.Session, a args) (string, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	_, u := i.security.user(a.text(0))
	if u == nil {
		return status(fmt.Errorf("ERROR #838: User %s does not exist", a.text(0)))
	}
	a.at(1).Put(u.Roles, "Roles")
	a.at(1).Put("1", "Enabled")
	return "1", nil
}

func existsUser(i *Instance, _ *script.Session, a args) (string, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	_, u := i.security.user(a.text(0))
	return yes(u != nil)
}

func deleteUser(i *Instance, _ *script.Session, a args) (string, error) {
	return status(i.withSecurity(func(s *security) error {
		name, u := s.user(a.text(0))
		if u == nil {
			return fmt.Errorf("ERROR #838: User %s does not exist", a.text(0))
		}
		delete(s.Users, name)
		return nil
	}))
}

// createUser is Security.Users.Create(name,roles,password,…).
func createUser(i *Instance, _ *script.Session, a args) (string, error) {
	hash, err := hashed(a.text(2))
	if err != nil {
		return status(err)
	}
	return status(i.withSecurity(func(s *security) error {
		if _, u := s.user(a.text(0)); u != nil {
			return fmt.Errorf("ERROR #887: User %s already exists", a.text(0))
		}
		s.Users[a.text(0)] = &account{Hash: hash, Roles: a.text(1)}
		return nil
	}))
}

// modifyUser is Security.Users.Modify(name,.properties).
func modifyUser(i *Instance, _ *script.Session, a args) (string, error) {
	props := a.at(1).Subs()
	hash, err := hashed(props["Password"])
	if err != nil {
		return status(err)
	}
	return status(i.withSecurity(func(s *security) error {
		_, u := s.user(a.text(0))
		if u == nil {
			return fmt.Errorf("ERROR #838: User %s does not exist", a.text(0))
		}
		if hash != "" {
			u.Hash = hash
		}
		if h := props["PasswordHash"]; h != "" {
			u.Hash = h
		}
		if r, ok := props["Roles"]; ok {
			u.Roles = r
		}
		return nil
	}))
}

func createSSL(i *Instance, _ *script.Session, a args) (string, error) {
	return status(i.runAction(cpf.Action{Name: "CreateSSLConfig", Props: withName(a.at(1).Subs(), a.text(0))}))
}

func existsSSL(i *Instance, _ *script.Session, a args) (string, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return yes(i.security.SSL[a.text(0)] != nil)
}

func withName(props map[string]string, name string) map[string]string {
	props["Name"] = name
	return props
}

func instanceName(i *Instance, _ *script.Session, _ args) (string, error) { return i.reg.Name, nil }
func nodeName(*Instance, *script.Session, args) (string, error)           { return hostname(), nil }
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

// shardingMethods record what was asked; the stand-in does not shard.
func shardingMethods() map[string]method {
	record := func(i *Instance, _ *script.Session, a args) (string, error) {
		return status(i.put("Sharding", "Enabled", "1"))
	}
	assign := func(i *Instance, _ *script.Session, a args) (string, error) {
		addr := net.JoinHostPort(a.text(1), a.text(2))
		c, err := net.DialTimeout("tcp", addr, 2*time.Second)
		if err != nil {
			return status(errors.New("ERROR #9317: Shard server " + addr + " does not answer"))
		}
		c.Close()
		return status(i.put("Sharding", "Shard:"+a.text(0)+":"+addr, a.text(3)))
	}
	verify := func(i *Instance, _ *script.Session, a args) (string, error) {
		return yes(i.get("Sharding", "Enabled") == "1")
	}
	list := func(i *Instance, s *script.Session, _ args) (string, error) {
		for _, p := range i.section("Sharding") {
			if strings.HasPrefix(p.Key, "Shard:") {
				s.Print(strings.TrimPrefix(p.Key, "Shard:") + " " + p.Value + "\n")
			}
		}
		return "1", nil
	}
	return map[string]method{"EnableSharding": record, "AssignShard": assign, "VerifyShards": verify,
		"ActivateNewShards": verify, "ListShards": list, "SetOption": verify}
}

func clusterMethods() map[string]method {
	record := func(i *Instance, _ *script.Session, a args) (string, error) {
		return status(i.put("Sharding", "Enabled", "1"))
	}
	return map[string]method{"Initialize": record, "AttachAsDataNode": record, "AttachAsComputeNode": record,
		"InitializeMirrored": record, "AttachAsMirroredNode": record}
}
