package state

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"icm/internal/atomicfile"
)

// Instance is one entry of the instances file: a provisioned node. The name is
// ICM's.
type Instance struct {
	MachineName string
	Role        string
	IPAddress   string
	DNSName     string
	StateDir    string // of the node: its subdirectory of the state directory
	// Fields are all the others whose value is a string: the node's resolved
	// fields, and generated ones such as DefinitionIndex. Names keep the
	// spelling of the file.
	Fields map[string]string

	// asRead keeps the order of the file, and values that are no strings.
	asRead []jsonField
}

// Field returns a field by name, without regard to case; "" when there is none.
func (i *Instance) Field(name string) string {
	if p := i.typed(name); p != nil {
		return *p
	}
	if v, ok := i.Fields[name]; ok {
		return v
	}
	for k, v := range i.Fields {
		if strings.EqualFold(k, name) {
			return v
		}
	}
	return ""
}

// SetField sets a field, in the spelling it already has if it has one.
func (i *Instance) SetField(name, value string) {
	if p := i.typed(name); p != nil {
		*p = value
		return
	}
	for k := range i.Fields {
		if strings.EqualFold(k, name) {
			name = k
			break
		}
	}
	if i.Fields == nil {
		i.Fields = map[string]string{}
	}
	i.Fields[name] = value
}

// typed is the struct field behind a name, nil when there is none.
func (i *Instance) typed(name string) *string {
	for _, f := range []struct {
		name  string
		value *string
	}{
		{"MachineName", &i.MachineName},
		{"Role", &i.Role},
		{"IPAddress", &i.IPAddress},
		{"DNSName", &i.DNSName},
		{"StateDir", &i.StateDir},
	} {
		if strings.EqualFold(name, f.name) {
			return f.value
		}
	}
	return nil
}

// LoadInstances reads an instances file, ours or ICM's. Errors name the file
// and the line; a file that is not there is an fs.ErrNotExist.
func LoadInstances(path string) ([]Instance, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return ParseInstances(path, data)
}

// ParseInstances reads the bytes of an instances file. name is what errors call
// it.
func ParseInstances(name string, data []byte) ([]Instance, error) {
	objects, err := parseObjects(data)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", name, err)
	}
	seen := map[string]int64{}
	var out []Instance
	for _, o := range objects {
		i := fromObject(o)
		if i.MachineName == "" {
			return nil, fmt.Errorf("cannot read %s: line %d: an entry without a MachineName", name, lineAt(data, o.offset))
		}
		if first, twice := seen[i.MachineName]; twice {
			return nil, fmt.Errorf("cannot read %s: line %d: %s stands in line %d already", name, lineAt(data, o.offset), i.MachineName, lineAt(data, first))
		}
		seen[i.MachineName] = o.offset
		out = append(out, i)
	}
	return out, nil
}

// SaveInstances writes an instances file, mode 0600. Fields that hold secrets
// are left out, whatever the caller put there.
func SaveInstances(path string, instances []Instance) error {
	data, err := FormatInstances(instances)
	if err == nil {
		err = atomicfile.Write(path, data, 0o600)
	}
	if err != nil {
		return fmt.Errorf("cannot write the instances file: %w", err)
	}
	return nil
}

// FindInstance returns the entry of a machine, nil when there is none.
func FindInstance(instances []Instance, machine string) *Instance {
	i := slices.IndexFunc(instances, func(i Instance) bool { return i.MachineName == machine })
	if i < 0 {
		return nil
	}
	return &instances[i]
}
