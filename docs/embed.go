// Package docs is the documentation, for bundles: where there is no network
// there is no web site either.
package docs

import "embed"

// Files are the pages, as they lie in this directory.
//
//go:embed *.md decisions/*.md schema/*.json
var Files embed.FS
