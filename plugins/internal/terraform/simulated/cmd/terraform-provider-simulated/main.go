// Command terraform-provider-simulated is the simulated providers' program.
// In a mirror it has the name of the provider that it is.
package main

import (
	"fmt"
	"os"

	"icm/plugins/internal/terraform/simulated"
)

func main() {
	if err := simulated.Serve(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
