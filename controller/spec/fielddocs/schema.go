package fielddocs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"icm/controller/spec"
)

const dialect = "https://json-schema.org/draft/2020-12/schema"

// object is a JSON object; encoding/json sorts its names.
type object = map[string]any

// DefaultsSchema is docs/schema/defaults.schema.json.
func DefaultsSchema() ([]byte, error) {
	s := fieldsObject(spec.InDefaults)
	s["$schema"], s["title"] = dialect, "defaults.json of icm"
	return encode(s)
}

// DefinitionsSchema is docs/schema/definitions.schema.json.
func DefinitionsSchema() ([]byte, error) {
	return encode(object{
		"$schema": dialect, "title": "definitions.json of icm",
		"type": "array", "minItems": 1, "items": fieldsObject(spec.InDefinitions),
	})
}

func encode(s object) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(s); err != nil {
		return nil, fmt.Errorf("cannot write the schema: %w", err)
	}
	return b.Bytes(), nil
}

// fieldsObject describes an object that holds the fields of one file. Fields
// that are not known are allowed; those that belong to the other file are not.
func fieldsObject(file spec.Where) object {
	properties := object{}
	var required []string
	for i := range spec.Table {
		f := &spec.Table[i]
		for _, name := range append([]string{f.Name}, f.Aliases...) {
			switch {
			case f.Where == spec.Anywhere || f.Where == file:
				properties[name] = property(f)
			case f.Where != spec.Generated && len(f.Providers) == 0:
				properties[name] = false
			}
		}
		if f.Where == file && f.Required.Always {
			required = append(required, f.Name)
		}
	}
	return object{"type": "object", "additionalProperties": true, "properties": properties, "required": required}
}

func property(f *spec.Field) object {
	p := object{"description": description(f)}
	if f.Default != "" {
		p["default"] = f.Default
	}
	if f.Example != "" {
		p["examples"] = []string{f.Example}
	}
	if f.Secret {
		p["writeOnly"] = true
	}
	p["anyOf"] = forms(f)
	return p
}

func description(f *spec.Field) string {
	text := strings.ReplaceAll(f.Meaning, "`", "")
	if d := strings.NewReplacer("`", "", "**", "").Replace(defaultOf(f)); d != "" && f.Default == "" {
		text += " Default: " + d + "."
	}
	if f.Secret {
		text += " Secret."
	}
	return text
}

// forms are the spellings of a value: a string, its JSON counterpart, or null
// for "not given".
func forms(f *spec.Field) []object {
	null := object{"type": "null"}
	word := func(pattern string) object { return object{"type": "string", "pattern": pattern} }
	low, high := f.Limits()
	whole := object{"type": "integer", "minimum": low, "maximum": high}
	switch f.Type {
	case spec.Bool:
		return []object{{"type": "boolean"}, word("^([Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee])?$"), null}
	case spec.Switch:
		return []object{{"type": "boolean"}, word("^([Aa][Uu][Tt][Oo]|[Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee])?$"), null}
	case spec.Enum:
		// The list is for completion, the pattern allows other cases.
		return []object{{"enum": f.Values}, word("^" + anyCase(f.Values) + "?$"), {"type": "number"}, null}
	case spec.Int, spec.Port, spec.Size:
		return []object{whole, word("^(-?[0-9]+)?$"), null}
	default:
		if pattern := f.Pattern(); pattern != "" {
			return []object{word(pattern), {"type": "number"}, null}
		}
		return []object{{"type": []string{"string", "number", "boolean"}}, null}
	}
}

// anyCase is a pattern that matches the words without regard to case; JSON
// Schema's patterns have no flags.
func anyCase(words []string) string {
	var alternatives []string
	for _, w := range words {
		var b strings.Builder
		for _, r := range w {
			if up, low := strings.ToUpper(string(r)), strings.ToLower(string(r)); up != low {
				b.WriteString("[" + up + low + "]")
			} else {
				b.WriteString(regexp.QuoteMeta(string(r)))
			}
		}
		alternatives = append(alternatives, b.String())
	}
	return "(" + strings.Join(alternatives, "|") + ")"
}
