// Command fielddocs writes docs/parameters.md and the JSON Schemas below the
// directory it is given (by default the working directory).
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"icm/controller/spec/fielddocs"
)

func main() {
	root := "."
	if len(os.Args) > 1 {
		root = os.Args[1]
	}
	if err := write(root); err != nil {
		fmt.Fprintln(os.Stderr, "fielddocs:", err)
		os.Exit(1)
	}
}

func write(root string) error {
	files, err := fielddocs.Files()
	if err != nil {
		return err
	}
	for name, data := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			return err
		}
	}
	return nil
}
