// Command icm-provider-gcp is the provider of nodes in Google's cloud.
package main

import "icm/plugins/internal/terraform"

func main() { terraform.Main(gcp{}) }
