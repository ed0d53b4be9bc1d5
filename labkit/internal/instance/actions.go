package instance

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"icm/labkit/internal/cpf"
	"icm/labkit/internal/passhash"
	"icm/labkit/internal/script"
)

// readMerge loads a merge file. One that is missing is a message, not an end.
func (i *Instance) readMerge(path string, out io.Writer) (*cpf.File, bool) {
	merge, err := cpf.Load(path)
	if err != nil {
		text := fmt.Sprintf("IRIS Merge: cannot open merge file %s: %v", path, errors.Unwrap(err))
		fmt.Fprintln(out, text)
		i.log.write(1, "Generic.Event", text)
		return nil, false
	}
	return merge, true
}

// startActions runs the actions of the merge file named at start.
func (i *Instance) startActions(o Options) {
	if o.Merge == "" || !i.rel.StartMerge() {
		return
	}
	merge, err := cpf.Load(o.Merge)
	if err != nil {
		return // said already
	}
	if err := i.runActions(merge); err != nil {
		i.alert(2, "Generic.Event", "IRIS Merge failed: "+err.Error())
		fmt.Fprintln(o.Progress, "IRIS Merge failed")
		return
	}
	fmt.Fprintf(o.Progress, "IRIS Merge of %s into %s\nIRIS Merge completed successfully\n", o.Merge, i.reg.CPFPath())
}

// merge applies a merge file to the running instance and to target.
func (i *Instance) merge(path, target string) error {
	if !i.rel.Actions() {
		return errors.New("merge is not known to this version")
	}
	merge, err := cpf.Load(path)
	if err != nil {
		return err
	}
	if target != "" && filepath.Clean(target) != i.reg.CPFPath() {
		other, err := cpf.Load(target)
		if err != nil {
			return err
		}
		other.Merge(merge)
		if err := other.Save(target); err != nil {
			return err
		}
	} else {
		i.mu.Lock()
		i.conf.Merge(merge)
		err = i.conf.Save(i.reg.CPFPath())
		i.mu.Unlock()
		if err != nil {
			return err
		}
	}
	return i.runActions(merge)
}

// runActions runs all actions and reports all that went wrong.
func (i *Instance) runActions(merge *cpf.File) error {
	actions, err := merge.Actions()
	if err != nil {
		return err
	}
	if len(actions) > 0 && !i.rel.Actions() {
		return errors.New("section [Actions] is not known to this version")
	}
	var errs []error
	for _, a := range actions {
		if err := i.runAction(a); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", a.Name, err))
			i.log.write(2, "Generic.Event", fmt.Sprintf("CPF action %s failed: %v", a.Name, err))
			continue
		}
		i.log.write(0, "Generic.Event", "CPF action "+a.Name+" "+a.Prop("Name")+" done")
	}
	return errors.Join(errs...)
}

func (i *Instance) runAction(a cpf.Action) error {
	name := a.Prop("Name")
	switch strings.ToLower(a.Name) {
	case "createdatabase":
		return i.actionDatabase(a)
	case "createnamespace":
		value := a.Prop("Globals")
		if r := a.Prop("Routines"); r != "" {
			value += "," + r
		}
		return i.put("Namespaces", strings.ToUpper(name), value)
	case "createuser", "modifyuser":
		return i.actionUser(a)
	case "modifyservice":
		return i.withSecurity(func(s *security) error {
			svc := s.service(name)
			if svc == nil {
				return fmt.Errorf("service %s does not exist", name)
			}
			mergeProps(svc, a.Props)
			return nil
		})
	case "createlicenseserver":
		return i.put("LicenseServers", name, a.Prop("Address")+","+a.Prop("Port"))
	case "createecpserver":
		mirror := a.Prop("MirrorConnection")
		if mirror == "" {
			mirror = "0"
		}
		return i.put("ECPServers", name, a.Prop("Address")+","+a.Prop("Port")+","+mirror)
	case "createsslconfig":
		return i.withSecurity(func(s *security) error {
			if s.SSL == nil {
				s.SSL = map[string]map[string]string{}
			}
			s.SSL[name] = a.Props
			return nil
		})
	case "configmirror":
		if !i.rel.ConfigMirror() {
			return errors.New("action is not known to this version")
		}
		return i.mirror.configure(a)
	case "configshardedcluster":
		if !i.rel.ConfigMirror() {
			return errors.New("action is not known to this version")
		}
		return i.configCluster(a)
	case "execute":
		return i.actionExecute(a)
	case "createapplication", "modifyapplication", "createrole", "createresource", "grantprivilege", "configproduction",
		"createmirror":
		i.log.write(0, "Generic.Event", "CPF action "+a.Name+" is accepted and has no effect in the stand-in")
		return nil
	}
	return errors.New("unknown action")
}

func mergeProps(into, props map[string]string) {
	for k, v := range props {
		if !strings.EqualFold(k, "Name") {
			into[k] = v
		}
	}
}

func (i *Instance) actionDatabase(a cpf.Action) error {
	name, dir, server := strings.ToUpper(a.Prop("Name")), slashed(a.Prop("Directory")), a.Prop("Server")
	if name == "" || dir == "" {
		return complain("Name and Directory are needed")
	}
	if server != "" {
		return i.put("Databases", name, dir+","+server)
	}
	if err := i.createDatabase(dir, true); err != nil {
		return err
	}
	if set := a.Prop("MirrorSetName"); set != "" {
		if err := i.mirror.addDatabase(a.Prop("MirrorDBName"), dir); err != nil {
			return err
		}
	}
	return i.put("Databases", name, dir)
}

func (i *Instance) actionUser(a cpf.Action) error {
	hash := a.Prop("PasswordHash")
	if hash != "" {
		if err := passhash.Check(hash); err != nil {
			return err
		}
	}
	return i.withSecurity(func(s *security) error {
		_, u := s.user(a.Prop("Name"))
		if u == nil && strings.EqualFold(a.Name, "ModifyUser") {
			return fmt.Errorf("user %s does not exist", a.Prop("Name"))
		}
		if u == nil {
			u = &account{}
			s.Users[a.Prop("Name")] = u
		}
		if hash != "" {
			u.Hash = hash
		}
		if roles := a.Prop("Roles"); roles != "" {
			u.Roles = roles
		}
		return nil
	})
}

func (i *Instance) actionExecute(a cpf.Action) error {
	ns := a.Prop("Namespace")
	if ns == "" {
		ns = "%SYS"
	}
	var args []script.Arg
	for n := 1; a.Prop(fmt.Sprintf("Arg%d", n)) != ""; n++ {
		args = append(args, script.Arg{Value: a.Prop(fmt.Sprintf("Arg%d", n))})
	}
	s := script.NewSession(i, ns, "_SYSTEM", os.Stderr)
	status, err := i.Call(s, a.Prop("ClassName"), a.Prop("MethodName"), args)
	if err == nil && !strings.HasPrefix(status, "1") {
		err = errors.New(status)
	}
	return err
}
