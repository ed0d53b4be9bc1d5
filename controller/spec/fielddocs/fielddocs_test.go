package fielddocs

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"icm/controller/spec"
)

func TestTheFilesAreThoseOfTheTable(t *testing.T) {
	files, err := Files()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join("../../..", name))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s differs from the table of fields (%v): run go generate ./controller/spec/...", name, err)
		}
	}
}

func TestTheTextNamesEveryField(t *testing.T) {
	text := string(Markdown())
	for i := range spec.Table {
		if f := &spec.Table[i]; !strings.Contains(text, "| `"+f.Name+"`") {
			t.Errorf("%s is not in the text", f.Name)
		}
	}
}

func TestEveryPatternIsOneAndTakesTheFieldsOwnValues(t *testing.T) {
	for i := range spec.Table {
		f := &spec.Table[i]
		for _, form := range forms(f) {
			pattern, ok := form["pattern"].(string)
			if !ok {
				continue
			}
			re, err := regexp.Compile(pattern)
			if err != nil {
				t.Errorf("%s: %v", f.Name, err)
				continue
			}
			for _, value := range append([]string{f.Default, f.Example}, f.DefaultFor[spec.AWS]) {
				if value != "" && !re.MatchString(value) {
					t.Errorf("%s: %q does not match %s", f.Name, value, pattern)
				}
			}
		}
	}
}

func TestAFieldOfTheOtherFileIsForbiddenInTheSchema(t *testing.T) {
	data, err := DefinitionsSchema()
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Items struct {
			Properties map[string]any
			Required   []string
		}
	}
	if err := json.Unmarshal(data, &schema); err != nil {
		t.Fatal(err)
	}
	if schema.Items.Properties["Label"] != false {
		t.Errorf("Label is %v in the definitions schema", schema.Items.Properties["Label"])
	}
	if len(schema.Items.Required) != 1 || schema.Items.Required[0] != "Role" {
		t.Errorf("required are %v, want Role", schema.Items.Required)
	}
}
