// Command icm-provider-preexisting is the provider of nodes that exist
// already: bare metal, and machines that somebody else made.
package main

import "icm/plugins/provider"

func main() { provider.Serve(newPreExisting()) }
