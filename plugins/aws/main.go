// Command icm-provider-aws is the provider of nodes in Amazon Web Services.
package main

import "icm/plugins/internal/terraform"

func main() { terraform.Main(aws{}) }
