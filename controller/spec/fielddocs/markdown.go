package fielddocs

import (
	"bytes"
	"fmt"
	"strings"

	"icm/controller/spec"
)

const intro = `# Fields of defaults.json and definitions.json

Generated from the table in controller/spec; do not edit.

` + "`defaults.json`" + ` is one object, ` + "`definitions.json`" + ` a list of objects, one for each kind of node.
A value is taken from the first of these places that gives one: an option on the command line, the entry in
` + "`definitions.json`, `defaults.json`" + `, and the default below. Values are strings, numbers, or true and false; lists
are strings with commas. null is the same as leaving the field out. Names are compared without regard to case.
Fields that are not listed are kept and passed on, so a field is switched off by changing its name (` + "`_Mirror`" + `).
Fields of another provider may stand in the files; they do nothing.

Editors complete and check the files with the schemas in ` + "`docs/schema`" + `.
`

// Markdown is docs/parameters.md.
func Markdown() []byte {
	var b bytes.Buffer
	b.WriteString(intro)
	for _, heading := range headings() {
		fmt.Fprintf(&b, "\n## %s\n\n| Field | Meaning | Value | Default | May stand in | For |\n|---|---|---|---|---|---|\n", heading)
		for i := range spec.Table {
			if f := &spec.Table[i]; f.Group == heading {
				writeRow(&b, f)
			}
		}
	}
	return b.Bytes()
}

// headings are in the order of the table.
func headings() []string {
	var all []string
	seen := map[string]bool{}
	for i := range spec.Table {
		if h := spec.Table[i].Group; !seen[h] {
			seen[h] = true
			all = append(all, h)
		}
	}
	return all
}

func writeRow(b *bytes.Buffer, f *spec.Field) {
	cells := []string{"`" + f.Name + "`" + aliases(f), meaning(f), value(f), defaultOf(f), string(f.Where), appliesTo(f)}
	for i := range cells {
		cells[i] = strings.ReplaceAll(cells[i], "|", `\|`)
	}
	fmt.Fprintf(b, "| %s |\n", strings.Join(cells, " | "))
}

func aliases(f *spec.Field) string {
	if len(f.Aliases) == 0 {
		return ""
	}
	return ", also `" + strings.Join(f.Aliases, "`, `") + "`"
}

func meaning(f *spec.Field) string {
	text := f.Meaning
	if f.CPF != "" {
		text += " Sets `" + f.CPF + "` in iris.cpf."
	}
	if f.Secret {
		text += " Secret: never shown or logged."
	}
	return text
}

func value(f *spec.Field) string {
	text := string(f.Type)
	if len(f.Values) > 0 {
		text = strings.Join(f.Values, ", ")
		if f.Type == spec.EnumList {
			text = "list of " + text
		}
	}
	if f.Max != 0 {
		text += fmt.Sprintf(", %d to %d", f.Min, f.Max)
	}
	if f.Example != "" {
		text += ", such as `" + f.Example + "`"
	}
	return text
}

func defaultOf(f *spec.Field) string {
	var parts []string
	if f.Default != "" {
		parts = append(parts, "`"+f.Default+"`")
	}
	for _, p := range providers() {
		if v, ok := f.DefaultFor[p]; ok {
			parts = append(parts, p+": `"+v+"`")
		}
	}
	if f.DefaultText != "" {
		parts = append(parts, f.DefaultText)
	}
	switch {
	case f.Required.Always:
		parts = append(parts, "**required**")
	case len(f.Required.For) > 0:
		parts = append(parts, "**required** with "+strings.Join(f.Required.For, ", "))
	}
	return strings.Join(parts, "; ")
}

func providers() []string {
	f, _ := spec.Lookup("Provider")
	return f.Values
}

func appliesTo(f *spec.Field) string {
	var parts []string
	if len(f.Providers) > 0 {
		parts = append(parts, strings.Join(f.Providers, ", "))
	}
	if len(f.Roles) > 0 {
		parts = append(parts, "roles "+strings.Join(f.Roles, ", "))
	}
	return strings.Join(parts, "; ")
}
