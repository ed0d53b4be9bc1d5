package iris

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"icm/internal/cpf"
	"icm/internal/wire"
)

// Survey tells how the instances on the machine were set up. It only reads.
func (n *Node) Survey(ctx context.Context, _ wire.SurveyRequest) (wire.SurveyReply, error) {
	list, err := n.List(ctx)
	if err != nil {
		return wire.SurveyReply{}, err
	}
	var reply wire.SurveyReply
	for _, in := range list {
		s, err := survey(in)
		if err != nil {
			return reply, err
		}
		reply.Instances = append(reply.Instances, s)
	}
	return reply, nil
}

func survey(in wire.Instance) (wire.Surveyed, error) {
	s := wire.Surveyed{Instance: in}
	p, err := parameters(in.Dir)
	if err != nil {
		return s, err
	}
	s.Owner, s.OwnerGroup = p["security_settings.manager_user"], p["security_settings.manager_group"]
	s.User, s.Group = p["security_settings.iris_user"], p["security_settings.iris_group"]
	s.Security, s.Platform = strings.ReplaceAll(p["security_settings.initial_level"], " ", ""), p["platform_selection.platform"]
	if s.Owner == "" {
		if s.Owner, s.Group, err = ownersOf(in.Dir); err != nil {
			return s, err
		}
	}
	f, err := ReadCPF(in)
	if err != nil {
		return s, err
	}
	s.Settings, s.DataServers, s.Databases = surveyedSettings(f), dataServers(f), databases(f)
	return s, nil
}

// parameters reads what the installer kept of its answers, "group.name" to
// value. Releases differ in what they keep, and an installation without the file
// tells nothing.
func parameters(dir string) (map[string]string, error) {
	data, err := os.ReadFile(filepath.Join(dir, "parameters.isc"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot read what %s was installed with: %v", dir, err)
	}
	out := map[string]string{}
	for line := range strings.Lines(string(data)) {
		if key, value, ok := strings.Cut(line, ":"); ok {
			out[strings.TrimSpace(key)] = strings.TrimSpace(value)
		}
	}
	return out, nil
}

// ownersOf names the account and the group of a directory.
func ownersOf(dir string) (owner, group string, err error) {
	st, err := os.Stat(dir)
	if err != nil {
		return "", "", fmt.Errorf("cannot find out whose %s is: %v", dir, err)
	}
	uid, gid := owners(st)
	u, err := user.LookupId(strconv.Itoa(uid))
	if err != nil {
		return "", "", fmt.Errorf("cannot find out whose %s is: %v", dir, err)
	}
	g, err := user.LookupGroupId(strconv.Itoa(gid))
	if err != nil {
		return "", "", fmt.Errorf("cannot find out whose %s is: %v", dir, err)
	}
	return u.Username, g.Name, nil
}

// surveyed are the settings that a survey tells. Each is named: iris.cpf holds
// the hash of a password, too.
var surveyed = [][2]string{
	{"config", "wijdir"}, {"Journal", "CurrentDirectory"}, {"Journal", "AlternateDirectory"},
	{"Startup", "DefaultPort"}, {"Startup", "WebServerPort"}, {"Startup", "SystemMode"},
}

func surveyedSettings(f *cpf.File) map[string]string {
	out := map[string]string{}
	for _, k := range surveyed {
		if v, ok := f.Get(k[0], k[1]); ok && v != "" {
			out[k[0]+"."+k[1]] = v
		}
	}
	return out
}

// dataServers are the hosts of [ECPServers]: "host,port,…" each.
func dataServers(f *cpf.File) []string {
	var out []string
	for _, name := range f.Keys("ECPServers") {
		v, _ := f.Get("ECPServers", name)
		if part := strings.Split(v, ","); len(part) >= 2 {
			out = append(out, strings.TrimSpace(part[0])+":"+strings.TrimSpace(part[1]))
		}
	}
	return out
}

// databases are the directories of the namespaces' databases. One on a data
// server has no directory here.
func databases(f *cpf.File) map[string]string {
	out := map[string]string{}
	for _, ns := range f.Keys("Namespaces") {
		v, _ := f.Get("Namespaces", ns)
		db, _, _ := strings.Cut(v, ",")
		dir, _ := f.Get("Databases", strings.TrimSpace(db))
		part := strings.Split(dir, ",")
		if filepath.IsAbs(part[0]) && (len(part) == 1 || part[1] == "") {
			out[strings.ToUpper(ns)] = trimDir(part[0])
		}
	}
	return out
}
