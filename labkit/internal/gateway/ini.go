package gateway

import (
	"encoding/base64"
	"os"
	"strings"
)

// ini is the content of CSP.ini: sections of names and values, without regard
// to the case of either's names.
type ini map[string]map[string]string

func parseINI(text string) ini {
	out := ini{}
	section := ""
	for _, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		switch {
		case line == "", line[0] == ';', line[0] == '#':
		case line[0] == '[' && strings.HasSuffix(line, "]"):
			section = strings.ToUpper(line[1 : len(line)-1])
			if out[section] == nil {
				out[section] = map[string]string{}
			}
		default:
			if k, v, ok := strings.Cut(line, "="); ok && out[section] != nil {
				out[section][strings.ToUpper(strings.TrimSpace(k))] = strings.TrimSpace(v)
			}
		}
	}
	return out
}

func (c ini) get(section, key string) string {
	return c[strings.ToUpper(section)][strings.ToUpper(key)]
}

func (c ini) enabled(index, name string) bool {
	return strings.EqualFold(c.get(index, name), "Enabled")
}

// password reads one of the forms the file has: coded, or in the clear.
func password(text string) string {
	coded, ok := strings.CutPrefix(text, "]]]")
	if !ok {
		return text
	}
	plain, err := base64.StdEncoding.DecodeString(coded)
	if err != nil {
		if plain, err = base64.RawStdEncoding.DecodeString(coded); err != nil {
			return ""
		}
	}
	return string(plain)
}

// reloadAsked says whether the file has RELOAD=1 in its first section.
func (c ini) reloadAsked() bool { return c.get("SYSTEM", "RELOAD") == "1" }

// withoutReload is the text without the request that was followed.
func withoutReload(text string) string {
	var kept []string
	for _, line := range strings.Split(text, "\n") {
		name, _, _ := strings.Cut(line, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "RELOAD") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n")
}

// load reads the file and takes the request to reload out of it, in place:
// the gateway owns the file, not its directory.
func load(path string) (ini, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	conf := parseINI(string(data))
	if conf.reloadAsked() {
		err = os.WriteFile(path, []byte(withoutReload(string(data))), 0o600)
	}
	return conf, err
}

// code is the form of a password in CSP.ini that is not read at a glance.
func code(plain string) string {
	if plain == "" {
		return ""
	}
	return "]]]" + base64.StdEncoding.EncodeToString([]byte(plain))
}
