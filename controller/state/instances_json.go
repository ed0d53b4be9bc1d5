package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// jsonField is one field of an object, as it stands in the file.
type jsonField struct {
	name  string
	value json.RawMessage
}

// jsonObject is one entry of the file.
type jsonObject struct {
	offset int64 // in the file
	fields []jsonField
}

// parseObjects reads an array of objects, whose order encoding/json would lose.
func parseObjects(data []byte) ([]jsonObject, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	objects, err := readArray(d)
	if err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, fmt.Errorf("line %d: the file ends too early", lineAt(data, int64(len(data))))
		}
		return nil, fmt.Errorf("line %d: %w", lineAt(data, errorOffset(d, err)), err)
	}
	return objects, nil
}

func readArray(d *json.Decoder) ([]jsonObject, error) {
	if err := expect(d, '[', "a list of nodes"); err != nil {
		return nil, err
	}
	var out []jsonObject
	for d.More() {
		o, err := readObject(d)
		if err != nil {
			return nil, err
		}
		out = append(out, o)
	}
	if _, err := d.Token(); err != nil { // the closing bracket
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the list of nodes")
	}
	return out, nil
}

func readObject(d *json.Decoder) (jsonObject, error) {
	if err := expect(d, '{', "a node"); err != nil {
		return jsonObject{}, err
	}
	o := jsonObject{offset: d.InputOffset()}
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return o, err
		}
		f := jsonField{name: t.(string)} // the decoder has made sure that a name is a string
		if seen[strings.ToLower(f.name)] {
			return o, fmt.Errorf("the field %s stands twice in one entry", f.name)
		}
		seen[strings.ToLower(f.name)] = true
		if err := d.Decode(&f.value); err != nil {
			return o, err
		}
		o.fields = append(o.fields, f)
	}
	_, err := d.Token()
	return o, err
}

func expect(d *json.Decoder, want json.Delim, what string) error {
	t, err := d.Token()
	if err != nil {
		return err
	}
	if t != want {
		return fmt.Errorf("%v where %s is expected", t, what)
	}
	return nil
}

func errorOffset(d *json.Decoder, err error) int64 {
	if s, ok := errors.AsType[*json.SyntaxError](err); ok {
		return s.Offset
	}
	return d.InputOffset()
}

func lineAt(data []byte, offset int64) int {
	return 1 + bytes.Count(data[:min(max(offset, 0), int64(len(data)))], []byte("\n"))
}

func fromObject(o jsonObject) Instance {
	i := Instance{Fields: map[string]string{}, asRead: o.fields}
	for _, f := range o.fields {
		var s string
		if f.value[0] != '"' || json.Unmarshal(f.value, &s) != nil {
			continue // stays in asRead only
		}
		if p := i.typed(f.name); p != nil {
			*p = s
			continue
		}
		i.Fields[f.name] = s
	}
	return i
}

// FormatInstances makes the bytes of an instances file. Entries that were read
// keep the order of their fields; new fields follow.
func FormatInstances(instances []Instance) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("[")
	for n := range instances {
		if n > 0 {
			b.WriteString(",")
		}
		b.WriteString("\n  {")
		if err := instances[n].write(&b); err != nil {
			return nil, err
		}
		b.WriteString("\n  }")
	}
	b.WriteString("\n]\n")
	return b.Bytes(), nil
}

func (i *Instance) write(b *bytes.Buffer) error {
	sep := ""
	for _, f := range i.fields() {
		if secretField(f.name) {
			continue
		}
		name, err := encode(f.name)
		if err != nil {
			return err
		}
		var value bytes.Buffer
		if err := json.Indent(&value, f.value, "    ", "  "); err != nil {
			return err
		}
		fmt.Fprintf(b, "%s\n    %s: %s", sep, name, &value)
		sep = ","
	}
	return nil
}

// fields are all fields in the order they are written: as they were read, then
// ICM's usual first ones, then the rest by name.
func (i *Instance) fields() []jsonField {
	var out []jsonField
	done := map[string]bool{}
	add := func(name string, value json.RawMessage) {
		done[strings.ToLower(name)] = true
		out = append(out, jsonField{name, value})
	}
	for _, f := range i.asRead {
		value, keep := i.current(f)
		if keep {
			add(f.name, value)
		}
		done[strings.ToLower(f.name)] = true
	}
	first := []string{"Label", "Role", "Tag", "MachineName", "IPAddress", "DNSName", "StateDir"}
	for _, name := range slices.Concat(first, slices.Sorted(maps.Keys(i.Fields))) {
		_, has := i.Fields[name]
		if done[strings.ToLower(name)] || !has && i.typed(name) == nil {
			continue
		}
		add(name, text(i.Field(name)))
	}
	return out
}

// current is what a field that was read is now; false when it was removed.
func (i *Instance) current(f jsonField) (json.RawMessage, bool) {
	if p := i.typed(f.name); p != nil {
		return text(*p), true
	}
	if v, ok := i.Fields[f.name]; ok {
		return text(v), true
	}
	return f.value, f.value[0] != '"'
}

func text(s string) json.RawMessage {
	raw, err := encode(cleanValue(s))
	if err != nil {
		return json.RawMessage(`""`) // a string always encodes
	}
	return raw
}

// encode leaves <, > and & readable.
func encode(s string) (json.RawMessage, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(s)
	return bytes.TrimSpace(b.Bytes()), err
}
