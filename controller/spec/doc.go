// Package spec reads defaults.json and definitions.json, merges them with
// command line options and ICM's own defaults, and checks them. It is pure:
// bytes in, a [Spec] or the list of all problems out.
//
// # Field
//
// A field is one named setting. Every field there is stands in the table of
// fields.go: name, meaning, default, where it may stand, which providers, and
// whether its value is a secret. Names are compared without regard to case.
//
// # Precedence
//
// Command line option, definitions file, defaults file, ICM's default.
package spec
