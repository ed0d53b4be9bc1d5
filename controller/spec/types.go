package spec

// File is an input file and its bytes. Name is what messages call it.
type File struct {
	Name string
	Data []byte
}

// Input is everything a deployment is described by.
type Input struct {
	Defaults    File
	Definitions File
	// Options are fields set on the command line: "Namespace" → "DB".
	Options map[string]string
}

// Spec is a checked description of a deployment.
type Spec struct {
	Provider string // as in the table: "Lab"
	Label    string
	Tag      string
	// Global are the fields that hold for the whole deployment, resolved.
	Global Fields
	// Definitions are the entries of the definitions file, in order.
	Definitions []Definition
	// Warnings do not stop anything.
	Warnings []Problem
}

// Definition is one entry of the definitions file, resolved.
type Definition struct {
	Index      int    // zero-based place in the file
	Name       string // "ACME-DM-TEST"
	Role       string // upper case
	Count      int
	StartCount int // number of the first node
	// Zone is the zone of each machine; nil when there are no zones.
	Zone   []string
	Fields Fields // all precedence levels applied, unknown fields included
	// Machines are the names of its nodes: "ACME-DM-TEST-0001", …
	Machines []string
	Pos      Position
}

// Position is a place in an input file. Line and column start at 1.
type Position struct {
	File   string
	Line   int
	Column int
}

// Problem is one thing that is wrong with the input.
type Problem struct {
	Pos   Position // Line 0 when the whole file, or an option, is meant
	Field string   // "" when no one field is meant
	Text  string   // what is wrong
	Hint  string   // what to do
}

// Problems are all problems of both files, in the order of the files.
type Problems []Problem
