package instance

import (
	"fmt"

	"icm/labkit/internal/cpf"
	"icm/labkit/internal/script"
)

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
