// Package cpf reads and writes configuration parameter files.
//
// A file is kept line by line, so whatever this package does not know
// (comments, unknown sections, unusual spacing) comes out as it went in.
package cpf

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// File is one parsed file.
type File struct {
	lines []line
}

// line is one line: a setting when key is not empty, a section header when
// header is set, otherwise text that is only carried along.
type line struct {
	raw     string
	section string
	header  bool
	key     string
	value   string
}

// Pair is one name=value of a section.
type Pair struct{ Key, Value string }

// Parse never fails: what is not understood is kept as text.
func Parse(data []byte) *File {
	f := &File{}
	section, inComment := "", false
	text := strings.TrimSuffix(string(data), "\n")
	if text == "" {
		return f
	}
	for _, raw := range strings.Split(text, "\n") {
		raw = strings.TrimSuffix(raw, "\r")
		trimmed := strings.TrimSpace(raw)
		l := line{raw: raw, section: section}
		switch {
		case inComment:
			inComment = !strings.Contains(trimmed, "*/")
		case strings.HasPrefix(trimmed, "/*"):
			inComment = !strings.Contains(trimmed, "*/")
		case trimmed == "", trimmed[0] == ';', trimmed[0] == '#', strings.HasPrefix(trimmed, "//"):
		case trimmed[0] == '[' && strings.HasSuffix(trimmed, "]"):
			section = strings.TrimSpace(trimmed[1 : len(trimmed)-1])
			l.section, l.header = section, true
		default:
			key, value, found := strings.Cut(trimmed, "=")
			if found || strings.EqualFold(section, "Actions") {
				l.key, l.value = strings.TrimSpace(key), strings.TrimSpace(value)
			}
		}
		f.lines = append(f.lines, l)
	}
	return f
}

// Load reads the file at path.
func Load(path string) (*File, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(data), nil
}

// Save writes the file beside path and renames it there, keeping the mode
// and owner of the file it replaces.
func (f *File) Save(path string) error {
	mode := os.FileMode(0o644)
	old, statErr := os.Stat(path)
	if statErr == nil {
		mode = old.Mode().Perm()
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".cpf-*")
	if err != nil {
		return fmt.Errorf("cannot save configuration: %w", err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(f.Bytes())
	if err == nil {
		err = tmp.Chmod(mode)
	}
	if err == nil && statErr == nil {
		err = keepOwner(tmp, old)
	}
	if err == nil {
		err = tmp.Sync()
	}
	if closeErr := tmp.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("cannot save configuration: %w", err)
	}
	return nil
}

// Bytes is the file as text.
func (f *File) Bytes() []byte {
	var b strings.Builder
	for _, l := range f.lines {
		b.WriteString(l.raw)
		b.WriteByte('\n')
	}
	return []byte(b.String())
}

// Get returns a value, or "" when it is not there. Names are compared
// without regard to case.
func (f *File) Get(section, key string) string {
	v, _ := f.Lookup(section, key)
	return v
}

// Lookup is Get that tells a missing value from an empty one.
func (f *File) Lookup(section, key string) (string, bool) {
	for _, l := range f.lines {
		if !l.header && l.key != "" && strings.EqualFold(l.section, section) && strings.EqualFold(l.key, key) {
			return l.value, true
		}
	}
	return "", false
}

// Section returns the settings of a section in file order.
func (f *File) Section(section string) []Pair {
	var out []Pair
	for _, l := range f.lines {
		if !l.header && l.key != "" && strings.EqualFold(l.section, section) {
			out = append(out, Pair{l.key, l.value})
		}
	}
	return out
}

// Sections returns the section names in file order.
func (f *File) Sections() []string {
	var out []string
	for _, l := range f.lines {
		if l.header {
			out = append(out, l.section)
		}
	}
	return out
}

// Set changes a value in place, or adds it at the end of its section, or adds
// the section at the end of the file.
func (f *File) Set(section, key, value string) {
	last := -1
	for i, l := range f.lines {
		if !strings.EqualFold(l.section, section) {
			continue
		}
		if l.header || l.key != "" {
			last = i
		}
		if !l.header && l.key != "" && strings.EqualFold(l.key, key) {
			f.lines[i].value = value
			f.lines[i].raw = l.key + "=" + value
			return
		}
	}
	added := line{raw: key + "=" + value, section: section, key: key, value: value}
	if last < 0 {
		f.lines = append(f.lines, line{raw: "[" + section + "]", section: section, header: true}, added)
		return
	}
	f.lines = append(f.lines[:last+1], append([]line{added}, f.lines[last+1:]...)...)
}

// Delete removes a setting, if it is there.
func (f *File) Delete(section, key string) {
	kept := f.lines[:0]
	for _, l := range f.lines {
		if !l.header && l.key != "" && strings.EqualFold(l.section, section) && strings.EqualFold(l.key, key) {
			continue
		}
		kept = append(kept, l)
	}
	f.lines = kept
}

// HasSection says whether the file has a header of that name.
func (f *File) HasSection(section string) bool {
	for _, l := range f.lines {
		if l.header && strings.EqualFold(l.section, section) {
			return true
		}
	}
	return false
}
