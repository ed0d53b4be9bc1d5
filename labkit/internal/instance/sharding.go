package instance

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"icm/labkit/internal/script"
)

// enableSharding makes this instance fit to be a master, a shard or a node.
// It counts from the next start.
func (i *Instance) enableSharding() error {
	if !i.license.sharding {
		return errors.New("ERROR #9300: The license key of this instance does not allow sharding")
	}
	err := i.withSecurity(func(s *security) error {
		s.service("%Service_Sharding")["Enabled"] = "1"
		s.service("%Service_ECP")["Enabled"] = "1"
		return nil
	})
	if err != nil {
		return err
	}
	return i.put("Startup", "EnableSharding", "1")
}

// mayShard refuses what needs sharding on an instance without it.
func (i *Instance) mayShard() error {
	switch {
	case i.sharding:
		return nil
	case i.get("Startup", "EnableSharding") == "1":
		return errors.New("ERROR #9306: Sharding was enabled; the instance must be restarted")
	}
	return errors.New("ERROR #9305: Sharding is not enabled on this instance")
}

// assignShard is AssignShard(master,host,port,namespace,mirror,backup,backupPort,vip,dataShard).
func (i *Instance) assignShard(a args) error {
	if err := i.mayShard(); err != nil {
		return err
	}
	port, err := strconv.Atoi(a.text(2))
	if err != nil {
		return errors.New("ERROR #9311: The port of the shard is no number")
	}
	ns, known := i.Namespace(a.text(0))
	if !known {
		return errors.New("ERROR #9312: Namespace " + a.text(0) + " does not exist")
	}
	s := shard{Host: a.text(1), Port: port, Namespace: strings.ToUpper(a.text(3)), Mirror: a.text(4), BackupHost: a.text(5), QueryOf: a.text(8)}
	if s.Namespace == "" {
		s.Namespace = ns
	}
	if s.BackupHost != "" {
		if s.BackupPort, err = strconv.Atoi(a.text(6)); err != nil {
			return errors.New("ERROR #9311: The port of the backup is no number")
		}
	}
	all, err := i.shards(ns)
	if err != nil {
		return err
	}
	hasData := false
	for _, other := range all {
		if strings.EqualFold(other.addr()+other.Namespace, s.addr()+s.Namespace) {
			return fmt.Errorf("ERROR #9313: Shard %s %s is assigned already", s.addr(), s.Namespace)
		}
		hasData = hasData || other.addr() == s.QueryOf && other.QueryOf == ""
	}
	if s.QueryOf != "" && !hasData {
		return fmt.Errorf("ERROR #9314: Data shard %s is not assigned", s.QueryOf)
	}
	if err := i.verifyShard(s); err != nil {
		return err
	}
	return putObject(i, ns, shardKey(s.Host, s.Port, s.Namespace), s)
}

func (i *Instance) verifyShard(s shard) error {
	if _, err := i.askShard(s, shardTalk{Verb: "hello"}); err != nil {
		return fmt.Errorf("ERROR #9317: Shard %s %s does not answer as one: %w", s.addr(), s.Namespace, plain(err))
	}
	return nil
}

// plain is an error as text, so that it becomes part of a status.
func plain(err error) error { return errors.New(err.Error()) }

// verifyShards asks all shards, and activates them when told to.
func (i *Instance) verifyShards(name string, activate bool) error {
	if err := i.mayShard(); err != nil {
		return err
	}
	ns, known := i.Namespace(name)
	if !known {
		return errors.New("ERROR #9312: Namespace " + name + " does not exist")
	}
	all, err := i.shards(ns)
	if err == nil && len(all) == 0 {
		err = errors.New("ERROR #9315: No shard is assigned to " + ns)
	}
	if err != nil {
		return err
	}
	for _, s := range all {
		if err := i.verifyShard(s); err != nil {
			return err
		}
		if activate && !s.Active {
			s.Active = true
			if err := putObject(i, ns, shardKey(s.Host, s.Port, s.Namespace), s); err != nil {
				return err
			}
		}
	}
	return nil
}

// deassignShard refuses to lose rows.
func (i *Instance) deassignShard(a args) error {
	if err := i.mayShard(); err != nil {
		return err
	}
	ns, _ := i.Namespace(a.text(0))
	all, err := i.shards(ns)
	if err != nil {
		return err
	}
	for _, s := range all {
		if !strings.EqualFold(s.Host, a.text(1)) || strconv.Itoa(s.Port) != a.text(2) || a.text(3) != "" && !strings.EqualFold(s.Namespace, a.text(3)) {
			continue
		}
		if s.QueryOf == "" {
			reply, err := i.askShard(s, shardTalk{Verb: "hello"})
			if err != nil {
				return fmt.Errorf("ERROR #9317: Shard %s does not answer: %w", s.addr(), plain(err))
			}
			if reply.Count > 0 {
				return fmt.Errorf("ERROR #9318: Shard %s holds %d rows", s.addr(), reply.Count)
			}
		}
		return i.Kill(ns, shardKey(s.Host, s.Port, s.Namespace))
	}
	return fmt.Errorf("ERROR #9316: Shard %s:%s is not assigned to %s", a.text(1), a.text(2), a.text(0))
}

func (i *Instance) listShards(s *script.Session, name string) error {
	ns, known := i.Namespace(name)
	if !known {
		return errors.New("ERROR #9312: Namespace " + name + " does not exist")
	}
	all, err := i.shards(ns)
	if err != nil {
		return err
	}
	sortShards(all)
	s.Print("Shard\tHost\tPort\tNamespc\tMirror\tRole\tState\n")
	for n, sh := range all {
		role, state := "Data", "New"
		if sh.QueryOf != "" {
			role = "Query of " + sh.QueryOf
		}
		if sh.Active {
			state = "Active"
		}
		backup := ""
		if sh.BackupHost != "" {
			backup = fmt.Sprintf(" with %s %d", sh.BackupHost, sh.BackupPort)
		}
		s.Print(fmt.Sprintf("%d\t%s\t%d\t%s\t%s%s\t%s\t%s\n", n+1, sh.Host, sh.Port, sh.Namespace, sh.Mirror, backup, role, state))
	}
	return nil
}

func shardingMethods() map[string]method {
	return map[string]method{
		"EnableSharding": func(i *Instance, _ *script.Session, _ args) (string, error) { return status(i.enableSharding()) },
		"AssignShard":    func(i *Instance, _ *script.Session, a args) (string, error) { return status(i.assignShard(a)) },
		"DeassignShard":  func(i *Instance, _ *script.Session, a args) (string, error) { return status(i.deassignShard(a)) },
		"VerifyShards": func(i *Instance, _ *script.Session, a args) (string, error) {
			return status(i.verifyShards(a.text(0), false))
		},
		"ActivateNewShards": func(i *Instance, _ *script.Session, a args) (string, error) {
			return status(i.verifyShards(a.text(0), true))
		},
		"ListShards": func(i *Instance, s *script.Session, a args) (string, error) {
			return status(i.listShards(s, a.text(0)))
		},
		"SetOption": func(i *Instance, _ *script.Session, _ args) (string, error) { return status(i.mayShard()) },
	}
}
