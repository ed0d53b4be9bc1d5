package spec

import (
	"fmt"
	"slices"
	"strings"
)

// named takes the fields that name the deployment.
func (l *loader) named(s *Spec) {
	s.Provider = l.provider
	s.Label, s.Tag = s.Global.Get("Label"), s.Global.Get("Tag")
}

// definition resolves one entry.
func (l *loader) definition(s *Spec, index int, e definitionEntry, fields Fields) {
	if dockerTakesNoDevice(fields) {
		// It must win over the provider's default device.
		e.layer.put(newEntry("DockerDeviceName", "null", Position{}))
	}
	d := Definition{
		Index: index, Role: fields.Get("Role"), Fields: fields, Pos: e.pos,
		Count: fields.Int("Count"), StartCount: fields.Int("StartCount"),
	}
	d.Name = fmt.Sprintf("%s-%s-%s", s.Label, d.Role, s.Tag)
	s.Definitions = append(s.Definitions, d)
}

func dockerTakesNoDevice(f Fields) bool {
	return f.Get("DockerStorageDriver") == "overlay2" && (f.Get("DockerDeviceName") == "" || f.Source("DockerDeviceName") == FromICM)
}

// required tells every field that must have a value and has none.
func (l *loader) required(s *Spec) {
	for i := range Table {
		f := &Table[i]
		if !f.RequiredOn(l.provider) {
			continue
		}
		if f.Where == InDefaults {
			if s.Global.Get(f.Name) == "" {
				l.missing(f, l.defaultsPos, l.in.Defaults.Name, l.defaultsNulls)
			}
			continue
		}
		l.requiredInEntries(s, f, func(Definition) bool { return true })
	}
	for _, purpose := range purposes {
		f, _ := Lookup(purpose + "DeviceName")
		l.requiredInEntries(s, f, l.needsDevice)
	}
	f, _ := Lookup("DockerDeviceName")
	l.requiredInEntries(s, f, l.needsDockerDevice)
}

// needsDevice says which nodes must have their devices named: PreExisting
// ones, because nobody else can know them. Adopted ones have their volumes.
func (l *loader) needsDevice(d Definition) bool {
	return l.provider == PreExisting && RunsIRIS(d.Role) && !d.Fields.Bool("Nonroot") && !d.Fields.Bool("Adopted")
}

func (l *loader) needsDockerDevice(d Definition) bool {
	return l.provider == PreExisting && !d.Fields.Bool("Containerless") && d.Role != "VM" && d.Role != ""
}

// RunsIRIS reports whether nodes of the role have an instance.
func RunsIRIS(role string) bool { return slices.Contains(irisRoles, role) }

// requiredInEntries tells a field that is missing everywhere once, in the
// defaults file, and otherwise at each entry.
func (l *loader) requiredInEntries(s *Spec, f *Field, needed func(Definition) bool) {
	var all, without []Definition
	for _, d := range s.Definitions {
		if !needed(d) {
			continue
		}
		all = append(all, d)
		if d.Fields.Get(f.Name) == "" {
			without = append(without, d)
		}
	}
	if f.Where == Anywhere && len(without) > 0 && len(without) == len(all) {
		l.missing(f, l.defaultsPos, l.in.Defaults.Name, l.nullsOf(without))
		return
	}
	for _, d := range without {
		l.missing(f, d.Pos, "the entry", l.nullsOf([]Definition{d}))
	}
}

func (l *loader) nullsOf(ds []Definition) map[string]Position {
	all := map[string]Position{}
	for k, v := range l.defaultsNulls {
		all[k] = v
	}
	for _, d := range ds {
		for k, v := range l.entryInfo[d.Index].nulls {
			all[k] = v
		}
	}
	return all
}

func (l *loader) missing(f *Field, pos Position, where string, nulls map[string]Position) {
	hint := fmt.Sprintf("add %q: %q to %s", f.Name, sample(f), where)
	text := f.Name + " is missing"
	if at, null := nulls[strings.ToLower(f.Name)]; null {
		pos, text = at, f.Name+" is null, which means that it is not given"
		if f.Type == Device {
			hint = fmt.Sprintf(`write "null" in double quotes for a plain directory, or name a device: %q: %q`, f.Name, sample(f))
		}
	}
	l.problem(pos, f.Name, text, hint)
}

func sample(f *Field) string {
	switch {
	case f.Example != "":
		return f.Example
	case f.Name == "Provider" || f.Name == "Role":
		return f.Values[0]
	default:
		return "..."
	}
}
