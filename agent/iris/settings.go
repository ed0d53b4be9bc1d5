package iris

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"icm/internal/atomicfile"
	"icm/internal/cpf"
	"icm/internal/kind"
	"icm/internal/wire"
)

// Setting is one line that iris.cpf must have.
type Setting struct{ Section, Key, Value string }

// Settings are the lines that a configuration asks for, sorted.
func Settings(c kind.Configure) ([]Setting, error) {
	var all []Setting
	for name, value := range c.Settings {
		section, key, ok := strings.Cut(name, ".")
		if !ok || section == "" || key == "" {
			return nil, fmt.Errorf("cannot configure %s: %q is not section.key", c.Instance.Name, name)
		}
		all = append(all, Setting{section, key, value})
	}
	for name, value := range c.LicenseServers {
		all = append(all, Setting{"LicenseServers", name, value})
	}
	if c.SystemMode != "" {
		all = append(all, Setting{"Startup", "SystemMode", c.SystemMode})
	}
	sort.Slice(all, func(i, j int) bool {
		return all[i].Section+"."+all[i].Key < all[j].Section+"."+all[j].Key
	})
	return all, nil
}

// CPFPath returns where the configuration of an instance lies. qlist tells it
// relative to the installation directory.
func CPFPath(in wire.Instance) string {
	name := in.CPF
	if name == "" {
		name = "iris.cpf"
	}
	if filepath.IsAbs(name) {
		return name
	}
	if in.DataDir != "" && in.DataDir != in.Dir {
		if path := filepath.Join(in.DataDir, name); exists(path) {
			return path
		}
	}
	return filepath.Join(in.Dir, name)
}

// ReadCPF reads the configuration of an instance.
func ReadCPF(in wire.Instance) (*cpf.File, error) {
	data, err := os.ReadFile(CPFPath(in))
	if err != nil {
		return nil, fmt.Errorf("cannot read the configuration of %s: %w", in.Name, err)
	}
	return cpf.Parse(data), nil
}

// WriteCPF replaces the configuration of an instance, which must be down: a
// running one writes it too. Owner and mode stay as they are.
func WriteCPF(in wire.Instance, f *cpf.File) error {
	path := CPFPath(in)
	st, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("cannot write the configuration of %s: %v", in.Name, err)
	}
	uid, gid := owners(st)
	if err := atomicfile.Write(path, f.Bytes(), st.Mode().Perm()); err != nil {
		return fmt.Errorf("cannot write the configuration of %s: %v", in.Name, err)
	}
	if err := os.Chown(path, uid, gid); err != nil {
		return fmt.Errorf("cannot write the configuration of %s: %v", in.Name, err)
	}
	return nil
}

// Unmet lists the settings that a file does not have as they should be.
func Unmet(f *cpf.File, want []Setting) []wire.Diff {
	var out []wire.Diff
	for _, s := range want {
		have, ok := f.Get(s.Section, s.Key)
		if ok && cpf.Equal(have, s.Value) {
			continue
		}
		if !ok {
			have = "not set"
		}
		out = append(out, wire.Diff{What: "[" + s.Section + "] " + s.Key, Before: have, After: s.Value})
	}
	return out
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
