package spec

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// maxNodes bounds what one deployment may ask for.
const maxNodes = 9999

// Load reads both files. It returns the spec, or every problem of both files;
// nothing outside is touched. The spec is nil when there are problems.
func Load(in Input) (*Spec, Problems) {
	in.Defaults.Name = cmp.Or(in.Defaults.Name, "defaults.json")
	in.Definitions.Name = cmp.Or(in.Definitions.Name, "definitions.json")
	l := &loader{in: in, damaged: map[string]map[int]bool{}, meant: map[string]string{}}
	icm, defaults, options := l.global()
	l.entryInfo = l.entries()
	s := &Spec{Global: Fields{[]*layer{options, defaults, icm}}}
	l.named(s)
	for i, e := range l.entryInfo {
		l.definition(s, i, e, Fields{[]*layer{options, e.layer, defaults, icm}})
	}
	if l.readable {
		l.required(s)
		l.number(s)
		l.rules(s)
	}
	s.Warnings = l.warnings.sorted(in)
	if len(l.problems) > 0 {
		return nil, l.problems.sorted(in)
	}
	return s, nil
}

// loader collects what is wrong.
type loader struct {
	in       Input
	provider string
	problems Problems
	warnings Problems
	// readable is false when a file is so damaged that what is missing may be
	// there.
	readable bool
	damaged  map[string]map[int]bool // file → lines that are not told about again
	meant    map[string]string       // unknown name → similar one, "" when there is none
	// defaultsPos is where missing fields of the defaults file are told.
	defaultsPos   Position
	defaultsNulls map[string]Position
	entryInfo     []definitionEntry
}

func (l *loader) problem(pos Position, field, text, hint string) {
	if !l.damaged[pos.File][pos.Line] {
		l.problems = append(l.problems, Problem{Pos: pos, Field: field, Text: text, Hint: hint})
	}
}

func (l *loader) warn(pos Position, field, text, hint string) {
	if !l.damaged[pos.File][pos.Line] {
		l.warnings = append(l.warnings, Problem{Pos: pos, Field: field, Text: text, Hint: hint})
	}
}

// definitionEntry is one object of the definitions file.
type definitionEntry struct {
	layer *layer
	pos   Position
	nulls map[string]Position // fields whose value is JSON null
}

// global reads the defaults file and the options, and makes ICM's own layer,
// which depends on the provider they name.
func (l *loader) global() (icm, defaults, options *layer) {
	l.readable = true
	src, root := l.parse(l.in.Defaults)
	switch root.shape {
	case shapeMissing:
		l.readable = false
	case shapeObject:
	default:
		l.problem(src.position(root.at), "", fmt.Sprintf("the defaults file is %s, not an object", root.shape), `it begins with { and ends with }: {"Provider": "AWS", …}`)
		root = node{}
		l.readable = false
	}
	l.provider = providerOf(l.in.Options, root)
	options = l.optionLayer()
	e := l.layer(src, root, FromDefaults, InDefaults)
	l.defaultsPos, l.defaultsNulls = e.pos, e.nulls
	return icmLayer(l.provider), e.layer, options
}

func (l *loader) parse(f File) (*source, node) {
	src := newSource(f)
	p := parse(src)
	l.problems = append(l.problems, p.problems...)
	l.readable = l.readable && !p.lossy
	l.damaged[f.Name] = p.damaged
	return src, p.root
}

// providerOf looks ahead, because how fields are checked depends on it.
func providerOf(options map[string]string, root node) string {
	name := ""
	for _, m := range root.members {
		if strings.EqualFold(m.name, "Provider") && m.value.shape == shapeScalar {
			name = m.value.text
			break
		}
	}
	for option, value := range options {
		if strings.EqualFold(option, "Provider") {
			name = value
		}
	}
	f, _ := Lookup("Provider")
	proper, _, _ := f.check(name)
	return proper
}

func icmLayer(provider string) *layer {
	l := &layer{source: FromICM, entries: map[string]entry{}}
	for i := range Table {
		if v := Table[i].DefaultOn(provider); v != "" {
			l.put(newEntry(Table[i].Name, v, Position{}))
		}
	}
	return l
}

// entries reads the definitions file.
func (l *loader) entries() []definitionEntry {
	src, root := l.parse(l.in.Definitions)
	whole := Position{File: src.name}
	switch root.shape {
	case shapeMissing:
		return nil
	case shapeArray:
	case shapeObject:
		l.problem(src.position(root.at), "", "the definitions file is an object, not a list of objects", "put [ before the first { and ] after the last }")
		root.items = []node{root}
	default:
		l.problem(src.position(root.at), "", fmt.Sprintf("the definitions file is %s, not a list of objects", root.shape), `it looks like this: [{"Role": "DM", "Count": "1"}]`)
		return nil
	}
	var entries []definitionEntry
	for _, item := range root.items {
		if item.shape != shapeObject {
			l.problem(src.position(item.at), "", "an entry of the definitions file is an object", `it looks like this: {"Role": "DM", "Count": "1"}`)
			continue
		}
		entries = append(entries, l.layer(src, item, FromDefinitions, InDefinitions))
	}
	if len(root.items) == 0 && l.readable {
		l.problem(whole, "", "the definitions file has no entries", `add one for each kind of node: {"Role": "DM", "Count": "1"}`)
	}
	return entries
}

// optionLayer checks the fields of the command line.
func (l *loader) optionLayer() *layer {
	lay := &layer{source: FromOption, entries: map[string]entry{}}
	for _, name := range sortedKeys(l.in.Options) {
		value := l.in.Options[name]
		pos := Position{File: commandLine}
		if f, ok := Lookup(name); ok && value != "" {
			value = l.value(f, value, pos)
		}
		lay.put(newEntry(name, value, pos))
	}
	return lay
}

const commandLine = "command line"

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
