// Package cpf reads and edits IRIS configuration parameter files (iris.cpf)
// and builds merge files.
//
// An edit changes the lines it has to and keeps everything else byte for
// byte: comments, order, spelling, line ends, sections and keys this program
// has never heard of.
package cpf

import (
	"bytes"
	"fmt"
	"strings"
)

// File is a parsed configuration file. Sections and keys are compared without
// regard to case.
type File struct {
	lines []line
}

// line is one line of a file. text holds it without its end, end is "\n",
// "\r\n" or, on the last line, "".
type line struct {
	text, end string
	section   string // a header: the name between the brackets
	key       string // a setting: what stands before the first "="
	value     string
}

// Parse reads a file. Every input is one: a line that is no header and no
// setting is kept as it is.
func Parse(data []byte) *File {
	f := &File{}
	inComment := false
	for len(data) > 0 {
		var l line
		i := bytes.IndexByte(data, '\n')
		if i < 0 {
			l.text, data = string(data), nil
		} else {
			l.text, l.end, data = string(data[:i]), "\n", data[i+1:]
		}
		if l.end != "" && strings.HasSuffix(l.text, "\r") {
			l.text, l.end = l.text[:len(l.text)-1], "\r\n"
		}
		inComment = l.read(inComment)
		f.lines = append(f.lines, l)
	}
	return f
}

// read finds out what a line is and reports whether it leaves a /* comment open.
func (l *line) read(inComment bool) bool {
	s := strings.TrimSpace(l.text)
	switch {
	case inComment:
		return !strings.Contains(s, "*/")
	case strings.HasPrefix(s, "/*"):
		return !strings.Contains(s[2:], "*/")
	case s == "" || s[0] == ';' || s[0] == '#' || strings.HasPrefix(s, "//"):
	case s[0] == '[':
		if i := strings.IndexByte(s, ']'); i > 0 {
			l.section = strings.TrimSpace(s[1:i])
		}
	default:
		if key, value, ok := strings.Cut(l.text, "="); ok {
			l.key, l.value = strings.TrimSpace(key), strings.TrimSpace(value)
		}
	}
	return false
}

// Bytes returns the file as it stands now.
func (f *File) Bytes() []byte {
	var b bytes.Buffer
	for _, l := range f.lines {
		b.WriteString(l.text)
		b.WriteString(l.end)
	}
	return b.Bytes()
}

// Get returns the value of a key, and whether it is there. Where a key stands
// twice the last one counts, as it does for IRIS.
func (f *File) Get(section, key string) (string, bool) {
	if i := f.find(section, key); i >= 0 {
		return f.lines[i].value, true
	}
	return "", false
}

// Sections lists the sections in the order of the file, each once.
func (f *File) Sections() []string {
	var names []string
	seen := map[string]bool{}
	for _, l := range f.lines {
		if low := strings.ToLower(l.section); l.section != "" && !seen[low] {
			seen[low] = true
			names = append(names, l.section)
		}
	}
	return names
}

// Keys lists the keys of a section in the order of the file, each once.
func (f *File) Keys(section string) []string {
	var keys []string
	seen := map[string]bool{}
	in := false
	for _, l := range f.lines {
		if l.section != "" {
			in = strings.EqualFold(l.section, section)
		}
		if low := strings.ToLower(l.key); in && l.key != "" && !seen[low] {
			seen[low] = true
			keys = append(keys, l.key)
		}
	}
	return keys
}

// Set gives a key a value; key and section are added where they are missing.
// A value that is there already leaves the file untouched.
func (f *File) Set(section, key, value string) error {
	if err := check(section, key, value); err != nil {
		return err
	}
	value = strings.TrimSpace(value)
	if i := f.find(section, key); i >= 0 {
		if l := &f.lines[i]; l.value != value {
			l.text = l.text[:strings.IndexByte(l.text, '=')+1] + value
			l.value = value
		}
		return nil
	}
	f.add(section, line{text: key + "=" + value, key: key, value: value})
	return nil
}

// Delete removes a key wherever it stands in the section.
func (f *File) Delete(section, key string) {
	for i := f.find(section, key); i >= 0; i = f.find(section, key) {
		f.lines = append(f.lines[:i], f.lines[i+1:]...)
	}
}

// DeleteSection removes a section, wherever it stands, with all its lines.
func (f *File) DeleteSection(section string) {
	var kept []line
	in := false
	for _, l := range f.lines {
		if l.section != "" {
			in = strings.EqualFold(l.section, section)
		}
		if !in {
			kept = append(kept, l)
		}
	}
	f.lines = kept
}

// add puts a line at the end of a section, before the empty lines that part
// it from the next one.
func (f *File) add(section string, l line) {
	at := f.endOf(section)
	if at < 0 {
		f.closeLast()
		f.lines = append(f.lines, line{text: "[" + section + "]", end: f.eol(), section: section})
		at = len(f.lines)
	}
	if at == len(f.lines) {
		f.closeLast()
	}
	l.end = f.eol()
	f.lines = append(f.lines[:at], append([]line{l}, f.lines[at:]...)...)
}

// endOf returns where a new line of the section belongs, or -1.
func (f *File) endOf(section string) int {
	at, in := -1, false
	for i, l := range f.lines {
		if l.section != "" {
			in = strings.EqualFold(l.section, section)
		}
		if in && (l.section != "" || l.key != "") {
			at = i + 1
		}
	}
	return at
}

func (f *File) find(section, key string) int {
	at, in := -1, false
	for i, l := range f.lines {
		if l.section != "" {
			in = strings.EqualFold(l.section, section)
		}
		if in && l.key != "" && strings.EqualFold(l.key, key) {
			at = i
		}
	}
	return at
}

// closeLast ends the last line, so that another one can follow.
func (f *File) closeLast() {
	if n := len(f.lines); n > 0 && f.lines[n-1].end == "" {
		f.lines[n-1].end = f.eol()
	}
}

// eol is the line end the file uses.
func (f *File) eol() string {
	for _, l := range f.lines {
		if l.end != "" {
			return l.end
		}
	}
	return "\n"
}

// check refuses what would make a line that reads as something else.
func check(section, key, value string) error {
	switch {
	case section == "" || strings.ContainsAny(section, "[]\r\n") || section != strings.TrimSpace(section):
		return fmt.Errorf("cannot use %q as the name of a section", section)
	case key == "" || strings.ContainsAny(key, "=\r\n") || key != strings.TrimSpace(key):
		return fmt.Errorf("cannot use %q as the name of a setting in [%s]", key, section)
	case strings.HasPrefix(key, "[") || strings.HasPrefix(key, ";") || strings.HasPrefix(key, "#") ||
		strings.HasPrefix(key, "//") || strings.HasPrefix(key, "/*"):
		return fmt.Errorf("cannot use %q as the name of a setting in [%s]: it would read as a comment or header", key, section)
	case strings.ContainsAny(value, "\r\n\x00"):
		return fmt.Errorf("cannot set %s in [%s]: the value has more than one line", key, section)
	}
	return nil
}
