// Command icm-provider-lab is the provider Lab: it makes real nodes on one
// Linux machine, for evaluation and tests.
package main

import (
	"icm/plugins/lab/internal/lab"
	"icm/plugins/provider"
)

// version is set when the program is built.
var version = "development"

func main() { provider.Serve(lab.New(version, lab.DataDir, lab.CacheDir)) }
