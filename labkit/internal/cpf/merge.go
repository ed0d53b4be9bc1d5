package cpf

import (
	"fmt"
	"sort"
	"strings"
)

// Merge puts every setting of m, except actions, into f. Merging the same
// file twice gives the same result as merging it once.
func (f *File) Merge(m *File) {
	for _, section := range m.Sections() {
		if strings.EqualFold(section, "Actions") {
			continue
		}
		for _, p := range m.Section(section) {
			f.Set(section, p.Key, p.Value)
		}
	}
}

// Action is one line of [Actions], such as CreateDatabase:Name=X,Directory=/x/.
type Action struct {
	Name  string
	Props map[string]string
}

// Prop returns a property without regard to the case of its name.
func (a Action) Prop(name string) string {
	for k, v := range a.Props {
		if strings.EqualFold(k, name) {
			return v
		}
	}
	return ""
}

// actionOrder is the order actions run in, whatever their order in the file.
var actionOrder = []string{
	"CreateResource", "CreateRole", "CreateUser", "ModifyUser", "ModifyService", "CreateSSLConfig",
	"CreateLicenseServer", "CreateECPServer", "ConfigMirror", "CreateMirror", "CreateDatabase", "CreateNamespace",
	"CreateApplication", "ModifyApplication", "GrantPrivilege", "ConfigShardedCluster", "ConfigProduction", "Execute",
}

// Actions returns the actions of a merge file in the order they must run.
func (f *File) Actions() ([]Action, error) {
	var out []Action
	for _, l := range f.lines {
		if l.header || l.key == "" || !strings.EqualFold(l.section, "Actions") {
			continue
		}
		name, rest, found := strings.Cut(strings.TrimSpace(l.raw), ":")
		if !found {
			return nil, fmt.Errorf("cannot read action %q: no colon", l.raw)
		}
		props, err := parseProps(rest)
		if err != nil {
			return nil, fmt.Errorf("cannot read action %s: %w", name, err)
		}
		out = append(out, Action{Name: name, Props: props})
	}
	sort.SliceStable(out, func(i, j int) bool { return actionRank(out[i].Name) < actionRank(out[j].Name) })
	return out, nil
}

func actionRank(name string) int {
	for i, known := range actionOrder {
		if strings.EqualFold(known, name) {
			return i
		}
	}
	return len(actionOrder) - 1 // before nothing, after everything but Execute
}

// parseProps splits a=b,c="d,e". A comma inside double quotes belongs to the value.
func parseProps(s string) (map[string]string, error) {
	props := map[string]string{}
	for s != "" {
		name, rest, found := strings.Cut(s, "=")
		if !found {
			return nil, fmt.Errorf("%q has no value", s)
		}
		var value string
		if strings.HasPrefix(rest, `"`) {
			end := strings.IndexByte(rest[1:], '"')
			if end < 0 {
				return nil, fmt.Errorf("%s has an open quote", strings.TrimSpace(name))
			}
			value, rest = rest[1:end+1], rest[end+2:]
			rest = strings.TrimPrefix(strings.TrimSpace(rest), ",")
		} else {
			value, rest, _ = strings.Cut(rest, ",")
		}
		props[strings.TrimSpace(name)] = strings.TrimSpace(value)
		s = rest
	}
	return props, nil
}
