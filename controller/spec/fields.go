package spec

import (
	"slices"
	"strings"
)

// Field is one row of the table of fields. Checking, help, docs/parameters.md
// and the JSON Schema are made from it.
type Field struct {
	Name    string
	Aliases []string // other spellings that are understood
	Meaning string   // for people: one or two sentences
	// Default is ICM's own value, "" when there is none.
	Default string
	// DefaultFor holds other defaults by provider.
	DefaultFor map[string]string
	// DefaultText describes a default that is no fixed value.
	DefaultText string
	Where       Where
	Type        Type
	Values      []string // of an Enum, or of the elements of a list
	Min, Max    int      // of an Int; both 0: no limits
	Providers   []string // empty: all
	Roles       []string // empty: all
	Secret      bool
	// Required says when the field must have a value.
	Required Required
	// CPF is the "section.key" of iris.cpf that the field sets.
	CPF     string
	Example string
	Group   string // heading in the documentation
}

// Where says in which file a field may stand.
type Where string

// The places of a field.
const (
	Anywhere      Where = "either file"
	InDefaults    Where = "defaults.json"
	InDefinitions Where = "definitions.json"
	Generated     Where = "generated"
)

// Required says when a field must have a value.
type Required struct {
	Always bool
	For    []string // providers
}

// Type says what a value looks like.
type Type string

// The types. A list is one string, separated by commas.
const (
	Text       Type = "text"
	Name       Type = "name" // letters, digits, underscore
	Int        Type = "number"
	Bool       Type = "true or false"
	Enum       Type = "one of a list"
	Path       Type = "path"
	MountPoint Type = "absolute path"
	Directory  Type = "absolute directory" // like MountPoint, but may be one of the system's
	Account    Type = "account or group"
	Device     Type = "device"
	Port       Type = "port"
	Size       Type = "GB"
	URL        Type = "URL"
	KitAddress Type = "URL of a kit"
	Host       Type = "host name or address"
	IP         Type = "IP address"
	SHA256     Type = "sha256"
	Namespace  Type = "namespace"
	TextList   Type = "list"
	IntList    Type = "list of numbers"
	EnumList   Type = "list of words"
	Rate       Type = "network rate"
	Switch     Type = "auto, true or false"
)

// Providers there are.
const (
	AWS         = "AWS"
	GCP         = "GCP"
	Azure       = "Azure"
	VSphere     = "vSphere"
	PreExisting = "PreExisting"
	Lab         = "Lab"
)

// Roles that an entry of the definitions file may have.
var Roles = []string{"DM", "AM", "DS", "QS", "DATA", "COMPUTE", "AR", "WS", "VM", "CN"}

// irisRoles run an instance.
var irisRoles = []string{"DM", "AM", "DS", "QS", "DATA", "COMPUTE"}

// Table is every field there is.
var Table = slices.Concat(
	generalFields(), storageFields(), irisFields(), dockerFields(), balancerFields(), securityFields(),
	kernelFields(), awsFields(), gcpFields(), azureFields(), vsphereFields(), preexistingFields(),
	labFields(), toolFields(), generatedFields(),
)

// byName finds the fields by their names and aliases in lower case.
var byName = indexFields(Table)

func indexFields(table []Field) map[string]*Field {
	index := make(map[string]*Field, 2*len(table))
	for i := range table {
		f := &table[i]
		index[strings.ToLower(f.Name)] = f
		for _, alias := range f.Aliases {
			index[strings.ToLower(alias)] = f
		}
	}
	return index
}

// Lookup finds a field by its name or one of its other spellings, without
// regard to case.
func Lookup(name string) (*Field, bool) {
	f, ok := byName[strings.ToLower(name)]
	return f, ok
}

// AppliesTo reports whether the field means something to the provider. Fields
// of other providers may stand in the files and are passed on.
func (f *Field) AppliesTo(provider string) bool {
	return len(f.Providers) == 0 || slices.Contains(f.Providers, provider)
}

// DefaultOn is ICM's default with the provider, "" when there is none.
func (f *Field) DefaultOn(provider string) string {
	if !f.AppliesTo(provider) {
		return ""
	}
	if v, ok := f.DefaultFor[provider]; ok {
		return v
	}
	return f.Default
}

// RequiredOn reports whether the field must have a value with the provider.
func (f *Field) RequiredOn(provider string) bool {
	return f.Required.Always || slices.Contains(f.Required.For, provider)
}

func always() Required                         { return Required{Always: true} }
func requiredFor(providers ...string) Required { return Required{For: providers} }

// group gives all fields one heading, and those without a place or providers
// the usual ones.
func group(heading string, fields []Field, providers ...string) []Field {
	for i := range fields {
		fields[i].Group = heading
		if fields[i].Where == "" {
			fields[i].Where = Anywhere
		}
		if len(fields[i].Providers) == 0 {
			fields[i].Providers = providers
		}
	}
	return fields
}
