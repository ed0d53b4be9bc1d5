package instance

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"icm/labkit/internal/passhash"
)

// Bits of AutheEnabled.
const (
	authOS   = 16
	authPass = 32
	authNone = 64
)

// security is who may do what. Passwords are kept only hashed.
type security struct {
	Level       string
	Users       map[string]*account
	Services    map[string]map[string]string
	System      map[string]string
	SSL         map[string]map[string]string
	Roles       []string
	HashApplied bool // [Startup] PasswordHash works once
}

type account struct {
	Hash  string
	Roles string
}

func securityPath(mgr string) string { return filepath.Join(mgr, "irissecurity.json") }

// predefined are the accounts every instance has and PasswordHash changes.
var predefined = []string{"_SYSTEM", "Admin", "SuperUser"}

// NewSecurity writes the first security database of an instance. The password
// is ignored for Minimal, where it is the well-known one.
func NewSecurity(mgr, level, owner, password, cspPassword string) error {
	if strings.EqualFold(level, "Minimal") {
		password, cspPassword = "SYS", "SYS"
	}
	hash, err := passhash.Make(password)
	if err != nil {
		return err
	}
	cspHash, err := passhash.Make(cspPassword)
	if err != nil {
		return err
	}
	s := &security{Level: level, Users: map[string]*account{}, System: map[string]string{}, Services: map[string]map[string]string{}}
	for _, name := range append([]string{owner}, predefined...) {
		s.Users[name] = &account{Hash: hash, Roles: "%All"}
	}
	s.Users["CSPSystem"] = &account{Hash: cspHash}
	auth := authPass
	if strings.EqualFold(level, "Minimal") {
		auth = authPass | authNone
	}
	s.System["AutheEnabled"] = strconv.Itoa(auth)
	for _, name := range []string{"Terminal", "Console", "Login", "CallIn", "Bindings", "WebGateway", "CSP"} {
		s.Services["%Service_"+name] = map[string]string{"Enabled": "1", "AutheEnabled": strconv.Itoa(auth)}
	}
	if strings.EqualFold(level, "LockedDown") {
		s.Services["%Service_Bindings"]["Enabled"] = "0"
		s.Services["%Service_CallIn"]["Enabled"] = "0"
	}
	for _, name := range []string{"ECP", "Mirror", "Sharding", "Monitor", "DocDB", "Telnet"} {
		s.Services["%Service_"+name] = map[string]string{"Enabled": "0", "AutheEnabled": "0"}
	}
	return s.save(mgr)
}

func loadSecurity(mgr string) (*security, error) {
	data, err := os.ReadFile(securityPath(mgr))
	if err != nil {
		return nil, fmt.Errorf("cannot read security database: %w", err)
	}
	s := &security{}
	if err := json.Unmarshal(data, s); err != nil {
		return nil, fmt.Errorf("cannot read security database: %w", err)
	}
	return s, nil
}

func (s *security) save(mgr string) error {
	data, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return err
	}
	tmp := securityPath(mgr) + ".new"
	if err := os.WriteFile(tmp, data, 0o660); err != nil {
		return fmt.Errorf("cannot write security database: %w", err)
	}
	return os.Rename(tmp, securityPath(mgr))
}

// service finds a service without regard to case.
func (s *security) service(name string) map[string]string {
	for k, v := range s.Services {
		if strings.EqualFold(k, name) {
			return v
		}
	}
	return nil
}

func (s *security) enabled(service string) bool { return s.service(service)["Enabled"] == "1" }

// user finds an account without regard to case.
func (s *security) user(name string) (string, *account) {
	for k, u := range s.Users {
		if strings.EqualFold(k, name) {
			return k, u
		}
	}
	return "", nil
}

// terminalAuth says which ways into a session are open. Operating system
// authentication counts when either the service or the system allows it.
func (s *security) terminalAuth() (free, osUser, password bool) {
	svc, _ := strconv.Atoi(s.service("%Service_Terminal")["AutheEnabled"])
	sys, _ := strconv.Atoi(s.System["AutheEnabled"])
	return svc&authNone != 0, (svc|sys)&authOS != 0, svc&authPass != 0
}

// applyHash sets the predefined accounts' passwords, once in an instance's life.
// CSPSystem keeps its own.
func (s *security) applyHash(hash string) (applied bool, err error) {
	if hash == "" || s.HashApplied {
		return false, nil
	}
	if err := passhash.Check(hash); err != nil {
		return false, err
	}
	for name, u := range s.Users {
		if name != "CSPSystem" {
			u.Hash = hash
		}
	}
	s.HashApplied = true
	return true, nil
}

// withSecurity changes the security database under its lock and saves it.
func (i *Instance) withSecurity(change func(*security) error) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if err := change(i.security); err != nil {
		return err
	}
	return i.security.save(i.mgr())
}

func (i *Instance) serviceEnabled(name string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.security.enabled(name)
}
