package cpf

import (
	"fmt"
	"sort"
	"strings"
)

// Merge is a configuration merge file in the making.
type Merge struct {
	settings File
	actions  []string
}

// Set adds one setting.
func (m *Merge) Set(section, key, value string) error {
	if strings.EqualFold(section, "Actions") {
		return fmt.Errorf("cannot set %s in [Actions]: actions are no settings", key)
	}
	return m.settings.Set(section, key, value)
}

// Action adds one line of [Actions], such as CreateNamespace with its
// properties. IRIS runs actions in an order of its own.
func (m *Merge) Action(name string, properties map[string]string) error {
	keys := make([]string, 0, len(properties))
	for k, v := range properties {
		// There is no way known to quote these.
		if strings.ContainsAny(k+v, ",\"\r\n\x00") || strings.Contains(k, "=") {
			return fmt.Errorf("cannot write the action %s: the value of %s has a comma, a quote or a line end", name, k)
		}
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool { return actionLess(keys[i], keys[j]) })
	pairs := make([]string, len(keys))
	for i, k := range keys {
		pairs[i] = k + "=" + properties[k]
	}
	m.actions = append(m.actions, name+":"+strings.Join(pairs, ","))
	return nil
}

// actionLess puts Name first, as every example does, and sorts the rest so
// that equal merges are equal files.
func actionLess(a, b string) bool {
	if (a == "Name") != (b == "Name") {
		return a == "Name"
	}
	return a < b
}

// Empty reports whether there is nothing to merge.
func (m *Merge) Empty() bool { return len(m.settings.lines) == 0 && len(m.actions) == 0 }

// Bytes returns the merge file.
func (m *Merge) Bytes() []byte {
	out := m.settings.Bytes()
	if len(m.actions) > 0 {
		out = append(out, "[Actions]\n"+strings.Join(m.actions, "\n")+"\n"...)
	}
	return out
}
