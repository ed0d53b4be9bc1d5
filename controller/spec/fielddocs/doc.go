// Package fielddocs makes docs/parameters.md and the JSON Schemas of the two
// input files from the table of fields. A test fails when the files differ
// from it; `go generate ./controller/spec/...` writes them anew.
package fielddocs

//go:generate go run icm/controller/spec/cmd/fielddocs ../../..

// Files are the generated files by their paths below the module's root.
func Files() (map[string][]byte, error) {
	defaults, err := DefaultsSchema()
	if err != nil {
		return nil, err
	}
	definitions, err := DefinitionsSchema()
	if err != nil {
		return nil, err
	}
	return map[string][]byte{
		"docs/parameters.md":                  Markdown(),
		"docs/schema/defaults.schema.json":    defaults,
		"docs/schema/definitions.schema.json": definitions,
	}, nil
}
