package deploy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

// secretNames lists the secrets that the tasks of a change ask for. Arguments
// name them in fields called "…secret".
func secretNames(ch NodeChange) []string {
	var out []string
	for _, s := range ch.Tasks {
		if s.NoSecrets {
			continue
		}
		var args map[string]any
		if err := json.Unmarshal(s.Args, &args); err != nil {
			continue // arguments were made by us, as objects
		}
		out = namedIn(args, out)
	}
	return out
}

// namedIn adds the names that an object and those in it have.
func namedIn(args map[string]any, out []string) []string {
	for _, field := range slices.Sorted(maps.Keys(args)) {
		switch v := args[field].(type) {
		case map[string]any:
			out = namedIn(v, out)
		case string:
			if field == "secret" || strings.HasSuffix(field, "_secret") {
				out = appendName(out, v)
			}
		}
	}
	return out
}

func appendName(list []string, v any) []string {
	name, _ := v.(string)
	if name == "" || slices.Contains(list, name) {
		return list
	}
	return append(list, name)
}

// readSecretFile reads one line.
func readSecretFile(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the credentials of the kit: %w", err)
	}
	line, _, _ := bytes.Cut(data, []byte("\n"))
	return bytes.TrimSpace(line), nil
}
