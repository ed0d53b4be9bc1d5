package terraform

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"icm/internal/atomicfile"
)

// varsFile is read by terraform by itself.
const varsFile = "terraform.tfvars"

// render writes variables as terraform reads them: one line for each, its value
// in JSON, which is an expression of Terraform's language too, once the two
// beginnings of an interpolation are doubled.
func (v Vars) render() ([]byte, error) {
	var out bytes.Buffer
	out.WriteString("# Written by icm at every provision.\n")
	for _, name := range slices.Sorted(maps.Keys(v)) {
		text, err := marshal(v[name])
		if err != nil {
			return nil, fmt.Errorf("variable %s: %w", name, err)
		}
		fmt.Fprintf(&out, "%s = %s\n", name, text)
	}
	return out.Bytes(), nil
}

func marshal(v any) (string, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return "", err
	}
	text := strings.TrimSpace(out.String())
	text = strings.NewReplacer("${", "$${", "%{", "%%{").Replace(text)
	return text, nil
}

func (v Vars) write(dir string) error {
	text, err := v.render()
	if err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(dir, varsFile), text, 0o600)
}

// readVar reads one variable of an earlier run; nothing where there is none.
func readVar(dir, name string, into any) error {
	data, err := os.ReadFile(filepath.Join(dir, varsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, len(data)+1)
	for lines.Scan() {
		if text, ok := strings.CutPrefix(lines.Text(), name+" = "); ok {
			text = strings.NewReplacer("$${", "${", "%%{", "%{").Replace(text)
			return json.Unmarshal([]byte(text), into)
		}
	}
	return lines.Err()
}
